//! Runs that compute the activations of each layer a second time end with the bytes of runs that keep them.

use std::fs;
use std::path::Path;

use burn::backend::{Autodiff, Flex, NdArray};
use pref_train::TrainBackend;

use crate::common;

/// The final weights of a run of three steps.
fn weights<B: TrainBackend>(folder: &Path, model: &str, more: &[&str]) -> Vec<u8> {
    let name = format!("run-{}", fs::read_dir(folder).unwrap().count());
    let run = folder.join(name);
    let mut settings = vec![
        format!("model.path={}", common::model(model)),
        format!("data.train={}", folder.join("pairs.jsonl").display()),
        format!("output.folder={}", run.display()),
        "data.max-length=96".to_owned(),
        "train.batch-size=4".to_owned(),
        "train.batch-tokens=256".to_owned(),
        "train.learning-rate=1e-3".to_owned(),
        "train.steps=3".to_owned(),
        "output.last-checkpoint=false".to_owned(),
        "output.dtype=f32".to_owned(),
    ];
    settings.extend(more.iter().map(|&s| s.to_owned()));
    common::run::<B>(&common::plan(&settings), false).unwrap();
    let model = run.join("model");
    ["model.safetensors", "adapter_model.safetensors"]
        .iter()
        .find_map(|file| fs::read(model.join(file)).ok())
        .unwrap()
}

#[track_caller]
fn check<B: TrainBackend>(model: &str, settings: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    common::write_pairs(folder.path(), 12);
    let kept = weights::<B>(folder.path(), model, settings);
    let with = [settings, &["train.checkpoint-activations=true"]].concat();
    let again = weights::<B>(folder.path(), model, &with);
    assert_eq!(kept.len(), again.len());
    assert!(kept == again, "{model} {settings:?}: other weights");
}

type Cpu = Autodiff<Flex>;

#[test]
fn weights_are_the_same() {
    check::<Cpu>("llama", &[]);
    check::<Cpu>("llama", &["train.vocab-chunk=16"]);
    check::<Autodiff<NdArray>>("llama", &["train.vocab-chunk=16"]);
}

#[test]
fn a_head_that_is_the_embedding_and_windows_are_the_same() {
    check::<Cpu>("gemma3", &["train.share-prompts=true"]);
    check::<Cpu>("qwen2", &["objective.method=tdpo2"]);
}

#[test]
fn adapters_with_dropout_are_the_same() {
    let lora = ["train.lora.rank=2", "train.lora.dropout=0.3"];
    check::<Cpu>("llama", &lora);
}

#[test]
fn frozen_parts_are_the_same() {
    let layers = r#"train.freeze=["model.embed_tokens.*", "model.layers.0.*"]"#;
    check::<Cpu>("llama", &[layers]);
    let all_but_the_head = r#"train.freeze=["model.*"]"#;
    check::<Cpu>("llama", &[all_but_the_head]);
    check::<Cpu>("llama", &[all_but_the_head, "train.vocab-chunk=16"]);
}

#[test]
fn reward_models_are_the_same() {
    check::<Cpu>("llama", &["objective.method=bradley-terry"]);
}
