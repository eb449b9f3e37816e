//! `pref train` without a user at a terminal: stderr is full or closed, signals are ignored, or a second run
//! starts in the same folder.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod common;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{Said, model, pref, write_pairs};

/// Arguments of a run that takes some seconds and writes one checkpoint, at its end.
fn args(folder: &Path, output: &str, steps: usize) -> Vec<String> {
    let data = write_pairs(folder, 20);
    let all = [
        "train".to_owned(),
        "--data".to_owned(),
        data.display().to_string(),
        "--model".to_owned(),
        model("llama"),
        "--output".to_owned(),
        folder.join(output).display().to_string(),
        "--set".to_owned(),
        "train.batch-size=2".to_owned(),
        "--set".to_owned(),
        format!("train.steps={steps}"),
    ];
    all.to_vec()
}

/// The command with quotes for a shell.
fn shell(args: &[String]) -> String {
    let quoted: Vec<String> = args.iter().map(|arg| format!("'{arg}'")).collect();
    format!("'{}' {}", env!("CARGO_BIN_EXE_pref"), quoted.join(" "))
}

fn bash(script: &str) -> Said {
    Said::new(&Command::new("bash").args(["-c", script]).output().unwrap())
}

/// Waits until a run has written two lines of its metrics.
fn wait_for_steps(folder: &Path, output: &str) {
    let metrics = folder.join(output).join("metrics.jsonl");
    let started = Instant::now();
    let lines = || std::fs::read_to_string(&metrics).map_or(0, |text| text.lines().count());
    while lines() < 2 {
        assert!(started.elapsed() < Duration::from_secs(120), "no steps");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn signal(child: &Child, name: &str) {
    let id = child.id().to_string();
    let kill = Command::new("kill").args([name, &id]).status().unwrap();
    assert!(kill.success(), "{name}");
}

#[test]
fn a_stderr_that_is_full_or_gone_does_not_stop_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let full = shell(&args(folder.path(), "full", 3));
    let said = bash(&format!("{full} 2>/dev/full"));
    assert_eq!(said.code, Some(0), "{}", said.err);
    let gone = shell(&args(folder.path(), "gone", 3));
    let said = bash(&format!(
        "{gone} 2>&1 >/dev/null | true; exit ${{PIPESTATUS[0]}}"
    ));
    assert_eq!(said.code, Some(0), "{}", said.err);
    let closed = shell(&args(folder.path(), "closed", 3));
    let said = bash(&format!("{closed} 2>&-"));
    assert_eq!(said.code, Some(0), "{}", said.err);
    for output in ["full", "gone", "closed"] {
        let model = folder.path().join(output).join("model/model.safetensors");
        assert!(model.is_file(), "{output}");
    }
}

#[test]
fn ignored_signals_stay_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let command = shell(&args(folder.path(), "run", 40));
    let child = Command::new("bash")
        .args(["-c", &format!("trap '' HUP INT; exec {command}")])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for_steps(folder.path(), "run");
    signal(&child, "-HUP");
    signal(&child, "-INT");
    let said = Said::new(&child.wait_with_output().unwrap());
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.out.contains("40 steps"), "{}", said.out);
}

#[test]
fn a_second_run_in_the_same_folder_is_refused_and_names_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let args = args(folder.path(), "run", 400);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let first = pref(&args)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_for_steps(folder.path(), "run");
    let second = Said::new(&pref(&args).output().unwrap());
    assert_eq!(second.code, Some(1), "{}", second.err);
    let expected = format!("is in use by another run (process {})", first.id());
    assert!(second.err.contains(&expected), "{}", second.err);
    signal(&first, "-TERM");
    let first = first.wait_with_output().unwrap();
    assert_eq!(first.status.code(), Some(130));
}
