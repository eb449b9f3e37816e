//! Runs of sft: the loss of packed texts, of micro-batches and of several turns, and resuming.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use burn::backend::{Autodiff, Flex};
use common::Memory;
use pref_train::{Means, Outcome, TokenMeans, TrainError};
use serde_json::{Value, json};

use crate::common;

type Cpu = Autodiff<Flex>;

fn plan(data: &Path, run: &Path, more: &[&str]) -> pref_train::Plan {
    let mut settings = vec![
        format!("model.path={}", common::model("llama")),
        format!("data.train={}", data.display()),
        format!("output.folder={}", run.display()),
        "objective.method=sft".to_owned(),
        "data.max-length=96".to_owned(),
        "train.learning-rate=1e-3".to_owned(),
        "train.batch-size=4".to_owned(),
        "train.steps=3".to_owned(),
    ];
    settings.extend(more.iter().map(|&s| s.to_owned()));
    common::plan(&settings)
}

fn try_run(data: &Path, run: &Path, more: &[&str]) -> Result<Memory, TrainError> {
    Ok(common::run::<Cpu>(&plan(data, run, more), false)?.1)
}

fn tokens(means: &Means) -> TokenMeans {
    match means {
        Means::Tokens(means) => *means,
        other => panic!("{other:?}"),
    }
}

/// Loss, accuracy, norm and tokens of each step.
fn figures(memory: &Memory) -> Vec<f64> {
    let of_step = |step: &pref_train::StepRecord| {
        let means = tokens(&step.means);
        let (loss, accuracy) = (means.loss, means.mean_token_accuracy);
        [loss, accuracy, step.grad_norm, step.num_tokens as f64]
    };
    memory.steps.iter().flat_map(of_step).collect()
}

#[track_caller]
fn close(a: &[f64], b: &[f64]) {
    assert_eq!(a.len(), b.len());
    assert!(!a.is_empty());
    for (a, b) in a.iter().zip(b) {
        assert!((a - b).abs() < 2e-4 * a.abs().max(1.0), "{a} {b}");
    }
}

fn write(folder: &Path, name: &str, rows: impl Iterator<Item = Value>) -> PathBuf {
    let path = folder.join(name);
    let lines: Vec<String> = rows.map(|row| row.to_string()).collect();
    std::fs::write(&path, lines.join("\n")).unwrap();
    path
}

/// Prompts with answers of different lengths.
fn answers(folder: &Path, n: usize) -> PathBuf {
    let row = |i: usize| {
        let steps = " one more step,".repeat(i * 5 % 7);
        json!({"prompt": format!("Question: what is {i} plus 2?\nAnswer:"),
            "completion": format!("{steps} {i} + 2 = {}", i + 2)})
    };
    write(folder, "answers.jsonl", (0..n).map(row))
}

#[test]
fn the_loss_is_the_mean_over_the_tokens_of_a_step_however_it_is_divided() {
    let folder = tempfile::tempdir().unwrap();
    let data = answers(folder.path(), 24);
    let run = |name: &str, more: &[&str]| {
        let more = [&["train.batch-size=8"], more].concat();
        try_run(&data, &folder.path().join(name), &more).unwrap()
    };
    let whole = run("whole", &[]);
    for (name, more) in [
        (
            "accumulated",
            vec!["train.batch-size=2", "train.gradient-accumulation=4"],
        ),
        ("tokens", vec!["train.batch-tokens=60"]),
        ("chunks", vec!["train.vocab-chunk=16"]),
        ("padded", vec!["train.pad-to-multiple-of=32"]),
    ] {
        close(&figures(&whole), &figures(&run(name, &more)));
    }
    assert!(tokens(&whole.steps[2].means).loss < tokens(&whole.steps[0].means).loss);
}

#[test]
fn packing_leaves_the_loss_of_the_same_texts_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let data = answers(folder.path(), 12);
    let run = |name: &str, more: &[&str]| try_run(&data, &folder.path().join(name), more).unwrap();
    // One step takes all rows, once as 12 texts and once as all bins.
    let single = run("single", &["train.batch-size=12", "train.steps=2"]);
    let packed = run(
        "packed",
        &["train.batch-size=12", "train.steps=2", "train.packing=true"],
    );
    close(&figures(&single), &figures(&packed));
    // A bin holds several rows, so an epoch of single bins has fewer steps than rows.
    let epoch = run(
        "epoch",
        &["train.packing=true", "train.batch-size=1", "train.steps=20"],
    );
    let done = epoch.steps.iter().find(|step| step.epoch >= 1.0).unwrap();
    assert!((2..=8).contains(&done.step), "{} steps", done.step);
    assert_eq!(done.num_tokens, single.steps[0].num_tokens);
}

#[test]
fn a_packed_run_resumes_to_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let data = answers(folder.path(), 30);
    let more = [
        "train.packing=true",
        "train.batch-size=2",
        "train.steps=6",
        "train.log-every=2",
        "data.eval-fraction=0.2",
        "train.eval-every=3",
    ];
    let [whole, parts] = ["whole", "parts"].map(|name| folder.path().join(name));
    let outcome = common::run::<Cpu>(&plan(&data, &whole, &more), false)
        .unwrap()
        .0;
    let Outcome::Finished { before, after, .. } = outcome else {
        panic!("the run was not stopped");
    };
    assert!(after.unwrap().loss() < before.unwrap().loss());
    let stopped = plan(&data, &parts, &more);
    let stop = AtomicBool::new(false);
    let mut tracker = common::StopAfter {
        step: 4,
        stop: &stop,
    };
    let outcome =
        pref_train::train::<Cpu>(&stopped, false, &Default::default(), &mut tracker, &stop);
    assert!(matches!(
        outcome.unwrap(),
        Outcome::Interrupted { step: 4, .. }
    ));
    common::run::<Cpu>(&stopped, true).unwrap();
    assert_eq!(common::metrics(&parts), common::metrics(&whole));
    let weights = |run: &Path| std::fs::read(run.join("model/model.safetensors")).unwrap();
    assert!(weights(&parts) == weights(&whole));
}

/// A turn of the assistant counts if it is the last, or if all turns count. A conversation with all turns has
/// the tokens of the conversations that end with each of its turns.
#[test]
fn all_turns_of_a_conversation_are_those_of_its_parts() {
    let folder = tempfile::tempdir().unwrap();
    let turns = [
        json!({"role": "user", "content": "What is 2 + 2?"}),
        json!({"role": "assistant", "content": "It is 4."}),
        json!({"role": "user", "content": "And 3 + 3?"}),
        json!({"role": "assistant", "content": "It is 6."}),
    ];
    let row = |n: usize| json!({"messages": turns[..n]});
    let whole = write(folder.path(), "whole.jsonl", [row(4)].into_iter());
    let parts = write(folder.path(), "parts.jsonl", [row(2), row(4)].into_iter());
    let first = |data: &Path, name: &str, more: &[&str]| {
        let more = [&["train.steps=1"], more].concat();
        let memory = try_run(data, &folder.path().join(name), &more).unwrap();
        figures(&memory)[..3].to_vec()
    };
    let all = first(&whole, "all", &["data.all-turns=true"]);
    close(&all, &first(&parts, "each", &[]));
    let last = first(&whole, "last", &[]);
    assert!((all[0] - last[0]).abs() > 1e-3);
}

#[test]
fn whole_texts_and_chosen_answers_train() {
    let folder = tempfile::tempdir().unwrap();
    let texts = (0..8).map(|i| json!({"text": format!("{i} + 2 = {}", i + 2)}));
    let texts = write(folder.path(), "texts.jsonl", texts);
    let more = ["data.eval-fraction=0.25"];
    let memory = try_run(&texts, &folder.path().join("texts"), &more).unwrap();
    assert_eq!([memory.steps.len(), memory.evals.len()], [3, 2]);
    assert_eq!(memory.evals[0].eval_pairs, 2);
    let pairs = common::write_pairs(folder.path(), 8);
    let from_pairs = try_run(&pairs, &folder.path().join("pairs"), &[]).unwrap();
    let text = std::fs::read_to_string(&pairs).unwrap();
    let chosen = text.lines().map(|line| -> Value {
        let row: Value = serde_json::from_str(line).unwrap();
        json!({"prompt": row["prompt"], "completion": row["chosen"]})
    });
    let chosen = write(folder.path(), "chosen.jsonl", chosen);
    let from_answers = try_run(&chosen, &folder.path().join("chosen"), &[]).unwrap();
    assert_eq!(figures(&from_pairs), figures(&from_answers));
}

#[test]
fn what_sft_and_other_objectives_cannot_use_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data = answers(folder.path(), 4);
    let run = folder.path().join("run");
    let refused = |more: &[&str]| {
        let mut settings = vec![
            format!("model.path={}", common::model("llama")),
            format!("data.train={}", data.display()),
            format!("output.folder={}", run.display()),
        ];
        settings.extend(more.iter().map(|&s| s.to_owned()));
        let mut all = pref_train::Settings::default();
        for pair in &settings {
            all.set(pair).unwrap();
        }
        match pref_train::Plan::from_settings(all) {
            Err(error) => error.to_string(),
            Ok(plan) => common::run::<Cpu>(&plan, false).unwrap_err().to_string(),
        }
    };
    let errors = [
        refused(&["train.packing=true"]),
        refused(&["objective.method=kto", "data.all-turns=true"]),
        refused(&["objective.method=sft", "model.reference=precomputed"]),
        refused(&["objective.method=sft", "objective.sft_coefficient=2"]),
        refused(&["objective.method=kto"]),
        refused(&[]),
    ];
    let errors = errors
        .join("\n")
        .replace(&folder.path().display().to_string(), "[folder]");
    insta::assert_snapshot!(errors);
}
