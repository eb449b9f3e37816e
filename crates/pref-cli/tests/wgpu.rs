//! The backend wgpu, with the feature `wgpu`, on whatever device Vulkan or Metal has, such as Mesa's software device:
//! reference cases, log-probs of the random decoders, and training beside `flex`.

#![cfg(feature = "wgpu")]
#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod common;

use std::fs;
use std::path::Path;

use common::{Said, pref, workspace, write_pairs};
use serde_json::{Value, json};

/// Runs `pref` with few trials of kernels, whose results are kept in a folder of the build.
fn run(args: &[&str]) -> Said {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wgpu");
    fs::create_dir_all(&folder).unwrap();
    let settings = "[autotune]\nlevel = \"minimal\"\ncache = \"local\"\n";
    fs::write(folder.join("cubecl.toml"), settings).unwrap();
    let mut command = pref(args);
    let said = Said::new(&command.current_dir(folder).output().unwrap());
    assert_eq!(said.code, Some(0), "{args:?}: {}", said.err);
    said
}

fn absolute(path: &str) -> String {
    workspace(path)
        .canonicalize()
        .unwrap()
        .display()
        .to_string()
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn every_reference_case_is_within_the_tolerance() {
    let said = run(&["loss", &absolute("fixtures/losses"), "--device", "wgpu"]);
    let lines = said.lines();
    assert!(lines.len() >= 59, "only {} cases", lines.len());
    for line in lines {
        assert_eq!(line["ok"], true, "{line}");
    }
}

#[test]
fn the_log_probs_of_the_decoders_are_those_of_transformers() {
    let folder = tempfile::tempdir().unwrap();
    let rows = folder.path().join("rows.jsonl").display().to_string();
    for name in ["gemma3", "llama3-scaled", "mistral", "qwen2", "qwen3-yarn"] {
        let decoder = absolute(&format!("fixtures/models/{name}"));
        let expected = read(&Path::new(&decoder).join("expected.json"));
        let cases = expected["cases"].as_array().unwrap();
        let line = |case: &Value| json!({"input_ids": case["input_ids"]}).to_string();
        let lines: Vec<String> = cases.iter().map(line).collect();
        fs::write(&rows, lines.join("\n")).unwrap();
        let said = run(&["logprobs", "--model", &decoder, &rows, "--device", "wgpu"]);
        let found = said.lines();
        assert_eq!(found.len(), cases.len(), "{name}");
        for (found, case) in found.iter().zip(cases) {
            let values =
                |value: &Value| -> Vec<f64> { serde_json::from_value(value.clone()).unwrap() };
            let (found, expected) = (values(&found["log_probs"]), values(&case["log_probs"]));
            assert_eq!(found.len(), expected.len(), "{name}");
            let far = found.iter().zip(&expected).map(|(a, b)| (a - b).abs());
            let far = far.fold(0.0, f64::max);
            assert!(far <= 4e-5, "{name}: off by {far}");
        }
    }
}

/// What a run leaves: the lines of its metrics, and the values of its trained weights by name.
struct Trained {
    metrics: Vec<Value>,
    weights: Vec<(String, Vec<f32>)>,
}

fn train(folder: &Path, device: &str, file: &str, settings: &[&str]) -> Trained {
    let output = folder.join(device);
    let data = write_pairs(folder, 8).display().to_string();
    let (path, llama) = (
        output.display().to_string(),
        absolute("fixtures/models/llama"),
    );
    let mut args = vec![
        "train", "--data", &data, "--model", &llama, "--output", &path, "--device", device,
    ];
    // The same division into forward passes on both devices, and few shapes, because each one tries kernels.
    let all = [
        "train.batch-size=4",
        "train.batch-tokens=4096",
        "train.pad-to-multiple-of=64",
    ];
    for setting in all.iter().chain(settings) {
        args.extend(["--set", setting]);
    }
    run(&args);
    let metrics = fs::read_to_string(output.join("metrics.jsonl")).unwrap();
    let metrics = metrics
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let bytes = fs::read(output.join("model").join(file)).unwrap();
    let stored = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let values = |bytes: &[u8]| -> Vec<f32> {
        let numbers = bytes
            .chunks_exact(4)
            .map(|number| number.try_into().unwrap());
        numbers.map(f32::from_le_bytes).collect()
    };
    let mut weights: Vec<_> = stored
        .tensors()
        .into_iter()
        .map(|(name, view)| (name, values(view.data())))
        .collect();
    weights.sort_by(|a, b| a.0.cmp(&b.0));
    Trained {
        metrics: metrics.collect(),
        weights,
    }
}

/// Trains on `flex` and on `wgpu`, and compares losses and norms of gradients of every step, and the weights after the
/// last. Both bars are relative, that of the weights to the largest weight of a tensor.
#[track_caller]
fn check(file: &str, steps: usize, settings: &[&str], of_metrics: f64, of_weights: f32) {
    let folder = tempfile::tempdir().unwrap();
    let [flex, wgpu] = ["flex", "wgpu"].map(|device| train(folder.path(), device, file, settings));
    let losses = |run: &Trained| -> Vec<(f64, f64)> {
        let of_step = |line: &Value| Some((line["loss"].as_f64()?, line["grad_norm"].as_f64()?));
        run.metrics.iter().filter_map(of_step).collect()
    };
    let (expected, found) = (losses(&flex), losses(&wgpu));
    assert_eq!((expected.len(), found.len()), (steps, steps));
    for (step, (expected, found)) in expected.iter().zip(&found).enumerate() {
        for (a, b) in [(expected.0, found.0), (expected.1, found.1)] {
            assert!(
                (a / b - 1.0).abs() <= of_metrics,
                "step {step}: {b}, expected {a}"
            );
        }
    }
    assert_eq!(flex.weights.len(), wgpu.weights.len());
    for ((name, expected), (other, found)) in flex.weights.iter().zip(&wgpu.weights) {
        assert_eq!((name, expected.len()), (other, found.len()));
        let largest = expected.iter().fold(0.0_f32, |a, x| a.max(x.abs()));
        let far = expected.iter().zip(found).map(|(a, b)| (a - b).abs());
        let far = far.fold(0.0, f32::max);
        assert!(far <= of_weights * largest, "{name}: {far} of {largest}");
    }
}

/// After one step of gradient descent at a large rate, the weights are the gradients times this rate, because the weights
/// themselves are small beside them.
#[test]
fn the_gradients_of_a_first_step_are_those_of_flex() {
    let settings = [
        "train.steps=1",
        "train.optimizer=sgd",
        "train.learning-rate=1e6",
        "train.schedule=constant",
        "train.max-grad-norm=0",
    ];
    check("model.safetensors", 1, &settings, 2e-5, 5e-5);
}

#[test]
fn four_steps_of_dpo_are_those_of_flex() {
    let settings = ["train.steps=4", "train.learning-rate=1e-3"];
    check("model.safetensors", 4, &settings, 1e-4, 1e-3);
}

#[test]
fn a_step_of_an_adapter_is_that_of_flex() {
    let settings = [
        "train.steps=1",
        "train.learning-rate=1e-3",
        "train.lora.rank=4",
    ];
    check("adapter_model.safetensors", 1, &settings, 2e-5, 1e-3);
}
