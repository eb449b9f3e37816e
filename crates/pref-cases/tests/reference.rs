//! Evaluates every reference case on both CPU backends, and compares the loss, the losses of the
//! pairs, and the gradients.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::path::{Path, PathBuf};

use burn::backend::{Autodiff, Flex, NdArray};
use burn::tensor::backend::AutodiffBackend;
use pref_cases::Case;

const LOSSES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/losses");

fn files() -> Vec<PathBuf> {
    let entries = |folder: &Path| {
        let mut paths: Vec<_> = std::fs::read_dir(folder)
            .expect("fixtures are in the repository")
            .map(|entry| entry.expect("readable").path())
            .collect();
        paths.sort();
        paths
    };
    let folders = entries(Path::new(LOSSES));
    folders.iter().flat_map(|folder| entries(folder)).collect()
}

#[track_caller]
fn check<B: AutodiffBackend>() {
    let files = files();
    assert!(files.len() >= 59, "only {} cases found", files.len());
    let mut failures = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("readable");
        let case: Case = text
            .parse()
            .unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let found = case
            .evaluate::<B>(&B::Device::default())
            .unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let expect = case.expect.expect("a fixture says what it expects");
        let deviation = expect.largest_deviation(&found);
        let deviation = deviation.expect("something is expected");
        if !deviation.is_within_tolerance() {
            failures.push(format!("{}: {deviation}", case.name));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_case_is_within_the_tolerance_on_flex() {
    check::<Autodiff<Flex>>();
}

#[test]
fn every_case_is_within_the_tolerance_on_ndarray() {
    check::<Autodiff<NdArray>>();
}

/// The values of every case to four digits. The snapshot makes each change visible in a review.
#[test]
fn the_values_of_every_case() {
    let short = |value: &serde_json::Value| match value.as_f64() {
        Some(number) => format!("{number:.3e}"),
        None => "none".to_owned(),
    };
    let list = |value: &serde_json::Value| {
        let entries = value.as_array().into_iter().flatten();
        entries.take(8).map(short).collect::<Vec<_>>().join(" ")
    };
    let mut table = String::new();
    for file in files() {
        let text = std::fs::read_to_string(&file).expect("readable");
        let case: Case = text.parse().unwrap();
        let found = case.evaluate::<Autodiff<Flex>>(&Default::default());
        let values = found.unwrap().values();
        let each = ["per_pair", "per_example"].map(|key| list(&values[key]));
        let line = format!(
            "{:<28} {}  {}",
            case.name,
            short(&values["loss"]),
            each.concat()
        );
        table.push_str(line.trim_end());
        table.push('\n');
        for key in ["chosen", "rejected"] {
            let gradient = list(&values["grad"][0][key]);
            if !gradient.is_empty() {
                table.push_str(&format!("    grad[0].{key} {gradient}\n"));
            }
        }
    }
    insta::assert_snapshot!(table);
}
