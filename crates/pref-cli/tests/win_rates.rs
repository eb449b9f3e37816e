//! `pref win-rate` and the win rates of `pref eval` as processes: values of AlpacaEval, files, and bad input.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod common;

use std::fs;
use std::path::Path;

use common::{model, run, said, workspace};
use serde_json::{Value, json};

fn fixture(name: &str) -> Value {
    let text = fs::read_to_string(workspace("fixtures/win-rates").join(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The annotations of a model of the fixture, as a file of AlpacaEval.
fn annotations(folder: &Path, name: &str) -> String {
    let row = |row: &Value| {
        let text = |i: usize| "ä".repeat(row[i].as_u64().unwrap() as usize);
        json!({
            "instruction": "?",
            "preference": row[0],
            "output_1": text(1),
            "output_2": text(2),
            "generator_1": "baseline",
            "generator_2": name,
            "annotator": "judge",
        })
    };
    let rows: Vec<Value> = fixture("annotations.json")[name]
        .as_array()
        .unwrap()
        .iter()
        .map(row)
        .collect();
    let path = folder.join(format!("{name}.json"));
    fs::write(&path, json!(rows).to_string()).unwrap();
    path.display().to_string()
}

#[test]
fn rates_are_those_of_alpaca_eval() {
    let folder = tempfile::tempdir().unwrap();
    let names = ["longer", "itself"];
    let files = names.map(|name| annotations(folder.path(), name));
    let gamed = workspace("fixtures/win-rates/df_gamed.csv")
        .display()
        .to_string();
    let args = ["win-rate", &files[0], &files[1], "--json"];
    let variants = [
        (
            "length_controlled_v1",
            run(&[&args[..], &["--gamed", &gamed]].concat()),
        ),
        ("length_controlled_minimal", run(&args)),
    ];
    let expected = fixture("values.json");
    for (variant, said) in variants {
        assert_eq!(said.code, Some(0), "{}", said.err);
        let models = said.lines().pop().unwrap()["models"].take();
        for (name, found) in names.iter().zip(models.as_array().unwrap()) {
            for (field, expected) in [
                ("length_controlled_winrate", &expected[name][variant]),
                ("win_rate", &expected[name]["win_rate"]),
            ] {
                let found = 100.0 * found[field]["value"].as_f64().unwrap();
                let expected = expected.as_f64().unwrap();
                assert!(
                    (found - expected).abs() < 0.05,
                    "{name} {field}: {found}, {expected}"
                );
            }
        }
        assert_eq!(models[1]["ties"], 120);
    }
    let text = said(folder.path(), &["win-rate", &files[0]]);
    insta::assert_snapshot!(text);
}

#[test]
fn annotations_that_cannot_be_read_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, rows: &[Value]| {
        let path = folder.path().join(name);
        let lines: Vec<String> = rows.iter().map(Value::to_string).collect();
        fs::write(&path, lines.join("\n")).unwrap();
        path.display().to_string()
    };
    let row =
        |preference: Value| json!({"output_1": "a", "output_2": "b", "preference": preference});
    let outside = write("outside.jsonl", &[row(json!(1.5)), row(json!(2.5))]);
    let without = write(
        "without.jsonl",
        &[json!({"output_1": "a", "output_2": "b"})],
    );
    let pairs = write(
        "pairs.jsonl",
        &[json!({"prompt": "a", "chosen": "b", "rejected": "c"})],
    );
    let unjudged = write("unjudged.jsonl", &[row(Value::Null), row(json!(0))]);
    let gamed = workspace("fixtures/win-rates/df_gamed.csv")
        .display()
        .to_string();
    let many: Vec<Value> = (0..121).map(|_| row(json!(2))).collect();
    let many = write("many.jsonl", &many);
    let mut all = String::new();
    for args in [
        &[&outside[..]][..],
        &[&without],
        &[&pairs],
        &[&unjudged],
        &[&many, "--gamed", &gamed],
        &[&unjudged, "--gamed", &unjudged],
    ] {
        all += &said(folder.path(), &[&["win-rate"], args].concat());
        all += "\n";
    }
    insta::assert_snapshot!(all);
}

/// Prompts with a right answer.
fn prompts(folder: &Path) -> String {
    let path = folder.join("prompts.jsonl");
    let row = |i: usize| json!({"prompt": format!("{i} + 1 ="), "answer": format!("{}", i + 1)});
    let rows: Vec<String> = (0..6).map(|i| row(i).to_string()).collect();
    fs::write(&path, rows.join("\n")).unwrap();
    path.display().to_string()
}

#[test]
fn a_judge_compares_the_answers_of_two_models() {
    let folder = tempfile::tempdir().unwrap();
    let prompts = prompts(folder.path());
    // Right answers, an empty one, and a wrong one.
    let row = |i: usize| {
        let response = match i {
            0 => String::new(),
            1 => "1 + 1 = 3\nA: 3".to_owned(),
            i => format!("{i} + 1 = {0}\nA: {0}", i + 1),
        };
        json!({"prompt": format!("{i} + 1 ="), "response": response}).to_string()
    };
    let baseline = folder.path().join("baseline.jsonl");
    fs::write(&baseline, (0..6).map(row).collect::<Vec<_>>().join("\n")).unwrap();
    let baseline = baseline.display().to_string();
    let output = folder.path().join("eval").display().to_string();
    let llama = model("llama");
    let adapter = workspace("fixtures/adapters/lora").display().to_string();
    let eval = |more: &[&str]| {
        let args = [
            "eval",
            &llama,
            "--prompts",
            &prompts,
            "--judge",
            "rules:gsm8k",
            "--sample",
            "--max-new-tokens 6",
            "--output",
            &output,
            "--json",
        ];
        run(&[&args[..], more].concat())
    };
    let said = eval(&["--baseline", &baseline]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let judged = said.lines().pop().unwrap()["models"][0]["judged"].take();
    // The random model wins against the empty answer, and loses against right ones.
    assert_eq!(
        [&judged["questions"], &judged["missing"], &judged["losses"]],
        [&json!(6), &json!(0), &json!(4)]
    );
    let written = fs::read_to_string(format!("{output}/model-1/annotations.json")).unwrap();
    let written: Vec<Value> = serde_json::from_str(&written).unwrap();
    assert_eq!(written.len(), 6);
    assert_eq!(written[0]["preference"], 2.0);
    assert_eq!(written[2]["preference"], 1.0);
    assert_eq!(written[2]["output_1"], "2 + 1 = 3\nA: 3");

    // A second start asks nothing, and other flags are refused.
    let again = eval(&["--baseline", &baseline]);
    assert!(again.err.contains("0 to ask"), "{}", again.err);
    assert_eq!(again.lines().pop(), said.lines().pop());
    let other = eval(&[&adapter]);
    assert!(
        other.err.contains("made with another reference, baseline"),
        "{}",
        other.err
    );
    fs::remove_dir_all(&output).unwrap();
    let models = eval(&[&adapter]);
    assert_eq!(models.code, Some(0), "{}", models.err);
    let models = models.lines().pop().unwrap()["models"].take();
    assert_eq!(models[0]["judged"], Value::Null);
    assert_eq!(models[1]["judged"]["baseline"], llama);
    assert_eq!(models[1]["judged"]["questions"], 6);
}

#[test]
fn win_rates_without_a_baseline_or_a_judge_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let prompts = prompts(folder.path());
    let (llama, output) = (
        model("llama"),
        folder.path().join("eval").display().to_string(),
    );
    let eval = |more: &[&str]| {
        let args = ["eval", &llama, "--prompts", &prompts, "--output", &output];
        said(folder.path(), &[&args[..], more].concat())
    };
    let alone = eval(&["--judge", "rules:gsm8k"]);
    assert!(
        alone.contains("give a second model, or --baseline"),
        "{alone}"
    );
    let without = eval(&[]);
    assert!(without.contains("--judge"), "{without}");
    let short = folder.path().join("short.jsonl");
    fs::write(
        &short,
        json!({"prompt": "0 + 1 =", "response": "1"}).to_string(),
    )
    .unwrap();
    let short = short.display().to_string();
    let short = eval(&[
        "--judge",
        "rules:gsm8k",
        "--baseline",
        &short,
        "--sample",
        "--max-new-tokens 2",
    ]);
    assert!(
        short.contains("has 1 answers, and there are 6 prompts"),
        "{short}"
    );
}
