//! Resumed runs that train an adapter, or only some of the weights.

use std::fs;
use std::path::Path;

use pref_train::TrainError;

use super::{Bench, Cpu, weights};
use crate::common;

const LORA: [&str; 4] = [
    "train.lora.rank=4",
    "train.lora.dropout=0.2",
    "train.lora.dora=true",
    "train.gradient-accumulation=2",
];

fn adapter(run: &Path) -> Vec<u8> {
    fs::read(run.join("model/adapter_model.safetensors")).unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn an_adapter_with_dropout_resumes_to_the_same_bytes() {
    let bench = Bench::new();
    common::run::<Cpu>(&bench.plan("whole", &LORA), false).unwrap();
    let plan = bench.plan("run", &LORA);
    bench.two_steps(&plan);
    common::run::<Cpu>(&plan, true).unwrap();
    let [whole, run] = ["whole", "run"].map(|name| bench.path(name));
    assert_eq!(adapter(&whole), adapter(&run));
    assert_eq!(common::metrics(&whole), common::metrics(&run));
    // Neither the result nor a checkpoint has the weights of the base.
    let step = names(&run.join("checkpoints/step-000003"));
    for folder in [names(&run.join("model")), step] {
        assert!(folder.contains(&"adapter_config.json".into()), "{folder:?}");
        assert!(!folder.contains(&"model.safetensors".into()), "{folder:?}");
    }
    // Another seed draws another adapter and other dropout.
    let mut other = LORA.to_vec();
    other.push("train.seed=43");
    common::run::<Cpu>(&bench.plan("other", &other), false).unwrap();
    assert_ne!(adapter(&whole), adapter(&bench.path("other")));
}

#[test]
fn an_adapter_that_a_run_started_from_must_stay_the_same() {
    let bench = Bench::new();
    let start = bench.path("start");
    fs::create_dir(&start).unwrap();
    let fixture = common::workspace("fixtures/adapters/lora");
    for file in ["adapter_config.json", "adapter_model.safetensors"] {
        fs::write(start.join(file), fs::read(fixture.join(file)).unwrap()).unwrap();
    }
    let setting = format!("train.lora.adapter={}", start.display());
    let plan = bench.plan("run", &[&setting]);
    bench.two_steps(&plan);
    let moved = bench.path("moved");
    fs::rename(&start, &moved).unwrap();
    let path = moved.join("adapter_model.safetensors");
    let bytes = fs::read(&path).unwrap();
    let mut changed = bytes.clone();
    let last = changed.len() - 4;
    changed[last] ^= 1;
    let setting = format!("train.lora.adapter={}", moved.display());
    let plan = bench.plan("run", &[&setting]);
    fs::write(&path, changed).unwrap();
    let error = common::run::<Cpu>(&plan, true).unwrap_err();
    assert!(matches!(error, TrainError::OtherInputs { .. }), "{error}");
    let message = error.to_string();
    assert!(
        message.contains("the adapter of train.lora.adapter (then 2 files"),
        "{message}"
    );
    fs::write(&path, bytes).unwrap();
    common::run::<Cpu>(&plan, true).unwrap();
}

#[test]
fn frozen_weights_keep_their_bits_and_have_no_moments() {
    let bench = Bench::new();
    let freeze = [r#"train.freeze=["model.embed_tokens.*", "*.layers.[0-1].*"]"#];
    let (whole, metrics) = bench.undisturbed(&freeze);
    let plan = bench.plan("run", &freeze);
    bench.two_steps(&plan);
    common::run::<Cpu>(&plan, true).unwrap();
    assert_eq!(weights(&bench.path("run")), whole);
    assert_eq!(common::metrics(&bench.path("run")), metrics);

    let read = |path: &str| fs::read(bench.path(path)).unwrap();
    let before = read("base/model.safetensors");
    let moments = read("run/checkpoints/step-000004/optimizer.safetensors");
    let [before, after, moments] = [&before, &whole, &moments]
        .map(|bytes| safetensors::SafeTensors::deserialize(bytes).unwrap());
    let mut n_frozen = 0;
    for (name, tensor) in before.tensors() {
        let is_frozen = name.contains("embed") || name.contains("s.0.") || name.contains("s.1.");
        let is_same = after.tensor(&name).unwrap().data() == tensor.data();
        assert_eq!(is_same, is_frozen, "{name}");
        let has_moments = moments.tensor(&format!("first.{name}")).is_ok();
        assert_eq!(has_moments, !is_frozen, "{name}");
        n_frozen += usize::from(is_frozen);
    }
    assert_eq!((before.len(), n_frozen), (30, 19));
}
