//! JSON files that a command keeps between its starts. In: values. Out: files that are complete or absent, and the values
//! again.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result};
use pref_model::write_file;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Writes a value, in lines that a person can read.
pub(crate) fn write(path: &Path, value: &impl Serialize) -> Result<()> {
    let at = || path.display().to_string();
    let text = serde_json::to_string_pretty(value).with_context(at)?;
    write_file(path, format!("{text}\n").as_bytes()).with_context(at)
}

/// The value of a file. `None` if the file does not exist.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let at = || path.display().to_string();
    match fs::read_to_string(path) {
        Ok(text) => serde_json::from_str(&text).map(Some).with_context(at),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(at),
    }
}

/// The names of the fields of `now` that are absent from `before`, or have another value there.
pub(crate) fn changed<'a>(before: &Value, now: &'a Value) -> Vec<&'a str> {
    let fields = now.as_object().into_iter().flatten();
    let changed = fields.filter(|(name, value)| before.get(name.as_str()) != Some(*value));
    changed.map(|(name, _)| name.as_str()).collect()
}
