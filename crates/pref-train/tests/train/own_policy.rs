//! A Burn module that Pref does not know trains, is evaluated, resumes and is saved, as the example in the
//! documentation shows.

#[allow(dead_code, reason = "the test calls `run` and not `main`")]
#[path = "../../examples/own_policy.rs"]
mod example;

use std::path::Path;

use pref_train::{MetricsLine, Outcome, Settings};

use crate::common;

/// Seed of the weights before training.
const SEED: u64 = 7;

fn settings(data: &Path, run: &Path, more: &[&str]) -> Settings {
    let mut settings = Settings::default();
    for pair in [
        &format!("model.path={}", common::model("llama")),
        &format!("data.train={}", data.display()),
        &format!("output.folder={}", run.display()),
        "data.max-length=128",
        "data.eval-fraction=0.2",
        "train.batch-size=4",
        "train.learning-rate=1e-2",
        "train.steps=8",
        "train.save-every=3",
        "output.keep-checkpoints=0",
    ]
    .into_iter()
    .chain(more.iter().copied())
    {
        settings.set(pair).unwrap();
    }
    settings
}

fn weights(run: &Path) -> Vec<u8> {
    std::fs::read(run.join("model/model.safetensors")).unwrap()
}

#[test]
fn another_model_learns_resumes_to_the_same_bytes_and_is_saved() {
    let folder = tempfile::tempdir().unwrap();
    let data = common::write_pairs(folder.path(), 20);
    let whole = folder.path().join("whole");
    let outcome = example::run(settings(&data, &whole, &[]), SEED, false).unwrap();
    let Outcome::Finished { before, after, .. } = outcome else {
        panic!("the run was not stopped");
    };
    let [before, after] = [before, after].map(|means| *means.unwrap().pairs().unwrap());
    assert_eq!(before.margins, 0.0, "the policy begins as its reference");
    assert!(after.loss < before.loss, "{before:?} {after:?}");
    assert!(after.margins > 0.0, "{after:?}");

    // A run that lost its newest checkpoints resumes from an earlier one, and ends with the same bytes.
    let parts = folder.path().join("parts");
    example::run(settings(&data, &parts, &[]), SEED, false).unwrap();
    for step in [6, 8] {
        let name = format!("checkpoints/step-{step:06}");
        std::fs::remove_dir_all(parts.join(name)).unwrap();
    }
    example::run(settings(&data, &parts, &[]), SEED, true).unwrap();
    assert_eq!(weights(&parts), weights(&whole));
    let steps = common::metrics(&parts).into_iter();
    let steps = steps.filter(|record| matches!(record, MetricsLine::Step(_)));
    assert_eq!(steps.count(), 8);
}

#[test]
fn the_reference_is_the_same_precomputed_and_as_a_frozen_copy() {
    let folder = tempfile::tempdir().unwrap();
    let data = common::write_pairs(folder.path(), 12);
    let runs = ["precomputed", "frozen-copy"].map(|kind| {
        let run = folder.path().join(kind);
        let reference = format!("model.reference={kind}");
        example::run(settings(&data, &run, &[&reference]), SEED, false).unwrap();
        weights(&run)
    });
    assert_eq!(runs[0], runs[1]);
}

#[test]
fn shared_prompts_are_refused_for_a_model_that_cannot_compute_them() {
    let folder = tempfile::tempdir().unwrap();
    let data = common::write_pairs(folder.path(), 12);
    let run = folder.path().join("run");
    let shared = settings(&data, &run, &["train.share-prompts=true"]);
    let error = example::run(shared, SEED, false).unwrap_err().to_string();
    assert!(error.contains("train.share-prompts"), "{error}");
    assert!(!run.exists(), "nothing was written");
}

#[test]
fn a_run_does_not_resume_with_another_initial_policy() {
    let folder = tempfile::tempdir().unwrap();
    let data = common::write_pairs(folder.path(), 12);
    let run = folder.path().join("run");
    example::run(settings(&data, &run, &[]), SEED, false).unwrap();
    let error = example::run(settings(&data, &run, &[]), SEED + 1, true).unwrap_err();
    let error = error.to_string();
    assert!(error.contains("began with other inputs"), "{error}");
}
