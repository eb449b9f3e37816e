//! Resumed runs of every optimiser.

use std::fs;

use super::{Bench, Cpu, weights};
use crate::common;

const GROUPS: &str = r#"train.groups=[{match = "*layers.0.*", learning-rate-factor = 0.5}, {match = "*norm*", weight-decay = 0.1}]"#;

#[track_caller]
fn resumes_to_the_same_bytes(more: &[&str]) -> Bench {
    let bench = Bench::new();
    let (whole, metrics) = bench.undisturbed(more);
    let plan = bench.plan("run", more);
    bench.two_steps(&plan);
    common::run::<Cpu>(&plan, true).unwrap();
    assert_eq!(weights(&bench.path("run")), whole);
    assert_eq!(common::metrics(&bench.path("run")), metrics);
    bench
}

#[test]
fn every_optimiser_resumes_to_the_same_bytes() {
    resumes_to_the_same_bytes(&["train.optimizer=adam", "train.weight-decay=0.1", GROUPS]);
    resumes_to_the_same_bytes(&["train.optimizer=sgd"]);
    resumes_to_the_same_bytes(&["train.optimizer=sgd", "train.momentum=0.9"]);
    let bench = resumes_to_the_same_bytes(&["train.optimizer=muon"]);

    // Muon has one moment of a matrix, and AdamW two of the others.
    let checkpoint = bench.path("run/checkpoints/step-000002");
    let bytes = fs::read(checkpoint.join("optimizer.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let names = file.names();
    let has = |name: &str| names.iter().any(|n| **n == *name);
    assert!(has("first.model.layers.0.mlp.up_proj.weight"), "{names:?}");
    assert!(!has("second.model.layers.0.mlp.up_proj.weight"));
    assert!(has("second.model.embed_tokens.weight"));
    assert!(has("second.lm_head.weight"));
    assert!(has("second.model.norm.weight"));
}

/// A checkpoint of another optimiser is damaged for this one, and the error names a parameter.
#[test]
fn the_state_of_another_optimiser_is_refused() {
    let bench = Bench::new();
    let plan = bench.plan("run", &["train.optimizer=sgd"]);
    bench.two_steps(&plan);
    let path = bench.path("run/plan.toml");
    let text = fs::read_to_string(&path).unwrap();
    let error = common::run::<Cpu>(&bench.plan("run", &[]), true).unwrap_err();
    assert!(error.to_string().contains("train.optimizer"), "{error}");
    fs::write(&path, text.replace("\"sgd\"", "\"adamw\"")).unwrap();
    // The state before the first step fits every optimiser.
    let (_, memory) = common::run::<Cpu>(&bench.plan("run", &[]), true).unwrap();
    let notes = memory.notes.join("\n");
    assert!(
        notes.contains("step-000002: it has no moments of `lm_head.weight`"),
        "{notes}"
    );
    assert!(notes.contains("resumed after step 0"), "{notes}");
}
