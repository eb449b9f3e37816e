//! The tiny models of the fixtures, for all test files.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::path::{Path, PathBuf};

/// One model of each family, and of Llama 3 with scaled positions.
pub(crate) const FAMILIES: [&str; 6] = [
    "llama",
    "llama3-scaled",
    "mistral",
    "qwen2",
    "qwen3",
    "gemma3",
];

/// All models.
pub(crate) const MODELS: [&str; 9] = [
    "llama",
    "llama2",
    "llama3-scaled",
    "mistral",
    "qwen2",
    "qwen3",
    "qwen3-yarn",
    "qwen3-yarn-plain",
    "gemma3",
];

/// The folder of a model.
pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fixtures/models")
        .join(name)
}
