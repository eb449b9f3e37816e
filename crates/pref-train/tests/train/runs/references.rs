//! References: precomputed, frozen and as a divergence, and the memory-saving paths beside them.

use super::*;

#[test]
fn pairs_that_were_scored_before_a_stop_are_not_scored_again() {
    let folder = tempfile::tempdir().unwrap();
    let data = common::write_pairs(folder.path(), 10);
    let whole = folder.path().join("whole");
    common::run::<Cpu>(&plan(&data, &whole, &[]), false).unwrap();

    let parts = folder.path().join("parts");
    let plan = plan(&data, &parts, &[]);
    let mut scored = Vec::new();
    loop {
        let stop = AtomicBool::new(false);
        let mut tracker = common::StopAfter {
            step: 0,
            stop: &stop,
        };
        let outcome =
            pref_train::train::<Cpu>(&plan, false, &Default::default(), &mut tracker, &stop);
        match outcome.unwrap() {
            Outcome::Unstarted { scored: n, of } => {
                assert_eq!(of, 10);
                scored.push(n);
            }
            // When nothing is left to score, the run stops before its first step.
            Outcome::Interrupted { step, .. } => break assert_eq!(step, 0),
            Outcome::Finished { .. } => panic!("it was asked to stop"),
        }
    }
    // Two pairs are scored at a time; the last two complete the file.
    assert_eq!(scored, [2, 4, 6, 8]);
    common::run::<Cpu>(&plan, true).unwrap();
    assert_eq!(weights(&parts), weights(&whole));
    assert_eq!(common::metrics(&parts), common::metrics(&whole));
}

#[test]
fn reference_log_probs_are_read_again_if_they_are_undamaged_and_the_pairs_are_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let data = common::write_pairs(folder.path(), 10);
    let run = folder.path().join("run");
    let (file, note) = (
        run.join("reference.safetensors"),
        "reference log-probs read",
    );
    let notes = |more: &[&str]| {
        for name in ["checkpoints", "model"] {
            let _ = std::fs::remove_dir_all(run.join(name));
        }
        let (_, memory) = common::run::<Cpu>(&plan(&data, &run, more), false).unwrap();
        memory.notes.join("\n")
    };
    assert!(!notes(&[]).contains(note));
    let bytes = std::fs::read(&file).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    for (name, some) in [("train", true), ("eval", true), ("empty", false)] {
        let values = tensors.tensor(&format!("{name}.rejected")).unwrap();
        assert_eq!(values.shape()[0] > 0, some);
        for &word in values.data().as_chunks().0 {
            assert!(f32::from_le_bytes(word) < 0.0, "a log-prob for every token");
        }
    }

    assert!(notes(&[]).contains(note));
    std::fs::write(&file, &bytes[..bytes.len() - 1]).unwrap();
    assert!(!notes(&[]).contains(note), "an incomplete file is not read");
    assert_eq!(std::fs::read(&file).unwrap(), bytes);
    assert!(!notes(&["data.rows=[0, 9]"]).contains(note), "other pairs");
}

#[test]
fn precomputed_and_frozen_references_train_alike() {
    let folder = tempfile::tempdir().unwrap();
    let data = common::write_pairs(folder.path(), 10);
    let losses = |name: &str, kind: &str| {
        let run = folder.path().join(name);
        let (_, memory) = common::run::<Cpu>(&plan(&data, &run, &[kind]), false).unwrap();
        let loss = |r: &pref_train::StepRecord| r.means.loss();
        memory.steps.iter().map(loss).collect::<Vec<_>>()
    };
    let precomputed = losses("a", "model.reference=precomputed");
    let frozen = losses("b", "model.reference=frozen-copy");
    assert_eq!([precomputed.len(), frozen.len()], [6, 6]);
    for (a, b) in precomputed.iter().zip(&frozen) {
        assert!((a - b).abs() < 1e-4, "{precomputed:?} {frozen:?}");
    }
}

#[test]
fn chunks_of_positions_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let data = common::write_pairs(folder.path(), 10);
    for (method, more) in [
        ("dpo", None),
        ("simpo", None),
        ("tdpo1", None),
        ("tdpo2", Some("model.reference=frozen-copy")),
    ] {
        let steps = |chunk: usize| {
            let run = folder.path().join(format!("{method}-{chunk}"));
            let (method, chunk) = (
                format!("objective.method={method}"),
                format!("train.vocab-chunk={chunk}"),
            );
            let mut settings = vec![method.as_str(), chunk.as_str(), "train.steps=4"];
            settings.extend(more);
            common::run::<Cpu>(&plan(&data, &run, &settings), false)
                .unwrap()
                .1
        };
        let whole = steps(0);
        let chunked = steps(7);
        let values = |m: &common::Memory| -> Vec<f64> {
            let steps = m.steps.iter().flat_map(|s| {
                [
                    s.means.loss(),
                    s.means.pairs().unwrap().margins,
                    s.grad_norm,
                ]
            });
            steps
                .chain(m.evals.iter().map(|e| e.means.loss()))
                .collect()
        };
        let (whole_values, chunked_values) = (values(&whole), values(&chunked));
        // Four steps of three values, and an evaluation before and after.
        assert_eq!([whole_values.len(), chunked_values.len()], [14, 14]);
        for (a, b) in whole_values.iter().zip(chunked_values) {
            assert!((a - b).abs() < 1e-4 + 1e-4 * a.abs(), "{method}: {a} {b}");
        }
        if method.starts_with("tdpo") {
            // While policy and reference are equal, their divergence is 0.
            assert!((whole.steps[0].means.loss() - std::f64::consts::LN_2).abs() < 1e-5);
        }
    }
}

/// TDPO1's margin is DPO's margin minus `K_l − K_w`, so the losses must differ once the divergences are not
/// zero.
#[test]
fn the_divergence_enters_the_loss() {
    let folder = tempfile::tempdir().unwrap();
    let data = common::write_pairs(folder.path(), 10);
    let last = |method: &str| {
        let method = format!("objective.method={method}");
        let run = folder.path().join(&method);
        let plan = plan(&data, &run, &[&method, "train.steps=4"]);
        common::run::<Cpu>(&plan, false).unwrap().1.steps.remove(3)
    };
    let (dpo, tdpo) = (last("dpo"), last("tdpo1"));
    assert!((dpo.means.loss() - tdpo.means.loss()).abs() > 1e-4);
}
