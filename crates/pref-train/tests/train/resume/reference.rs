//! Resumed runs whose reference follows the policy.

use std::fs;

use super::{Bench, Cpu, weights};
use crate::common;

const SYNC: [&str; 3] = [
    "model.sync-reference=true",
    "model.sync-every=2",
    "train.eval-every=2",
];

#[test]
fn a_reference_that_follows_the_policy_resumes_to_the_same_bytes() {
    let bench = Bench::new();
    let (whole, metrics) = bench.undisturbed(&SYNC);
    let plan = bench.plan("run", &SYNC);
    bench.two_steps(&plan);
    let reference = |step: usize| {
        let path = format!("run/checkpoints/step-{step:06}/reference/model.safetensors");
        fs::read(bench.path(&path)).unwrap()
    };
    assert_eq!(reference(0), reference(1));
    assert_ne!(reference(1), reference(2));
    common::run::<Cpu>(&plan, true).unwrap();
    assert_eq!(weights(&bench.path("run")), whole);
    assert_eq!(common::metrics(&bench.path("run")), metrics);

    let fixed = bench.plan(
        "fixed",
        &["model.reference=frozen-copy", "train.eval-every=2"],
    );
    common::run::<Cpu>(&fixed, false).unwrap();
    assert_ne!(common::metrics(&bench.path("fixed")), metrics);
}

#[test]
fn a_checkpoint_with_a_damaged_reference_is_skipped() {
    let bench = Bench::new();
    let plan = bench.plan("run", &SYNC);
    bench.two_steps(&plan);
    let path = bench.path("run/checkpoints/step-000002/reference/model.safetensors");
    let mut bytes = fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&path, bytes).unwrap();
    let (_, memory) = common::run::<Cpu>(&plan, true).unwrap();
    let notes = memory.notes.join("\n");
    assert!(notes.contains("skipped a damaged checkpoint"), "{notes}");
    assert!(notes.contains("resumed after step 1"), "{notes}");
}
