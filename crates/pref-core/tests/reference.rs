//! Every reference case, on both CPU backends: loss, per-pair losses and gradients.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::path::{Path, PathBuf};

use burn::backend::{Autodiff, Flex, NdArray};
use burn::tensor::backend::AutodiffBackend;
use pref_core::Case;

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
    assert!(files.len() >= 47, "only {} cases found", files.len());
    let mut failures = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("readable");
        let case: Case = text
            .parse()
            .unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let found = case
            .evaluate::<B>(&B::Device::default())
            .unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let expect = case.expect.expect("fixtures say what they expect");
        let worst = expect.worst(&found).expect("something is expected");
        if !worst.is_within_bar() {
            failures.push(format!("{}: {worst}", case.name));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_case_is_within_the_bar_on_flex() {
    check::<Autodiff<Flex>>();
}

#[test]
fn every_case_is_within_the_bar_on_ndarray() {
    check::<Autodiff<NdArray>>();
}

#[test]
fn every_method_has_its_section_in_the_page() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/objectives.md");
    let page = std::fs::read_to_string(path).expect("the page is in the repository");
    for method in pref_core::Method::ALL {
        let heading = format!("\n### {}\n", method.name());
        assert!(page.contains(&heading), "no section for {}", method.name());
    }
}
