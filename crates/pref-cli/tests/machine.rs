//! `pref doctor`, `completions` and `man`: this machine in, what the commands print and write out.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod common;

use common::{Said, pref, run, workspace};
use serde_json::{Value, json};

/// Runs `pref doctor` with a token and other settings in the environment.
fn doctor(args: &[&str]) -> Said {
    let mut command = pref(&[&["doctor"], args].concat());
    command.env("HF_TOKEN", "hf_secret").env("HF_HOME", "cache");
    command
        .env_remove("HF_ENDPOINT")
        .env("RAYON_NUM_THREADS", "3");
    Said::new(&command.output().unwrap())
}

/// A value with everything that depends on the machine replaced by its type.
fn shape(value: &Value) -> Value {
    match value {
        Value::Null => json!("null"),
        Value::Bool(_) => json!("true or false"),
        Value::Number(_) => json!("number"),
        Value::String(_) => json!("text"),
        Value::Array(all) => Value::Array(all.first().map(shape).into_iter().collect()),
        Value::Object(all) => {
            let all = all.iter().map(|(key, value)| (key.clone(), shape(value)));
            Value::Object(all.collect())
        }
    }
}

#[test]
fn doctor_reports_the_same_keys_on_every_machine() {
    let said = doctor(&["--json"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let found = said.lines().remove(0);
    let mut shape = shape(&found);
    // These depend on the hardware, the container and the file system.
    for key in ["nvidia", "adapters", "disk", "simd"] {
        assert!(
            shape.as_object_mut().unwrap().shift_remove(key).is_some(),
            "{key}"
        );
    }
    assert!(
        shape["memory"]
            .as_object_mut()
            .unwrap()
            .shift_remove("limit")
            .is_some()
    );
    insta::assert_snapshot!(serde_json::to_string_pretty(&shape).unwrap());
    assert_eq!(found["pref"], env!("CARGO_PKG_VERSION"));
    assert_eq!(found["threads"], 3);
    assert_eq!(found["hub"]["folder"], "cache/hub");
    let devices = found["devices"].as_array().unwrap();
    let works = |name: &str| {
        let device = devices
            .iter()
            .find(|device| device["device"] == name)
            .unwrap();
        assert_eq!(device["error"], Value::Null, "{device}");
        assert!(device["milliseconds"].as_f64().unwrap() > 0.0);
    };
    works("flex");
    if cfg!(feature = "ndarray") {
        works("ndarray");
    }
}

#[test]
fn doctor_prints_one_labelled_line_for_each_fact() {
    let said = doctor(&[]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let varies = ["GPU", "wgpu adapter", "device"];
    let labels = said
        .out
        .lines()
        .map(|line| line.split("  ").next().unwrap());
    let labels: Vec<&str> = labels
        .filter(|label| !varies.iter().any(|start| label.starts_with(start)))
        .collect();
    insta::assert_snapshot!(labels.join("\n"));
    let has = |text: &str| assert!(said.out.contains(text), "{text}: {}", said.out);
    has("device flex                  works: ");
    has("HF_ENDPOINT                  not set\n");
    has("HF_TOKEN                     set; used instead of the hub's token file");
}

#[test]
fn doctor_never_prints_the_token() {
    for args in [&[][..], &["--json"]] {
        let said = doctor(args);
        assert!(!said.out.contains("hf_secret") && !said.err.contains("hf_secret"));
    }
}

#[test]
fn doctor_knows_the_version_of_burn() {
    let manifest = std::fs::read_to_string(workspace("Cargo.toml")).unwrap();
    let line = manifest
        .lines()
        .find(|line| line.starts_with("burn = "))
        .unwrap();
    let found = doctor(&["--json"]).lines().remove(0);
    let version = found["burn"].as_str().unwrap();
    assert!(
        line.contains(&format!("version = \"={version}\"")),
        "{line}"
    );
}

#[test]
fn every_shell_gets_a_script_with_every_command() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let said = run(&["completions", shell]);
        assert_eq!(said.code, Some(0), "{}", said.err);
        for word in ["train", "logprobs", "doctor", "segment"] {
            assert!(said.out.contains(word), "{shell}: {word}");
        }
    }
}

#[test]
fn every_command_has_a_manual_page() {
    let folder = tempfile::tempdir().unwrap();
    let man = folder.path().join("man1");
    let said = run(&["man", "--output", man.to_str().unwrap()]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    for page in [
        "pref",
        "pref-train",
        "pref-data",
        "pref-data-split",
        "pref-doctor",
    ] {
        let text = std::fs::read_to_string(man.join(format!("{page}.1"))).unwrap();
        assert!(text.contains(".TH"), "{page}");
    }
}
