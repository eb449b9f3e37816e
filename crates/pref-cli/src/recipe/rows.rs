//! Files of the recipe. In: rows. Out: JSON Lines, and back.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use pref_model::write_file;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Writes a file, or nothing.
pub(super) fn write_rows<T: Serialize>(path: &Path, rows: &[T]) -> Result<()> {
    let shown = || path.display().to_string();
    let mut text = String::new();
    for row in rows {
        text.push_str(&serde_json::to_string(row)?);
        text.push('\n');
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(shown)?;
    }
    write_file(path, text.as_bytes()).with_context(shown)
}

/// Reads a file that [`write_rows`] has written.
pub(super) fn read_rows<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let rows = text.lines().enumerate().map(|(index, line)| {
        serde_json::from_str(line)
            .with_context(|| format!("{}, line {}", path.display(), index + 1))
    });
    rows.collect()
}
