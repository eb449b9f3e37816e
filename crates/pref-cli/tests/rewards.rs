//! `pref sft` and `pref reward-model` as processes: scores beside those of `transformers`, a scoring that is
//! killed, from scores to 2d-dpo, and bad input.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use common::{model, pref, run, workspace, write_pairs};
use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value, json};

fn fixture() -> Value {
    let text = fs::read_to_string(workspace("fixtures/rewards/scores.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// A folder of the tiny Llama with the head of this number of scores.
fn reward_model(folder: &Path, n_labels: &str) -> String {
    let source = PathBuf::from(model("llama"));
    let target = folder.join(format!("model-{n_labels}"));
    fs::create_dir_all(&target).unwrap();
    for entry in fs::read_dir(&source).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, target.join(path.file_name().unwrap())).unwrap();
    }
    let bytes = fs::read(source.join("model.safetensors")).unwrap();
    let stored = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut tensors = stored.tensors();
    tensors.retain(|(name, _)| name != "lm_head.weight");
    let values = fixture()[n_labels]["head"].as_array().unwrap().clone();
    let values = values.iter().map(|value| value.as_f64().unwrap() as f32);
    let head: Vec<u8> = values.flat_map(f32::to_le_bytes).collect();
    let shape = vec![n_labels.parse().unwrap(), 64];
    let head = TensorView::new(Dtype::F32, shape, &head).unwrap();
    tensors.push(("score.weight".to_owned(), head));
    safetensors::serialize_to_file(tensors, None, &target.join("model.safetensors")).unwrap();
    target.display().to_string()
}

fn write(folder: &Path, name: &str, rows: &[Value]) -> String {
    let path = folder.join(name);
    let rows: Vec<String> = rows.iter().map(Value::to_string).collect();
    fs::write(&path, rows.join("\n")).unwrap();
    path.display().to_string()
}

fn score(model: &str, data: &str, output: &Path, more: &[&str]) -> common::Said {
    let output = output.display().to_string();
    let args = [
        "reward-model",
        "score",
        "--model",
        model,
        "--data",
        data,
        "--output",
        &output,
    ];
    run(&[&args[..], more].concat())
}

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[track_caller]
fn near(ours: &Value, theirs: &Value) {
    let (ours, theirs) = (ours.as_f64().unwrap(), theirs.as_f64().unwrap());
    assert!((ours - theirs).abs() < 2e-5, "{ours} {theirs}");
}

#[test]
fn answers_get_the_scores_of_transformers() {
    let folder = tempfile::tempdir().unwrap();
    let cases = fixture()["1"]["cases"].as_array().unwrap().clone();
    let answer = |case: &Value| -> String {
        let segments = case["segments"].as_array().unwrap().iter();
        segments.map(|segment| segment.as_str().unwrap()).collect()
    };
    let prompt = &cases[0]["prompt"];
    let pair = json!({"prompt": prompt, "chosen": answer(&cases[0]), "rejected": answer(&cases[1]), "id": 7});
    let pairs = write(folder.path(), "pairs.jsonl", &[pair]);
    let model = reward_model(folder.path(), "1");
    let output = folder.path().join("pairs-out.jsonl");
    let said = score(&model, &pairs, &output, &[]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let row = &lines(&output)[0];
    near(&row["chosen_rating"], &cases[0]["scores"][0]);
    near(&row["rejected_rating"], &cases[1]["scores"][0]);
    assert_eq!(row["id"], 7);

    // Single answers become rated rows, which are read as a pair of the better and the worse one.
    let single = |case: &Value| json!({"prompt": prompt, "completion": answer(case)});
    let answers = write(
        folder.path(),
        "answers.jsonl",
        &[single(&cases[1]), single(&cases[0])],
    );
    let output = folder.path().join("rated.jsonl");
    let said = score(&model, &answers, &output, &[]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    near(&lines(&output)[1]["rating"], &cases[0]["scores"][0]);
    let said = run(&["data", "convert", &output.display().to_string()]);
    assert_eq!(said.lines()[0]["chosen"], answer(&cases[0]));
}

#[test]
fn segments_get_the_scores_of_transformers() {
    let folder = tempfile::tempdir().unwrap();
    let cases = fixture()["5"]["cases"].as_array().unwrap().clone();
    let answer = |case: &Value| -> String {
        let segments = case["segments"].as_array().unwrap().iter();
        segments.map(|segment| segment.as_str().unwrap()).collect()
    };
    let pair = json!({"prompt": cases[0]["prompt"],
        "chosen": answer(&cases[0]), "chosen_segments": cases[0]["segments"],
        "rejected": answer(&cases[1])});
    let single = json!({"prompt": cases[0]["prompt"], "completion": answer(&cases[1])});
    let model = reward_model(folder.path(), "5");
    let check = |row: &Value, side: &str, case: &Value| {
        assert_eq!(row[format!("{side}_segments")], case["segments"]);
        let ours = row[format!("{side}_scores")].as_array().unwrap();
        let theirs = case["scores"].as_array().unwrap();
        assert_eq!(ours.len(), theirs.len());
        for (ours, theirs) in ours.iter().zip(theirs) {
            for (ours, theirs) in ours
                .as_array()
                .unwrap()
                .iter()
                .zip(theirs.as_array().unwrap())
            {
                near(ours, &json!(theirs.as_f64().unwrap().clamp(0.0, 4.0)));
            }
        }
    };
    let [pairs, answers] = [("pairs.jsonl", pair), ("answers.jsonl", single)]
        .map(|(name, row)| write(folder.path(), name, &[row]));
    let [of_pairs, of_answers] =
        ["pairs-out.jsonl", "answers-out.jsonl"].map(|n| folder.path().join(n));
    for (data, output) in [(&pairs, &of_pairs), (&answers, &of_answers)] {
        let said = score(&model, data, output, &["--by", "lines"]);
        assert_eq!(said.code, Some(0), "{}", said.err);
    }
    let row = &lines(&of_pairs)[0];
    check(row, "chosen", &cases[0]);
    check(row, "rejected", &cases[1]);
    check(&lines(&of_answers)[0], "completion", &cases[1]);
}

#[test]
fn a_reward_model_as_judge_gives_the_scores_of_the_command() {
    let folder = tempfile::tempdir().unwrap();
    let segments = reward_model(folder.path(), "5");
    let whole = reward_model(folder.path(), "1");
    let pairs = common::rows(folder.path());
    let output = folder.path().join("computed.jsonl");
    assert_eq!(score(&segments, &pairs, &output, &[]).code, Some(0));
    let judged = folder.path().join("judged.jsonl");
    let annotate = |command: &str, model: &str, more: &[&str]| {
        let judge = format!("model:{model}");
        let path = judged.display().to_string();
        let args = [
            "annotate", command, &pairs, "--judge", &judge, "--output", &path,
        ];
        run(&[&args[..], more].concat())
    };
    let said = annotate("scores", &segments, &[]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let (computed, judged_rows) = (lines(&output), lines(&judged));
    assert_eq!(computed.len(), judged_rows.len());
    for (computed, judged) in computed.iter().zip(&judged_rows) {
        assert_eq!(computed["chosen_segments"], judged["chosen_segments"]);
        for field in ["chosen_scores", "rejected_scores"] {
            let values = |row: &Value| -> Vec<Vec<f64>> {
                serde_json::from_value(row[field].clone()).unwrap()
            };
            let (computed, judged) = (values(computed).concat(), values(judged).concat());
            assert_eq!(computed.len(), judged.len(), "{field}");
            for (a, b) in computed.iter().zip(&judged) {
                // The last digit depends on what is computed together.
                assert!((a - b).abs() < 1e-5, "{field}: {a} {b}");
            }
        }
    }
    // One score decides which answer is better.
    let compare = ["--set", "work.by=compare"];
    let said = annotate("rank", &whole, &compare);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let ratings = folder.path().join("ratings.jsonl");
    assert_eq!(score(&whole, &pairs, &ratings, &[]).code, Some(0));
    let first = &lines(&ratings)[0];
    let is_better = first["chosen_rating"].as_f64() > first["rejected_rating"].as_f64();
    let best = if is_better { "chosen" } else { "rejected" };
    let ranked = lines(&judged);
    let row = ranked.iter().find(|row| row["prompt"] == first["prompt"]);
    assert_eq!(row.unwrap()["chosen"], first[best]);
    let said = annotate("scores", &whole, &["--store", &format!("{whole}.sqlite")]);
    assert!(said.err.contains("0 of 4 rows written"), "{}", said.err);
}

#[test]
fn a_killed_scoring_goes_on_where_it_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let pairs = write_pairs(folder.path(), 300).display().to_string();
    let model = reward_model(folder.path(), "5");
    let [whole, killed] = ["whole.jsonl", "killed.jsonl"].map(|name| folder.path().join(name));
    let few = ["--batch-size", "2"];
    assert_eq!(score(&model, &pairs, &whole, &few).code, Some(0));
    let output = killed.display().to_string();
    let args = [
        "reward-model",
        "score",
        "--model",
        &model,
        "--data",
        &pairs,
        "--output",
        &output,
    ];
    let mut child = pref(&[&args[..], &few].concat())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let part = folder.path().join("killed.jsonl.part");
    let started = Instant::now();
    let n_lines = || fs::read_to_string(&part).map_or(0, |text| text.lines().count());
    while n_lines() < 20 && started.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap(); // SIGKILL
    child.wait().unwrap();
    assert!(!killed.exists() && n_lines() >= 20);

    // Another model, or other rows, are refused.
    let other = score(&reward_model(folder.path(), "1"), &pairs, &killed, &few);
    let changed = write(
        folder.path(),
        "changed.jsonl",
        &[json!({"prompt": "a", "chosen": "b", "rejected": "c"})],
    );
    let changed = score(&model, &changed, &killed, &few);
    let said = score(&model, &pairs, &killed, &few);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.err.contains("rows were scored before"), "{}", said.err);
    assert!(fs::read(&whole).unwrap() == fs::read(&killed).unwrap());
    let again = score(&model, &pairs, &killed, &few);
    let shown = [other, changed, again].map(|said| {
        // how many rows were scored before depends on the moment of the kill
        let text = said.failure(folder.path());
        let lines = text.lines().filter(|line| !line.ends_with("scored before"));
        lines.collect::<Vec<_>>().join("\n")
    });
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn a_trained_reward_model_gives_the_scores_of_2d_dpo() {
    let folder = tempfile::tempdir().unwrap();
    let segments = json!(["It is a sum.\n", "#### 4"]);
    let wrong = json!(["It is a sum.\n", "#### 5"]);
    let scored = json!({"prompt": "What is 2 + 2?\n", "chosen": "It is a sum.\n#### 4", "rejected": "It is a sum.\n#### 5",
        "chosen_segments": segments, "chosen_scores": [[2, 2, 4, 2, 3], [4, 4, 4, 4, 4]],
        "rejected_segments": wrong, "rejected_scores": [[2, 2, 4, 2, 3], [1, 0, 4, 1, 2]]});
    let scored = write(folder.path(), "scored.jsonl", &[scored.clone(), scored]);
    let at = |name: &str| folder.path().join(name).display().to_string();
    let llama = model("llama");
    let said = run(&[
        "reward-model",
        "train",
        "--kind",
        "segments",
        "--model",
        &llama,
        "--data",
        &scored,
        "--output",
        &at("run"),
        "--set",
        "train.steps=20",
        "--set",
        "train.learning-rate=1e-2",
    ]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.err.contains("accuracy"), "{}", said.err);
    let pairs = write_pairs(folder.path(), 6).display().to_string();
    let output = folder.path().join("out.jsonl");
    let said = score(&at("run/model"), &pairs, &output, &[]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let said = run(&[
        "train",
        "--objective",
        "2d-dpo",
        "--model",
        &llama,
        "--data",
        &output.display().to_string(),
        "--output",
        &at("2d"),
        "--set",
        "train.steps=1",
    ]);
    assert_eq!(said.code, Some(0), "{}", said.err);
}

#[test]
fn what_cannot_be_trained_or_scored_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let pairs = write_pairs(folder.path(), 4).display().to_string();
    let llama = model("llama");
    let five = reward_model(folder.path(), "5");
    let at = |name: &str| folder.path().join(name).display().to_string();
    let text = write(folder.path(), "text.jsonl", &[json!({"text": "A text."})]);
    let questions = write(
        folder.path(),
        "questions.jsonl",
        &[json!({"question": "2 + 2?", "answer": "4"})],
    );
    let [run_folder, out] = [at("run"), at("out.jsonl")];
    let sft = ["sft", "--model", &llama, "--data"];
    let train = ["reward-model", "train", "--model", &llama, "--data", &pairs];
    let score = ["reward-model", "score", "--data", &pairs];
    let shown: Vec<String> = [
        [&sft[..], &[&pairs, "--set", "objective.method=dpo"]].concat(),
        [&sft[..], &[&questions, "--output", &run_folder]].concat(),
        [
            &sft[..],
            &[&text, "--output", &run_folder, "--set", "train.packing=yes"],
        ]
        .concat(),
        train.to_vec(),
        [
            &train[..],
            &[
                "--set",
                "train.head-only=true",
                "--set",
                "objective.method=dpo",
            ],
        ]
        .concat(),
        [&score[..], &["--model", &llama, "--output", &out]].concat(),
        [&score[..], &["--model", &five, "--output", "out.parquet"]].concat(),
        vec![
            "reward-model",
            "score",
            "--model",
            &five,
            "--data",
            &text,
            "--output",
            &out,
        ],
    ]
    .iter()
    .map(|args| run(args).failure(folder.path()))
    .collect();
    insta::assert_snapshot!(shown.join(""));
}

#[test]
fn the_help_says_what_the_commands_do() {
    let commands = [
        &["sft", "--help"][..],
        &["reward-model", "train", "--help"],
        &["reward-model", "score", "--help"],
    ];
    let shown: Vec<String> = commands.iter().map(|args| run(args).out).collect();
    insta::assert_snapshot!(shown.join("\n"));
}
