//! Runs on single answers (kto), and on a mixture of two sets of pairs (bvpo).

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use burn::backend::{Autodiff, Flex};
use common::Memory;
use pref_train::{PairMeans, TrainError};
use serde_json::json;

use crate::common;

type Cpu = Autodiff<Flex>;

fn settings(data: &Path, run: &Path, more: &[&str]) -> Vec<String> {
    let mut settings = vec![
        format!("model.path={}", common::model("llama")),
        format!("data.train={}", data.display()),
        format!("output.folder={}", run.display()),
        "data.max-length=128".to_owned(),
        "train.learning-rate=1e-3".to_owned(),
        "train.steps=3".to_owned(),
        "train.batch-size=4".to_owned(),
        "train.eval-every=2".to_owned(),
    ];
    settings.extend(more.iter().map(|&s| s.to_owned()));
    settings
}

fn try_run(data: &Path, run: &Path, more: &[&str]) -> Result<Memory, TrainError> {
    Ok(common::run::<Cpu>(&common::plan(&settings(data, run, more)), false)?.1)
}

fn run(data: &Path, run: &Path, more: &[&str]) -> Memory {
    try_run(data, run, more).unwrap()
}

/// All means except accuracies, which depend on rounding if the rewards are zero.
fn figures(means: &PairMeans) -> Vec<f64> {
    let mut all = vec![
        means.loss,
        means.chosen_rewards,
        means.rejected_rewards,
        means.chosen_logps,
        means.rejected_logps,
    ];
    all.extend(
        [means.chosen_kl, means.rejected_kl, means.reference_point]
            .into_iter()
            .flatten(),
    );
    all
}

#[track_caller]
fn close(a: &Memory, b: &Memory) {
    assert_eq!(a.steps.len(), b.steps.len());
    assert!(!a.steps.is_empty());
    for (a, b) in a.steps.iter().zip(&b.steps) {
        assert!((a.grad_norm - b.grad_norm).abs() < 1e-3 * a.grad_norm.max(1.0));
        near(
            &figures(a.means.pairs().unwrap()),
            &figures(b.means.pairs().unwrap()),
        );
    }
}

#[track_caller]
fn near(a: &[f64], b: &[f64]) {
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(b) {
        assert!((a - b).abs() < 2e-4 * a.abs().max(1.0), "{a} {b}");
    }
}

/// Single answers to different prompts, right ones and wrong ones.
fn write_answers(folder: &Path, n: usize) -> PathBuf {
    let path = folder.join("answers.jsonl");
    let line = |i: usize| {
        let (a, b, is_right) = (3 + i * 7 % 11, 2 + i * 5 % 13, !i.is_multiple_of(3));
        let sum = a + b + usize::from(!is_right);
        json!({
            "prompt": format!("Question: what is {a} plus {b}?\nAnswer:"),
            "completion": format!(" {a} + {b} = {sum}\nA: {sum}"),
            "label": is_right,
        })
        .to_string()
    };
    let lines: Vec<String> = (0..n).map(line).collect();
    std::fs::write(&path, lines.join("\n") + "\n").unwrap();
    path
}

#[test]
fn single_answers_train() {
    let folder = tempfile::tempdir().unwrap();
    let data = write_answers(folder.path(), 12);
    let settings = [
        "objective.method=kto",
        "data.eval-fraction=0.3",
        "train.steps=8",
        "objective.beta=0.5",
    ];
    let memory = run(&data, &folder.path().join("run"), &settings);
    let first = memory.steps[0].means.pairs().unwrap();
    // The policy equals its reference, so every reward is 0, and σ(0) is 0.5.
    assert!((first.loss - 0.5).abs() < 1e-5, "{}", first.loss);
    assert!(first.reference_point.unwrap() < 1e-4);
    let last = memory.evals.last().unwrap();
    assert_eq!(last.eval_pairs, 4);
    let (before, after) = (
        memory.evals[0].means.pairs().unwrap(),
        last.means.pairs().unwrap(),
    );
    assert!(before.margins.abs() < 1e-4);
    let trained = memory.steps.last().unwrap().means.pairs().unwrap();
    assert!(trained.margins > 0.05, "{trained:?}");
    assert!(after.loss.is_finite() && after.reference_point.is_some());
}

#[test]
fn the_division_of_a_step_changes_nothing_for_single_answers() {
    let folder = tempfile::tempdir().unwrap();
    let data = write_answers(folder.path(), 9);
    let path = |name: &str| folder.path().join(name);
    let whole = run(&data, &path("whole"), &["objective.method=kto"]);
    for (name, more) in [
        // With micro-batches of one row, the reference point is still computed from the whole step.
        (
            "parts",
            &["train.batch-size=1", "train.gradient-accumulation=4"][..],
        ),
        ("chunks", &["train.vocab-chunk=7"]),
        ("frozen", &["model.reference=frozen-copy"]),
    ] {
        let mut settings = vec!["objective.method=kto"];
        settings.extend(more);
        close(&whole, &run(&data, &path(name), &settings));
    }
}

#[test]
fn pairs_are_two_single_answers_that_stay_together() {
    let folder = tempfile::tempdir().unwrap();
    let data = common::write_pairs(folder.path(), 10);
    let settings = ["objective.method=kto", "data.eval-fraction=0.2"];
    let memory = run(&data, &folder.path().join("run"), &settings);
    assert_eq!(memory.evals[0].eval_pairs, 4);
    assert!(memory.notes.iter().any(|note| note.contains("20 rows")));
}

/// Every answer, desirable or not, is the mismatched answer of another prompt once, so both columns hold the
/// same number of tokens.
#[test]
fn every_answer_is_mismatched_once() {
    let folder = tempfile::tempdir().unwrap();
    let data = common::write_pairs(folder.path(), 10);
    let path = folder.path().join("run");
    run(&data, &path, &["objective.method=kto", "train.steps=1"]);
    let bytes = std::fs::read(path.join("reference.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let n_tokens = |name: &str| tensors.tensor(name).unwrap().shape()[0];
    assert!(n_tokens("train.completion") > 200);
    assert_eq!(n_tokens("train.mismatched"), n_tokens("train.completion"));
}

#[test]
fn a_range_counts_rows_of_the_file_and_not_answers() {
    let folder = tempfile::tempdir().unwrap();
    let data = common::write_pairs(folder.path(), 10);
    let path = |name: &str| folder.path().join(name);
    let memory = run(
        &data,
        &path("last"),
        &["objective.method=kto", "data.rows=[7, 10]"],
    );
    // Three pairs are six answers.
    assert!(memory.notes.iter().any(|note| note.contains("6 rows")));
    let beyond = ["objective.method=kto", "data.rows=[7, 11]"];
    let error = try_run(&data, &path("beyond"), &beyond).unwrap_err();
    assert!(matches!(error, TrainError::Rows { n: 10, .. }), "{error}");
}

#[test]
fn pairs_of_one_prompt_are_held_out_together() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("pairs.jsonl");
    let row = |i: usize| {
        let row = serde_json::json!({"prompt": format!("What is {}?", i % 5), "chosen": format!("good {i}"), "rejected": format!("bad {i}")});
        row.to_string()
    };
    let rows: Vec<String> = (0..15).map(row).collect();
    std::fs::write(&data, rows.join("\n")).unwrap();
    let settings = ["data.eval-fraction=0.25", "train.steps=1"];
    let memory = run(&data, &folder.path().join("run"), &settings);
    // A quarter of 15 pairs is about four, but each prompt has three pairs, which stay together.
    assert_eq!(memory.evals[0].eval_pairs, 3);
    std::fs::write(&data, [row(0), row(5)].join("\n")).unwrap();
    let error = try_run(&data, &folder.path().join("one"), &settings).unwrap_err();
    assert!(
        error.to_string().contains("all rows have the same prompt"),
        "{error}"
    );
}

#[test]
fn runs_on_other_sets_resume_to_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let pairs = common::write_pairs(folder.path(), 10);
    let answers = write_answers(folder.path(), 10);
    let empty = format!("data.empty={}", pairs.display());
    for (data, more) in [
        (&answers, vec!["objective.method=kto"]),
        (
            &pairs,
            vec![
                "objective.method=bvpo",
                "objective.alpha=0.3",
                "objective.inner.method=dpo",
                &empty,
            ],
        ),
        (
            &pairs,
            vec![
                "objective.alpha=optimal",
                "objective.method=bvpo",
                "objective.inner.method=dpo",
                &empty,
            ],
        ),
    ] {
        let method = more[0].rsplit('=').next().unwrap();
        let [whole, parts] = ["whole", "parts"].map(|name| path(&format!("{method}-{name}")));
        let more = [&more[..], &["train.log-every=2"]].concat();
        run(data, &whole, &more);
        let plan = common::plan(&settings(data, &parts, &more));
        let stop = AtomicBool::new(false);
        let mut tracker = common::StopAfter {
            step: 2,
            stop: &stop,
        };
        pref_train::train::<Cpu>(&plan, false, &Default::default(), &mut tracker, &stop).unwrap();
        assert!(!parts.join("model").exists());
        common::run::<Cpu>(&plan, true).unwrap();
        let weights = |run: &Path| std::fs::read(run.join("model/model.safetensors")).unwrap();
        assert!(weights(&parts) == weights(&whole), "{method}");
        assert_eq!(common::metrics(&parts), common::metrics(&whole));
    }
}

#[test]
fn the_layout_of_batches_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let data = common::write_pairs(folder.path(), 9);
    for method in ["adpo", "tdpo2"] {
        let path = |name: &str| folder.path().join(format!("{method}-{name}"));
        let objective = format!("objective.method={method}");
        let undivided = [
            objective.as_str(),
            "train.batch-tokens=0",
            "train.share-prompts=false",
            "train.vocab-chunk=0",
        ];
        let whole = run(&data, &path("whole"), &undivided);
        for (name, more) in [
            ("chosen by the run", &[][..]),
            ("shared", &["train.share-prompts=true"]),
            ("separate", &["train.share-prompts=false"]),
            ("chunks", &["train.vocab-chunk=7"]),
            (
                "frozen",
                &["train.share-prompts=true", "model.reference=frozen-copy"],
            ),
            ("tokens", &["train.batch-tokens=150"]),
            ("multiple", &["train.pad-to-multiple-of=32"]),
        ] {
            let settings: Vec<&str> = [objective.as_str()]
                .into_iter()
                .chain(more.iter().copied())
                .collect();
            close(&whole, &run(&data, &path(name), &settings));
        }
    }
}

#[test]
fn two_sets_are_mixed() {
    let folder = tempfile::tempdir().unwrap();
    let traces = common::write_pairs(folder.path(), 9);
    let empty = folder.path().join("empty.jsonl");
    let row = |i: usize| {
        json!({
            "prompt": format!("What is {i} and 3?<think></think>"),
            "chosen": format!(" {}", i + 3),
            "rejected": format!(" It is {}.", i + 4),
        })
        .to_string()
    };
    let rows: Vec<String> = (0..6).map(row).collect();
    std::fs::write(&empty, rows.join("\n")).unwrap();
    let path = |name: &str| folder.path().join(name);
    let both = |name: &str, alpha: f64| {
        let settings = [
            "objective.method=bvpo".to_owned(),
            "objective.inner={method = \"dpo\"}".to_owned(),
            format!("objective.alpha={alpha}"),
            format!("data.empty={}", empty.display()),
            "data.eval-fraction=0.2".to_owned(),
        ];
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        run(&traces, &path(name), &settings)
    };
    let alone = |name: &str, data: &Path| run(data, &path(name), &["data.eval-fraction=0.2"]);

    // With all weight on one set, the mixture is the objective of that set.
    let only_traces = both("traces", 1.0);
    close(&only_traces, &alone("dpo-traces", &traces));
    let only_empty = both("empty", 0.0);
    let dpo_empty = alone("dpo-empty", &empty);
    assert_eq!([only_empty.steps.len(), dpo_empty.steps.len()], [3, 3]);
    for (a, b) in only_empty.steps.iter().zip(&dpo_empty.steps) {
        near(
            &figures(a.empty.as_ref().unwrap()),
            &figures(b.means.pairs().unwrap()),
        );
        assert!((a.means.loss() - b.means.loss()).abs() < 1e-4);
    }

    // With half of the weight on each set, both improve, and both are in the metrics.
    let mixed = both("mixed", 0.5);
    let last = mixed.steps.last().unwrap();
    let of_empty = last.empty.as_ref().unwrap();
    assert!(last.means.pairs().unwrap().margins > 0.0 && of_empty.margins > 0.0);
    let line = common::metrics(&path("mixed")).pop().unwrap();
    let json = serde_json::to_value(&line).unwrap();
    assert!(json["eval_empty_rewards/margins"].is_number(), "{json}");
    let again: pref_train::MetricsLine = serde_json::from_value(json).unwrap();
    assert_eq!(again, line);
}

#[test]
fn sets_that_do_not_fit_the_objective_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let pairs = common::write_pairs(folder.path(), 6);
    let answers = write_answers(folder.path(), 6);
    let one = folder.path().join("one.jsonl");
    let row = r#"{"prompt": "2?", "completion": "two", "label": true}"#;
    std::fs::write(&one, format!("{row}\n{row}\n")).unwrap();
    let error = |data: &Path, more: &[&str]| {
        let error = try_run(data, &folder.path().join("run"), more).unwrap_err();
        error
            .to_string()
            .replace(&folder.path().display().to_string(), "[folder]")
    };
    insta::assert_snapshot!(
        [
            error(&answers, &[]),
            error(&one, &["objective.method=kto"]),
            // One prompt is left to train on.
            error(
                &pairs,
                &[
                    "data.eval-fraction=0",
                    "objective.method=kto",
                    "data.rows=[0, 1]"
                ]
            ),
        ]
        .join("\n")
    );
}

#[test]
fn bias_and_variances_of_bvpo_are_those_of_autograd() {
    let folder = tempfile::tempdir().unwrap();
    let fixture = |name: &str| {
        let path = common::workspace(&format!("fixtures/{name}"));
        std::fs::read_to_string(path).unwrap()
    };
    let rows = fixture("gsm8k/dpo-llama.jsonl");
    let rows: Vec<&str> = rows.lines().collect();
    let [traces, empty] = ["traces", "empty"].map(|name| folder.path().join(name));
    std::fs::write(&traces, rows[..4].join("\n")).unwrap();
    std::fs::write(&empty, rows[4..8].join("\n")).unwrap();
    let expected: serde_json::Value = serde_json::from_str(&fixture("bvpo/moments.json")).unwrap();
    for batch_tokens in ["0", "300"] {
        let run = folder.path().join(batch_tokens);
        let settings = [
            format!("model.path={}", common::model("llama")),
            format!("data.train={}", traces.display()),
            format!("data.empty={}", empty.display()),
            format!("output.folder={}", run.display()),
            "objective.method=bvpo".to_owned(),
            "objective.inner={method = \"dpo\"}".to_owned(),
            "objective.alpha=optimal".to_owned(),
            "train.batch-size=4".to_owned(),
            "train.steps=2".to_owned(),
            format!("train.batch-tokens={batch_tokens}"),
        ];
        common::run::<Cpu>(&common::plan(&settings), false).unwrap();
        let lines = common::metrics(&run);
        let line = serde_json::to_value(&lines[0]).unwrap();
        for (name, value) in expected.as_object().unwrap() {
            let (found, expected) = (line[name].as_f64().unwrap(), value.as_f64().unwrap());
            // A covariance near 0 is a difference of large numbers.
            let tolerance = match name.as_str() {
                "bvpo/covariance" => 1.0,
                _ => 1e-3 * expected.abs(),
            };
            assert!(
                (found - expected).abs() <= tolerance,
                "{name}: {found} {expected}"
            );
        }
        let again: pref_train::MetricsLine = serde_json::from_value(line).unwrap();
        assert_eq!(again, lines[0]);
    }
}
