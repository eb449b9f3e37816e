//! Whole runs: resuming, accumulation and metrics; references, objectives and refusals in their own files.

mod objectives;
mod references;
mod refusals;

use std::f64::consts::LN_2;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use burn::backend::{Autodiff, Flex, NdArray};
use pref_train::{MetricsLine, Outcome, Plan, TrainError};

use crate::common;

type Cpu = Autodiff<Flex>;

pub(crate) fn settings(data: &Path, run: &Path, more: &[&str]) -> Vec<String> {
    let mut all = vec![
        format!("model.path={}", common::model("llama")),
        format!("data.train={}", data.display()),
        "data.max-length=128".to_owned(),
        "data.eval-fraction=0.2".to_owned(),
        format!("output.folder={}", run.display()),
        "train.batch-size=2".to_owned(),
        "train.learning-rate=1e-3".to_owned(),
        "train.steps=6".to_owned(),
        "train.save-every=1".to_owned(),
        "train.warmup-steps=1".to_owned(),
    ];
    all.extend(more.iter().map(|&s| s.to_owned()));
    all
}

pub(crate) fn plan(data: &Path, run: &Path, more: &[&str]) -> Plan {
    common::plan(&settings(data, run, more))
}

pub(crate) fn weights(run: &Path) -> Vec<u8> {
    std::fs::read(run.join("model/model.safetensors")).unwrap()
}

#[test]
fn a_run_stopped_after_any_step_and_resumed_ends_with_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let data = common::write_pairs(folder.path(), 10);
    let whole = folder.path().join("whole");
    common::run::<Cpu>(&plan(&data, &whole, &[]), false).unwrap();

    for step in [1, 3, 5] {
        let parts = folder.path().join(format!("parts-{step}"));
        let plan = plan(&data, &parts, &[]);
        let stop = AtomicBool::new(false);
        let mut tracker = common::StopAfter { step, stop: &stop };
        let outcome =
            pref_train::train::<Cpu>(&plan, false, &Default::default(), &mut tracker, &stop);
        assert!(matches!(outcome.unwrap(), Outcome::Interrupted { step: s, .. } if s == step));
        common::run::<Cpu>(&plan, true).unwrap();
        assert_eq!(
            weights(&parts),
            weights(&whole),
            "stopped after step {step}"
        );
        assert_eq!(common::metrics(&parts), common::metrics(&whole));
    }
}

#[test]
fn a_run_that_lost_its_last_steps_redoes_them() {
    let folder = tempfile::tempdir().unwrap();
    let data = common::write_pairs(folder.path(), 10);
    let run = folder.path().join("run");
    let plan = plan(
        &data,
        &run,
        &["train.save-every=2", "output.keep-checkpoints=0"],
    );
    common::run::<Cpu>(&plan, false).unwrap();
    let (bytes, lines) = (weights(&run), common::metrics(&run));

    // The state after a kill in step 6: the last checkpoint is half written, and the final weights are missing.
    std::fs::remove_dir_all(run.join("model")).unwrap();
    let last = run.join("checkpoints/step-000006");
    std::fs::write(last.join("state.json"), "{\"step\": 6, ").unwrap();
    let (_, memory) = common::run::<Cpu>(&plan, true).unwrap();
    assert!(
        memory
            .notes
            .iter()
            .any(|n| n.contains("damaged checkpoint"))
    );
    assert!(memory.notes.iter().any(|n| n == "resumed after step 4"));
    assert_eq!(weights(&run), bytes);
    assert_eq!(common::metrics(&run), lines);
}

#[test]
fn the_first_loss_is_ln_2_and_the_loss_falls() {
    let folder = tempfile::tempdir().unwrap();
    let data = common::write_pairs(folder.path(), 20);
    let run = folder.path().join("run");
    let plan = plan(&data, &run, &["train.steps=12", "train.log-every=1"]);
    let (outcome, memory) = common::run::<Autodiff<NdArray>>(&plan, false).unwrap();
    let first = memory.steps[0].means.loss();
    assert!((first - std::f64::consts::LN_2).abs() < 1e-5, "{first}");
    let Outcome::Finished { before, after, .. } = outcome else {
        panic!("it ran to its end");
    };
    let [before, after] = [before, after].map(|means| *means.unwrap().pairs().unwrap());
    assert!(after.loss < before.loss - 0.1);
    assert!(after.accuracies > 0.9);
}

#[test]
fn accumulation_weighs_every_pair_alike() {
    let folder = tempfile::tempdir().unwrap();
    let data = common::write_pairs(folder.path(), 10);
    let first = |name: &str, batch: &str, accumulation: &str| {
        let run = folder.path().join(name);
        let plan = plan(&data, &run, &[batch, accumulation, "train.steps=1"]);
        common::run::<Cpu>(&plan, false).unwrap().1.steps.remove(0)
    };
    // 8 pairs in one batch, in 4 equal batches, and in unequal ones (3, 3, 2).
    let whole = first("a", "train.batch-size=8", "train.gradient-accumulation=1");
    let equal = first("b", "train.batch-size=2", "train.gradient-accumulation=4");
    let unequal = first("c", "train.batch-size=3", "train.gradient-accumulation=3");
    for other in [equal, unequal] {
        let relative = (other.grad_norm - whole.grad_norm).abs() / whole.grad_norm;
        assert!(relative < 1e-4, "{} {}", other.grad_norm, whole.grad_norm);
    }
}

#[test]
fn metrics_have_trl_names() {
    let folder = tempfile::tempdir().unwrap();
    let data = common::write_pairs(folder.path(), 10);
    let run = folder.path().join("run");
    let plan = plan(&data, &run, &["train.steps=2", "train.log-every=2"]);
    common::run::<Cpu>(&plan, false).unwrap();
    let text = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let keys: Vec<Vec<String>> = text
        .lines()
        .map(|line| {
            let object: serde_json::Map<String, serde_json::Value> =
                serde_json::from_str(line).unwrap();
            object.keys().cloned().collect()
        })
        .collect();
    insta::assert_debug_snapshot!(keys);
    assert!(matches!(common::metrics(&run)[1], MetricsLine::Step(ref r) if r.step == 2));
}
