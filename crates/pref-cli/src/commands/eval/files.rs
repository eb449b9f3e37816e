//! JSON files of an evaluation. In: values. Out: files that are complete or absent.

use std::path::Path;

use anyhow::{Context, Result};
use pref_model::write_file;
use serde_json::Value;

/// Writes a JSON file that is complete or absent.
pub(super) fn write(path: &Path, value: &Value) -> Result<()> {
    write_file(path, format!("{value:#}\n").as_bytes()).with_context(|| path.display().to_string())
}
