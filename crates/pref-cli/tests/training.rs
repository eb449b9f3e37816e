//! `pref train` as a process: it is killed, interrupted, runs out of disk space, and gets bad input.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{Said, model, pref, run, write_pairs};

/// Arguments of a run that takes a second or two.
fn args(data: &Path, output: &Path, more: &[&str]) -> Vec<String> {
    let (data, output) = (data.display().to_string(), output.display().to_string());
    let llama = model("llama");
    let mut all = vec![
        "train", "--data", &data, "--model", &llama, "--output", &output,
    ];
    for setting in [
        "train.batch-size=2",
        "train.steps=30",
        "train.save-every=3",
        "train.learning-rate=1e-3",
        "data.eval-fraction=0.2",
    ] {
        all.extend(["--set", setting]);
    }
    all.extend(more);
    all.into_iter().map(str::to_owned).collect()
}

fn start(args: &[String]) -> Said {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    run(&args)
}

fn weights(run: &Path) -> Vec<u8> {
    std::fs::read(run.join("model/model.safetensors")).unwrap()
}

/// A folder with data, and the weights of a run that was not disturbed.
fn undisturbed(more: &[&str]) -> (tempfile::TempDir, PathBuf, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let data = write_pairs(folder.path(), 20);
    let whole = folder.path().join("whole");
    let said = start(&args(&data, &whole, more));
    assert_eq!(said.code, Some(0), "{}", said.err);
    let bytes = weights(&whole);
    (folder, data, bytes)
}

#[test]
fn a_run_killed_at_any_moment_and_resumed_ends_with_the_same_bytes() {
    let started = Instant::now();
    let (folder, data, whole) = undisturbed(&[]);
    let duration = started.elapsed();
    // The kills come during the set-up, the steps, the checkpoints and the end of the run.
    for n in 0..8 {
        let moment = duration * (2 * n + 1) / 16;
        let output = folder.path().join(format!("killed-{n}"));
        let once = args(&data, &output, &[]);
        let mut child = pref(&once.iter().map(String::as_str).collect::<Vec<_>>())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(moment);
        child.kill().unwrap(); // SIGKILL
        child.wait().unwrap();
        let has_checkpoint = output.join("checkpoints").exists()
            && std::fs::read_dir(output.join("checkpoints"))
                .unwrap()
                .any(|e| {
                    e.unwrap()
                        .file_name()
                        .to_string_lossy()
                        .starts_with("step-")
                });
        let again = match has_checkpoint {
            true => args(&data, &output, &["--resume"]),
            false => once,
        };
        let said = start(&again);
        assert_eq!(said.code, Some(0), "after {moment:?}: {}", said.err);
        assert_eq!(weights(&output), whole, "killed after {moment:?}");
    }
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_writes_a_checkpoint_and_can_be_resumed() {
    // There are so many steps that the run is not finished when the signal arrives, even on a busy machine.
    let long = ["--set", "train.save-every=0", "--set", "train.steps=150"];
    let (folder, data, whole) = undisturbed(&long);
    let output = folder.path().join("interrupted");
    let once = args(&data, &output, &long);
    let child = pref(&once.iter().map(String::as_str).collect::<Vec<_>>())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let metrics = output.join("metrics.jsonl");
    let started = Instant::now();
    let lines = || std::fs::read_to_string(&metrics).map_or(0, |text| text.lines().count());
    while lines() < 4 && started.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(2));
    }
    let id = child.id().to_string();
    // SIGINT may be ignored if the tests run in the background of a shell.
    Command::new("kill").args(["-TERM", &id]).status().unwrap();
    let said = Said::new(&child.wait_with_output().unwrap());
    assert_eq!(said.code, Some(130), "{}", said.err);
    assert!(said.out.contains("continue with --resume"), "{}", said.out);
    let said = start(&args(&data, &output, &[&long[..], &["--resume"]].concat()));
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert_eq!(weights(&output), whole);
}

#[cfg(unix)]
#[test]
fn a_full_disk_is_reported_and_loses_nothing() {
    let (folder, data, whole) = undisturbed(&[]);
    let output = folder.path().join("full");
    let once = args(&data, &output, &[]);
    // No file may be larger than 1.5 MB: the weights fit, but the optimiser's moments do not.
    let limited = |args: &[String]| {
        let quoted: Vec<String> = args.iter().map(|a| format!("'{a}'")).collect();
        let pref = env!("CARGO_BIN_EXE_pref");
        let script = format!(
            "trap '' XFSZ; ulimit -f 1500; exec '{pref}' {}",
            quoted.join(" ")
        );
        Said::new(&Command::new("bash").args(["-c", &script]).output().unwrap())
    };
    let said = limited(&once);
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert!(
        said.err.contains("could not write checkpoint"),
        "{}",
        said.err
    );
    assert!(
        said.err.contains("earlier checkpoints are untouched"),
        "{}",
        said.err
    );

    // An earlier checkpoint is still complete, and a run resumed from it ends with the same weights.
    let output = folder.path().join("full-later");
    let once = args(&data, &output, &[]);
    let mut child = pref(&once.iter().map(String::as_str).collect::<Vec<_>>())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let started = Instant::now();
    while !output.join("checkpoints/step-000003").exists()
        && started.elapsed() < Duration::from_secs(60)
    {
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let again = args(&data, &output, &["--resume"]);
    let said = limited(&again);
    assert_eq!(said.code, Some(1), "{}", said.err);
    let said = start(&again);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert_eq!(weights(&output), whole);
}

#[test]
fn bad_data_stops_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("pairs.jsonl");
    let good = r#"{"prompt": "a b", "chosen": " c", "rejected": " d"}"#;
    let long = format!(
        r#"{{"prompt": "{}", "chosen": " c", "rejected": " d"}}"#,
        "a ".repeat(600)
    );
    let rows: [(&str, Vec<u8>); 9] = [
        ("a prompt longer than the limit", long.into_bytes()),
        ("malformed", b"{\"prompt\": \"a".to_vec()),
        ("missing field", br#"{"prompt": "a", "chosen": "b", "rejectd": "c"}"#.to_vec()),
        ("wrong type", br#"{"prompt": "a", "chosen": 3, "rejected": "c"}"#.to_vec()),
        ("empty", br#"{"prompt": "a", "chosen": "", "rejected": "c"}"#.to_vec()),
        ("identical", br#"{"prompt": "a", "chosen": "b", "rejected": "b"}"#.to_vec()),
        ("not UTF-8", b"{\"prompt\": \"\xff\"}".to_vec()),
        ("no object", b"[1, 2]".to_vec()),
        ("mixed", br#"{"prompt": "a", "chosen": [{"role": "assistant", "content": "b"}], "rejected": "c"}"#.to_vec()),
    ];
    let mut failures = String::new();
    for (what, row) in rows {
        let mut text = format!("{good}\n").into_bytes();
        text.extend(row);
        std::fs::write(&data, text).unwrap();
        let output = folder.path().join("run");
        let strict = ["--set", "data.long-prompts=refuse"];
        let said = start(&args(&data, &output, &strict));
        failures += &format!("{what}: {}", said.failure(folder.path()));
        assert!(!output.exists(), "{what}");
    }
    insta::assert_snapshot!(failures);
}

#[test]
fn a_token_without_an_embedding_is_an_error_of_its_row() {
    let folder = tempfile::tempdir().unwrap();
    let data = write_pairs(folder.path(), 4);
    let broken = folder.path().join("model");
    std::fs::create_dir(&broken).unwrap();
    for entry in std::fs::read_dir(model("llama")).unwrap() {
        let path = entry.unwrap().path();
        std::fs::write(
            broken.join(path.file_name().unwrap()),
            std::fs::read(&path).unwrap(),
        )
        .unwrap();
    }
    let path = broken.join("tokenizer.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut tokenizer: serde_json::Value = serde_json::from_str(&text).unwrap();
    tokenizer["model"]["vocab"]["<zzz>"] = serde_json::json!(5000);
    let mut added = tokenizer["added_tokens"][0].clone();
    added["id"] = serde_json::json!(5000);
    added["content"] = serde_json::json!("<zzz>");
    tokenizer["added_tokens"]
        .as_array_mut()
        .unwrap()
        .push(added);
    std::fs::write(&path, tokenizer.to_string()).unwrap();
    // The same token is also the padding.
    let config = broken.join("tokenizer_config.json");
    let text = std::fs::read_to_string(&config).unwrap();
    let mut tokens: serde_json::Value = serde_json::from_str(&text).unwrap();
    tokens["pad_token"] = serde_json::json!("<zzz>");
    std::fs::write(&config, tokens.to_string()).unwrap();

    let broken = broken.display().to_string();
    let train = |data: &std::path::Path, output: &str, more: &[&str]| {
        let output = folder.path().join(output).display().to_string();
        let data = data.display().to_string();
        let start = [
            "train", "--data", &data, "--model", &broken, "--output", &output,
        ];
        run(&[&start[..], &["--set", "train.steps=1"], more].concat())
    };
    // The model can be trained as long as no text contains the token.
    let said = train(&data, "without", &[]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let text = std::fs::read_to_string(&data).unwrap();
    let changed: Vec<String> = text.lines().map(str::to_owned).collect();
    assert_eq!(changed.len(), 4);
    let third = changed[2].replace("what is", "what is <zzz>");
    assert_ne!(third, changed[2]);
    let other = folder.path().join("other.jsonl");
    let rows = [&changed[0], &changed[1], &third, &changed[3]].map(String::as_str);
    std::fs::write(&other, rows.join("\n")).unwrap();
    insta::assert_snapshot!(train(&other, "with", &[]).failure(folder.path()));
    let said = train(&other, "skipping", &["--set", "data.on-error=skip"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let rejects = std::fs::read_to_string(folder.path().join("skipping/rejects.txt")).unwrap();
    assert_eq!(rejects.lines().count(), 1, "{rejects}");
}

#[test]
fn a_dry_run_prints_the_plan() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("plan.toml");
    std::fs::write(
        &config,
        "[model]\npath = \"m\"\n[data]\ntrain = \"p.jsonl\"\n",
    )
    .unwrap();
    let config = config.display().to_string();
    let said = run(&[
        "train",
        "--config",
        &config,
        "--objective",
        "adpo",
        "--dry-run",
    ]);
    insta::assert_snapshot!(said.out);
    let typo = run(&["train", "--config", &config, "--set", "train.stesp=3"]);
    assert_eq!(typo.code, Some(1));
    insta::assert_snapshot!(typo.failure(folder.path()), @"[1] error: unknown setting `train.stesp` in --set; did you mean `train.steps`?");
}
