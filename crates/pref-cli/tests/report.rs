//! `pref report` as a process: runs of several kinds, runs that were killed, and folders that are no runs.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod common;

use std::fs;
use std::path::Path;

use common::{Said, model, run, write_pairs};

/// Trains for a few steps; `more` are further arguments.
fn train(folder: &Path, name: &str, more: &[&str]) -> String {
    let data = write_pairs(folder, 20).display().to_string();
    let output = folder.join(name).display().to_string();
    let llama = model("llama");
    let mut args = vec![
        "train", "--data", &data, "--model", &llama, "--output", &output,
    ];
    for setting in [
        "train.batch-size=2",
        "train.steps=6",
        "train.eval-every=3",
        "train.learning-rate=1e-3",
        "data.eval-fraction=0.2",
    ] {
        args.extend(["--set", setting]);
    }
    args.extend(more);
    let said = run(&args);
    assert_eq!(said.code, Some(0), "{}", said.err);
    output
}

fn report(args: &[&str]) -> Said {
    run(&[&["report"], args].concat())
}

fn page(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn a_finished_run_has_a_page_with_curves_and_tokens_twice_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let dpo = train(folder.path(), "dpo", &["--objective", "dpo-bmc"]);
    let said = report(&[&dpo, "--tokens", "2"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let path = Path::new(&dpo).join("report.html");
    let first = page(&path);
    for text in [
        "Reward accuracy",
        "Throughput",
        "Held-out pairs by token",
        "Pair 2",
        "before training",
        "of a bootstrap over the pairs",
    ] {
        assert!(first.contains(text), "{text}");
    }
    assert!(!first.contains("Pair 3"));
    let values = fs::read(Path::new(&dpo).join("tokens.jsonl")).unwrap();

    // The values of the tokens are taken from their file, or computed again.
    let said = report(&[&dpo, "--tokens", "2"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert_eq!(page(&path), first);
    fs::write(Path::new(&dpo).join("tokens.jsonl"), "damaged").unwrap();
    let said = report(&[&dpo, "--tokens", "2"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert_eq!(page(&path), first);
    assert_eq!(
        fs::read(Path::new(&dpo).join("tokens.jsonl")).unwrap(),
        values
    );
}

#[test]
fn the_values_of_tokens_agree_with_the_evaluation() {
    let folder = tempfile::tempdir().unwrap();
    let dpo = train(folder.path(), "dpo", &[]);
    let said = report(&[&dpo, "--tokens", "1000"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let lines = |name: &str| -> Vec<serde_json::Value> {
        let text = page(&Path::new(&dpo).join(name));
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let pairs = &lines("tokens.jsonl")[1..];
    let metrics = lines("metrics.jsonl");
    let last = metrics
        .iter()
        .rfind(|line| !line["eval_loss"].is_null())
        .unwrap();
    assert_eq!(last["eval_pairs"], pairs.len());
    let numbers = |pair: &serde_json::Value, side: &str, value: &str| -> Vec<f64> {
        let tokens = pair[side].as_array().unwrap();
        tokens
            .iter()
            .map(|token| token["after"][value].as_f64().unwrap())
            .collect()
    };
    let mean = |of: &dyn Fn(&serde_json::Value) -> f64| -> f64 {
        pairs.iter().map(of).sum::<f64>() / pairs.len() as f64
    };
    for side in ["chosen", "rejected"] {
        for (value, metric) in [("reward", "eval_rewards"), ("log_prob", "eval_logps")] {
            let found = mean(&|pair| numbers(pair, side, value).iter().sum());
            let expected = last[format!("{metric}/{side}")].as_f64().unwrap();
            assert!(
                (found - expected).abs() < 1e-4 * expected.abs().max(1.0),
                "{side} {value}: {found}, {expected}"
            );
        }
    }
    // The file of the evaluation has the pairs that its line is the mean of.
    let evaluated = lines("evaluations/step-000006.jsonl");
    assert_eq!(evaluated.len(), pairs.len());
    for name in ["loss", "rewards/chosen", "rewards/rejected"] {
        let values = evaluated.iter().map(|pair| pair[name].as_f64().unwrap());
        let found = values.sum::<f64>() / evaluated.len() as f64;
        let expected = last[format!("eval_{name}")].as_f64().unwrap();
        assert!(
            (found - expected).abs() < 1e-6,
            "{name}: {found}, {expected}"
        );
    }
    for pair in pairs {
        let [w, l] = ["chosen", "rejected"].map(|side| numbers(pair, side, "gradient"));
        // Of dpo, every token of an answer has the same share, and both answers together have the same.
        assert!(w.iter().all(|g| *g > 0.0) && l.iter().all(|g| *g < 0.0));
        let total: f64 = w.iter().chain(&l).map(|g| g.abs()).sum();
        assert!((total - 1.0).abs() < 1e-6, "{total}");
        assert!(w.iter().all(|g| (g - w[0]).abs() < 1e-6));
        assert!((w[0] + l[0]).abs() < 1e-6);
    }
}

#[test]
fn runs_of_other_kinds_and_several_runs_have_a_page() {
    let folder = tempfile::tempdir().unwrap();
    let dpo = train(folder.path(), "dpo", &[]);
    let simpo = train(folder.path(), "simpo", &["--objective", "simpo"]);
    let data = folder.path().join("pairs.jsonl").display().to_string();
    let sft = folder.path().join("sft").display().to_string();
    let rewards = folder.path().join("rewards").display().to_string();
    let llama = model("llama");
    let steps = "train.steps=3";
    for args in [
        vec![
            "sft", "--data", &data, "--model", &llama, "--output", &sft, "--set", steps,
        ],
        vec![
            "reward-model",
            "train",
            "--kind",
            "bradley-terry",
            "--data",
            &data,
            "--model",
            &llama,
            "--output",
            &rewards,
            "--set",
            steps,
        ],
    ] {
        let said = run(&args);
        assert_eq!(said.code, Some(0), "{args:?}: {}", said.err);
    }
    let output = folder.path().join("all.html");
    let said = report(&[
        &dpo,
        &simpo,
        &sft,
        &rewards,
        "--output",
        &output.display().to_string(),
    ]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let page = page(&output);
    for text in [
        "4 runs",
        "Token accuracy",
        "Score margin",
        "objective.method",
        "These settings differ",
    ] {
        assert!(page.contains(text), "{text}");
    }
}

#[test]
fn what_is_no_run_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir_all(at("empty")).unwrap();
    fs::create_dir_all(at("group/first")).unwrap();
    fs::write(at("group/first/metrics.jsonl"), "").unwrap();
    fs::write(at("file"), "").unwrap();
    let text = |name: &str| at(name).display().to_string();
    let all = [
        report(&[&text("empty")]),
        report(&[&text("absent")]),
        report(&[&text("file")]),
        report(&[&text("group")]),
        report(&[&text("group/first"), "--tokens", "3"]),
        report(&[&text("group/first"), "--output", &text("empty")]),
    ];
    let all: Vec<String> = all.iter().map(|said| said.failure(folder.path())).collect();
    insta::assert_snapshot!(all.join(""));
}

#[test]
fn event_files_are_written_for_each_run() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let text = |name: &str| at(name).display().to_string();
    let lines =
        "{\"step\":1,\"loss\":0.5}\nrubbish\n{\"step\":2,\"eval_loss\":0.25,\"eval_pairs\":3}\n";
    for run in ["a/first", "b/first"] {
        fs::create_dir_all(at(run)).unwrap();
        fs::write(at(run).join("metrics.jsonl"), lines).unwrap();
    }
    let runs = [text("a/first"), text("b/first")];
    let curves = text("curves");
    let said = report(&[&runs[0], &runs[1], "--tensorboard", &curves]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    for run in ["a/first", "b/first"] {
        assert!(
            said.err
                .contains("damaged or not complete and are left out: 1"),
            "{}",
            said.err
        );
        let names = fs::read_dir(at("curves").join(run)).unwrap();
        let names: Vec<_> = names.map(|entry| entry.unwrap().path()).collect();
        let [file] = &names[..] else {
            panic!("{names:?}");
        };
        assert!(
            said.err
                .contains(&format!("{}: written, lines of metrics: 2", file.display()))
        );
        let bytes = fs::read(file).unwrap();
        for tag in ["train/loss", "eval/loss", "eval/pairs"] {
            let is_there = bytes.windows(tag.len()).any(|part| part == tag.as_bytes());
            assert!(is_there, "{tag}");
        }
        assert!(!at(run).join("report.html").exists());
    }
    let wrong = [
        report(&[&runs[0], "--tensorboard", &curves, "--rows", "3"]),
        report(&[&text("curves"), "--tensorboard", &curves]),
        report(&[
            &runs[0],
            "--tensorboard",
            &format!("{}/metrics.jsonl", runs[0]),
        ]),
    ];
    let wrong: Vec<String> = wrong
        .iter()
        .map(|said| said.failure(folder.path()))
        .collect();
    insta::assert_snapshot!(wrong.join(""));
}

#[test]
fn a_run_that_has_just_begun_or_was_killed_has_a_page() {
    let folder = tempfile::tempdir().unwrap();
    let lines = [
        r#"{"step":1,"loss":0.69,"rewards/accuracies":0.5,"grad_norm":1.5,"learning_rate":1e-6}"#,
        "\u{0}\u{0}\u{0}",
        r#"{"step":2,"loss":null,"grad_norm":1.25,"learning_rate":1e-6}"#,
        r#"{"step":3,"lo"#,
    ];
    for (name, text) in [("new", String::new()), ("killed", lines.join("\n"))] {
        let path = folder.path().join(name);
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("metrics.jsonl"), text).unwrap();
        let said = report(&[&path.display().to_string()]);
        assert_eq!(said.code, Some(0), "{}", said.err);
        assert!(page(&path.join("report.html")).contains("not finished"));
        insta::assert_snapshot!(said.failure(folder.path()));
    }
}
