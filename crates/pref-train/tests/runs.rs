//! Whole runs: resuming, references, metrics, and what stops a run.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod common;

use std::f64::consts::LN_2;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use burn::backend::{Autodiff, Flex, NdArray};
use pref_train::{Outcome, Plan, Record, TrainError};

type Cpu = Autodiff<Flex>;

fn settings(data: &Path, run: &Path, more: &[&str]) -> Vec<String> {
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

fn plan(data: &Path, run: &Path, more: &[&str]) -> Plan {
    common::plan(&settings(data, run, more))
}

fn weights(run: &Path) -> Vec<u8> {
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
fn what_the_reference_scored_before_a_stop_is_not_scored_again() {
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
            // with nothing left to score it stops before its first step
            Outcome::Interrupted { step, .. } => break assert_eq!(step, 0),
            Outcome::Finished { .. } => panic!("it was asked to stop"),
        }
    }
    // two pairs at a time; the last two end the work
    assert_eq!(scored, [2, 4, 6, 8]);
    common::run::<Cpu>(&plan, true).unwrap();
    assert_eq!(weights(&parts), weights(&whole));
    assert_eq!(common::metrics(&parts), common::metrics(&whole));
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

    // as if killed within step 6: the last checkpoint half written, the final weights not there
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
fn log_probs_of_the_reference_are_kept_and_read_again_while_they_hold() {
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
    assert!(!notes(&[]).contains(note), "half a file holds nothing");
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
        let loss = |r: &pref_train::StepRecord| r.pairs.loss;
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
fn chunks_of_positions_train_as_the_whole() {
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
            let steps = m
                .steps
                .iter()
                .flat_map(|s| [s.pairs.loss, s.pairs.margins, s.grad_norm]);
            steps.chain(m.evals.iter().map(|e| e.pairs.loss)).collect()
        };
        let (whole_values, chunked_values) = (values(&whole), values(&chunked));
        // four steps of three values, and an evaluation at both ends
        assert_eq!([whole_values.len(), chunked_values.len()], [14, 14]);
        for (a, b) in whole_values.iter().zip(chunked_values) {
            assert!((a - b).abs() < 1e-4 + 1e-4 * a.abs(), "{method}: {a} {b}");
        }
        if method.starts_with("tdpo") {
            // with policy = reference no distribution diverges from its like
            assert!((whole.steps[0].pairs.loss - std::f64::consts::LN_2).abs() < 1e-5);
        }
    }
}

/// TDPO1's margin is DPO's less `K_l − K_w`; at a step on which the divergences are not zero the
/// two must part.
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
    assert!((dpo.pairs.loss - tdpo.pairs.loss).abs() > 1e-4);
}

/// A row of a pair with everything that an objective may look at; token counts are the fixtures'
/// tokenizer's.
fn annotated(tokens: impl Fn(&str) -> usize) -> String {
    let text = ["2 + 2 = 4\n", "#### 4"];
    let wrong = ["2 + 2 is 5\n", "so it is\n", "#### 5"];
    let n = tokens(&text.concat());
    let m = tokens(&wrong.concat());
    serde_json::json!({
        "prompt": "What is 2 + 2?\n", "chosen": text.concat(), "rejected": wrong.concat(),
        "chosen_segments": text, "chosen_scores": [[4, 4, 4, 2, 3], [3, 4, 4, 4, 4]],
        "rejected_segments": wrong,
        "rejected_scores": [[0, 0, 4, 1, 3], [1, 2, 4, 1, 1], [0, 0, 4, 2, 2]],
        "chosen_weights": vec![1.5; n], "rejected_weights": vec![0.5; m],
        "rejected_importance": vec![0.25; m],
    })
    .to_string()
}

#[test]
fn every_pairwise_objective_trains_on_annotated_pairs() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("annotated.jsonl");
    let tokenizer = pref_data::Tokenizer::from_folder(Path::new(&common::model("llama"))).unwrap();
    let prompt = tokenizer.encode("What is 2 + 2?\n").unwrap().len();
    let row = annotated(|text| {
        let ids = tokenizer
            .encode(&format!("What is 2 + 2?\n{text}<|im_end|>"))
            .unwrap();
        ids.len() - prompt
    });
    std::fs::write(&data, format!("{row}\n{row}\n{row}\n")).unwrap();
    for (objective, first) in [
        (vec!["objective.method=dpo-bmc"], Some(LN_2)),
        (vec!["objective.method=orpo-bmc"], None),
        (vec!["objective.method=figa"], None),
        (
            vec!["objective.method=dpo-bmc", "data.diff=difflib"],
            Some(LN_2),
        ),
        (vec!["objective.method=cdpo"], Some(LN_2)),
        (vec!["objective.method=2d-dpo"], Some(2.0 * LN_2)),
        (
            vec![
                "objective.method=dpo",
                "objective.token_weights={kind = \"given\"}",
            ],
            Some(LN_2),
        ),
        (
            vec![
                "objective.method=hipo",
                "objective.part_weights={reasoning = 0.3, answer = 0.7}",
                "objective.response_weight=1.0",
            ],
            Some(2.0 * LN_2),
        ),
    ] {
        let run = folder
            .path()
            .join(objective.join("-").replace(['/', '"', ' '], "_"));
        let mut settings = objective.clone();
        settings.extend(["train.steps=3", "data.eval-fraction=0"]);
        let (_, memory) = common::run::<Cpu>(&plan(&data, &run, &settings), false).unwrap();
        let losses: Vec<f64> = memory.steps.iter().map(|s| s.pairs.loss).collect();
        if let Some(first) = first {
            assert!((losses[0] - first).abs() < 1e-4, "{objective:?} {losses:?}");
        }
        assert!(losses[2] < losses[0] - 1e-3, "{objective:?} {losses:?}");
    }
}

#[test]
fn what_a_row_lacks_is_said_before_the_first_step() {
    let folder = tempfile::tempdir().unwrap();
    let data = common::write_pairs(folder.path(), 10);
    let error = |objective: &str| {
        let run = folder.path().join("run");
        let error = common::run::<Cpu>(&plan(&data, &run, &[objective]), false).unwrap_err();
        error
            .to_string()
            .replace(&folder.path().display().to_string(), "[folder]")
    };
    insta::assert_snapshot!(
        [
            error("objective.method=2d-dpo"),
            error("objective.method=cadpo"),
            error("objective.token_weights={kind = \"given\"}"),
        ]
        .join("\n")
    );
}

#[test]
fn rows_that_are_no_pairs_are_passed_over_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    let data = common::write_pairs(folder.path(), 10);
    let mut text = std::fs::read_to_string(&data).unwrap();
    text.push_str("{\"prompt\": \"only\"}\nnot json\n");
    // ended by the tokenizer here, and by the text there: the same to a model
    text.push_str("{\"prompt\": \"Who?\", \"chosen\": \"me\", \"rejected\": \"me<|im_end|>\"}\n");
    std::fs::write(&data, text).unwrap();
    let run = folder.path().join("run");
    assert!(common::run::<Cpu>(&plan(&data, &run, &[]), false).is_err());
    let skip = plan(&data, &run, &["data.on-error=skip", "train.steps=1"]);
    let (_, memory) = common::run::<Cpu>(&skip, false).unwrap();
    assert!(
        memory
            .notes
            .iter()
            .any(|n| n.contains("3 rows passed over")),
        "{:?}",
        memory.notes
    );
    let rejects = std::fs::read_to_string(run.join("rejects.txt")).unwrap();
    let rejects = rejects.replace(&folder.path().display().to_string(), "[folder]");
    insta::assert_snapshot!(rejects);
}

#[test]
fn a_sum_trains_and_logs_its_first_term() {
    let folder = tempfile::tempdir().unwrap();
    let data = common::write_pairs(folder.path(), 10);
    let terms =
        r#"objective.terms=[{method = "dpo", weight = 0.5}, {method = "sft", weight = 0.1}]"#;
    let sum = plan(
        &data,
        &folder.path().join("sum"),
        &["objective.method=sum", terms],
    );
    let (_, memory) = common::run::<Cpu>(&sum, false).unwrap();
    let first = &memory.steps[0].pairs;
    // half of ln 2, and a tenth of about ln 512 a token
    assert!(first.loss > 0.7 && first.loss < 1.3, "{}", first.loss);
    // the policy has not moved; the reference was scored in other batches, so rounded otherwise
    assert!(first.chosen_kl.unwrap().abs() < 1e-4);
    let last = &memory.steps[5].pairs;
    assert!(last.chosen_kl.unwrap().abs() > 1e-2);
    assert!(
        (last.margins - 0.1 * (last.chosen_kl.unwrap() - last.rejected_kl.unwrap())).abs() < 1e-5
    );
    assert_eq!(last.granule_accuracies, last.accuracies);
}

#[test]
fn the_first_loss_is_ln_2_and_the_loss_falls() {
    let folder = tempfile::tempdir().unwrap();
    let data = common::write_pairs(folder.path(), 20);
    let run = folder.path().join("run");
    let plan = plan(&data, &run, &["train.steps=12", "train.log-every=1"]);
    let (outcome, memory) = common::run::<Autodiff<NdArray>>(&plan, false).unwrap();
    let first = memory.steps[0].pairs.loss;
    assert!((first - std::f64::consts::LN_2).abs() < 1e-5, "{first}");
    let Outcome::Finished { before, after, .. } = outcome else {
        panic!("it ran to its end");
    };
    let (before, after) = (before.unwrap(), after.unwrap());
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
    // 8 pairs in one batch, in 4 equal ones, and in unequal ones (3, 3, 2)
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
    assert!(matches!(common::metrics(&run)[1], Record::Step(ref r) if r.step == 2));
}

#[track_caller]
fn refused(plan: &Plan, resume: bool) -> TrainError {
    common::run::<Cpu>(plan, resume).expect_err("the run must not start")
}

#[test]
fn a_folder_with_a_run_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let data = common::write_pairs(folder.path(), 10);
    let run = folder.path().join("run");
    let first = plan(&data, &run, &["train.steps=1"]);
    common::run::<Cpu>(&first, false).unwrap();
    let error = refused(&first, false);
    assert!(
        error.to_string().contains("already holds a run at step 1"),
        "{error}"
    );

    let other = plan(&data, &run, &["train.steps=1", "objective.beta=0.5"]);
    let error = refused(&other, true);
    assert!(
        error.to_string().contains("objective.beta: 0.1 → 0.5"),
        "{error}"
    );
}

#[test]
fn resuming_nothing_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let data = common::write_pairs(folder.path(), 10);
    let error = refused(&plan(&data, &folder.path().join("run"), &[]), true);
    assert!(
        matches!(error, TrainError::NothingToResume { .. }),
        "{error}"
    );
}

#[test]
fn a_loss_that_is_no_number_stops_with_lines_and_a_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let data = common::write_pairs(folder.path(), 10);
    let run = folder.path().join("run");
    let wild = [
        "train.learning-rate=1e30",
        "train.max-grad-norm=0",
        "train.warmup-steps=0",
    ];
    let error = refused(&plan(&data, &run, &wild), false);
    let (TrainError::NotFinite {
        step,
        places,
        checkpoint,
        ..
    }
    | TrainError::NotFiniteGradient {
        step,
        places,
        checkpoint,
        ..
    }) = error
    else {
        panic!("{error}");
    };
    assert_eq!(step, 2);
    assert!(!places.is_empty());
    for place in places {
        assert!((1..=10).contains(&place.line));
        assert_eq!(place.file.as_deref(), Some(data.as_path()));
    }
    assert!(checkpoint.ends_with("step-000001"));
    assert!(checkpoint.join("model.safetensors").is_file());
}

#[test]
fn limits_longer_than_the_model_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data = common::write_pairs(folder.path(), 10);
    let long = plan(
        &data,
        &folder.path().join("run"),
        &["data.max-length=100000"],
    );
    let error = refused(&long, false);
    assert!(error.to_string().contains("512 positions"), "{error}");
}

#[test]
fn every_method_that_needs_nothing_but_pairs_trains() {
    let folder = tempfile::tempdir().unwrap();
    let data = common::write_pairs(folder.path(), 10);
    for method in pref_core::Method::ALL {
        let Ok(config) = pref_core::ObjectiveConfig::preset(method.name()) else {
            continue;
        };
        let mut needs = config.needs();
        needs.reference = false;
        if !needs.names().is_empty() {
            continue;
        }
        let run = folder.path().join(method.name());
        let settings = [
            &format!("objective.method={}", method.name()),
            "train.batch-size=10",
            "train.schedule=constant",
            "train.steps=8",
            "train.save-every=0",
        ];
        let (_, memory) = common::run::<Cpu>(&plan(&data, &run, &settings), false).unwrap();
        let loss = |i: usize| memory.steps[i].pairs.loss;
        assert!(
            loss(7) < loss(0),
            "{}: {} to {}",
            method.name(),
            loss(0),
            loss(7)
        );
    }
}
