//! Runs compared step by step with TRL's `DPOTrainer` and `SFTTrainer`, on the same pairs, model and settings.

#![allow(clippy::print_stdout, reason = "shown when a test fails, step by step")]

use std::path::Path;

use burn::backend::{Autodiff, Flex, NdArray};
use pref_train::{Means, TrainBackend};
use serde_json::{Map, Value};

use crate::common;

/// Largest allowed error of the loss in the first four steps, nats.
const TOLERANCE: f64 = 1e-3;

/// The start of the names of an adapter's tensors in its file.
const PEFT: &str = "base_model.model.";

/// The norms are rounded to six decimals.
const ROUNDING: f64 = 5e-7;

#[track_caller]
fn check<B: TrainBackend>(name: &str, model: &str, objective: &str) {
    let file = common::workspace("fixtures/trajectories").join(format!("{name}.json"));
    let pairs = common::workspace("fixtures/gsm8k").join(format!("{name}.jsonl"));
    let peer: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let setting = |key: &str| peer[key].to_string();
    let mut settings = vec![
        format!("model.path={}", common::model(model)),
        format!("data.train={}", pairs.display()),
        format!("data.max-length={}", setting("max_length")),
        "data.shuffle=false".to_owned(),
        format!("output.folder={}", run.display()),
        format!("objective={objective}"),
        format!("train.steps={}", setting("steps")),
        format!("train.batch-size={}", setting("per_device_batch")),
        format!(
            "train.gradient-accumulation={}",
            setting("gradient_accumulation")
        ),
        format!("train.learning-rate={}", setting("learning_rate")),
        format!("train.schedule={}", setting("scheduler")),
        format!("train.warmup-steps={}", setting("warmup_steps")),
        format!("train.weight-decay={}", setting("weight_decay")),
        format!("train.max-grad-norm={}", setting("max_grad_norm")),
        format!("train.adam-epsilon={}", setting("adam_eps")),
    ];
    if let Some(adapter) = peer["adapter"].as_str() {
        let adapter = common::workspace("fixtures/adapters").join(adapter);
        settings.push(format!("train.lora.adapter={}", adapter.display()));
    }
    let plan = common::plan(&settings);
    let (_, memory) = common::run::<B>(&plan, false).unwrap();

    let theirs = peer["trajectory"].as_array().unwrap();
    assert_eq!([memory.steps.len(), theirs.len()], [8, 8]);
    for (ours, theirs) in memory.steps.iter().zip(theirs) {
        let number = |key: &str| theirs[key].as_f64().unwrap();
        println!(
            "step {}: loss {:.6} / {:.6}, grad norm {:.4} / {:.4}",
            ours.step,
            ours.means.loss(),
            number("loss"),
            ours.grad_norm,
            number("grad_norm"),
        );
        let near = |what: &str, ours: f64, theirs: f64, allowed: f64| {
            let error = (ours - theirs).abs();
            assert!(error <= allowed, "{what}: {ours} is {error} from {theirs}");
        };
        near("rate", ours.learning_rate, number("learning_rate"), 1e-12);
        near("tokens", ours.num_tokens as f64, number("num_tokens"), 0.0);
        if ours.step <= 4 {
            // A squared loss of about 25 is compared relative to its size.
            let scale = number("loss").abs().max(1.0);
            near("loss", ours.means.loss(), number("loss"), TOLERANCE * scale);
            near(
                "norm",
                ours.grad_norm,
                number("grad_norm"),
                1e-2 * number("grad_norm"),
            );
            let pairs = match ours.means {
                Means::Pairs(pairs) => pairs,
                Means::Tokens(means) => {
                    // TRL averages the accuracies of micro-batches, and Pref counts all tokens of the step.
                    let theirs = number("mean_token_accuracy");
                    near("accuracy", means.mean_token_accuracy, theirs, 3e-4);
                    continue;
                }
                Means::Rewards(_) | Means::Segments(_) => panic!("{:?}", ours.means),
            };
            for (key, ours) in [
                ("logps/chosen", pairs.chosen_logps),
                ("logps/rejected", pairs.rejected_logps),
            ] {
                near(key, ours, number(key), 2e-2);
            }
            for (key, ours) in [
                ("rewards/chosen", pairs.chosen_rewards),
                ("rewards/rejected", pairs.rejected_rewards),
                ("rewards/margins", pairs.margins),
            ] {
                near(key, ours, number(key), 2e-3);
            }
        }
    }
    // The end of the run is compared too.
    let (ours, theirs) = (memory.steps.last().unwrap(), theirs.last().unwrap());
    let end = theirs["loss"].as_f64().unwrap();
    assert!(
        (ours.means.loss() - end).abs() <= 0.05 * end.max(1.0),
        "ends at {}, TRL at {end}",
        ours.means.loss()
    );
    if let Some(norms) = peer["final_norms"].as_object() {
        match peer["adapter"].is_string() {
            true => check_norms(&run.join("model/adapter_model.safetensors"), PEFT, norms),
            false => check_norms(&run.join("model/model.safetensors"), "", norms),
        }
    }
}

/// The Euclidean norm of every tensor after the last step, which shows which tensors decayed.
#[track_caller]
pub(crate) fn check_norms(file: &Path, prefix: &str, theirs: &Map<String, Value>) {
    let bytes = std::fs::read(file).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(tensors.len(), theirs.len());
    assert!(theirs.len() >= 12);
    for (name, norm) in theirs {
        let tensor = tensors.tensor(&format!("{prefix}{name}")).unwrap();
        assert_eq!(tensor.dtype(), safetensors::Dtype::F32);
        let (words, _) = tensor.data().as_chunks();
        let values = words
            .iter()
            .map(|&word| f64::from(f32::from_le_bytes(word)));
        let ours = values.map(|v| v * v).sum::<f64>().sqrt();
        let theirs = norm.as_f64().unwrap();
        let error = (ours - theirs).abs();
        assert!(
            error <= 1e-5 * theirs + ROUNDING,
            "{name}: norm {ours}, TRL's {theirs}"
        );
    }
}

const DPO: &str = r#"{ method = "dpo", beta = 0.1 }"#;
const IPO: &str = r#"{ method = "ipo", tau = 0.1, length_average = true }"#;
const SFT: &str = r#"{ method = "sft" }"#;

#[test]
fn dpo_on_llama_follows_trl_on_flex() {
    check::<Autodiff<Flex>>("dpo-llama", "llama", DPO);
}

#[test]
fn dpo_on_llama_follows_trl_on_ndarray() {
    check::<Autodiff<NdArray>>("dpo-llama", "llama", DPO);
}

#[test]
fn ipo_on_qwen2_follows_trl_on_flex() {
    check::<Autodiff<Flex>>("ipo-qwen2", "qwen2", IPO);
}

#[test]
fn ipo_on_qwen2_follows_trl_on_ndarray() {
    check::<Autodiff<NdArray>>("ipo-qwen2", "qwen2", IPO);
}

#[test]
fn dpo_with_weight_decay_follows_trl_on_flex() {
    check::<Autodiff<Flex>>("dpo-llama-decay", "llama", DPO);
}

#[test]
fn dpo_with_weight_decay_follows_trl_on_ndarray() {
    check::<Autodiff<NdArray>>("dpo-llama-decay", "llama", DPO);
}

#[test]
fn sft_on_llama_follows_trl_on_flex() {
    check::<Autodiff<Flex>>("sft-llama", "llama", SFT);
}

#[test]
fn sft_on_llama_follows_trl_on_ndarray() {
    check::<Autodiff<NdArray>>("sft-llama", "llama", SFT);
}

#[test]
fn dpo_of_an_adapter_follows_trl_on_flex() {
    check::<Autodiff<Flex>>("dpo-llama-lora", "llama", DPO);
}

#[test]
fn dpo_of_an_adapter_follows_trl_on_ndarray() {
    check::<Autodiff<NdArray>>("dpo-llama-lora", "llama", DPO);
}

#[test]
fn every_trajectory_is_repeated() {
    let entries = std::fs::read_dir(common::workspace("fixtures/trajectories")).unwrap();
    let name = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.unwrap().path();
        path.file_stem().unwrap().to_str().unwrap().to_owned()
    };
    let mut found: Vec<String> = entries.map(name).collect();
    found.sort();
    let mut known = vec![
        "dpo-llama",
        "dpo-llama-decay",
        "dpo-llama-lora",
        "ipo-qwen2",
        "sft-llama",
    ];
    known.sort_unstable();
    assert_eq!(found, known);
}
