//! The hash of rows. In: a path of data. Out: a hash that differs if a row does.

use std::path::Path;

use anyhow::{Result, ensure};
use pref_data::read_rows;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The hash of all rows of a file, a folder, a pattern or a data set, in their order: 32 hexadecimal digits.
///
/// # Errors
/// If the data cannot be read, or is stdin, which cannot be read a second time.
pub(crate) fn hash_of_rows(path: &Path) -> Result<String> {
    ensure!(
        path != Path::new("-"),
        "-: this command reads its rows several times, and stdin can be read once; write them into a file"
    );
    let mut hash = Sha256::new();
    for row in read_rows(path)? {
        match row {
            Ok(row) => hash.update(Value::Object(row.object).to_string()),
            // A row that is skipped.
            Err(error) if error.row().is_some() => hash.update(error.to_string()),
            Err(error) => return Err(error.into()),
        }
        hash.update(b"\n");
    }
    let digest = hash.finalize();
    Ok(digest[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

    use super::*;

    #[test]
    fn a_changed_row_changes_the_hash() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.jsonl");
        let of = |text: &str| {
            std::fs::write(&path, text).unwrap();
            hash_of_rows(&path).unwrap()
        };
        let first = of("{\"a\": 1}\n{\"a\": 2}\n");
        assert_eq!(first.len(), 32);
        assert_eq!(
            of("{\"a\":1}\n\n{\"a\":2}"),
            first,
            "white space is no change"
        );
        assert_ne!(of("{\"a\": 1}\n"), first);
        assert_ne!(of("{\"a\": 2}\n{\"a\": 1}\n"), first);
        assert_ne!(of("{\"a\": 1}\n[2]\n"), first);
        assert!(hash_of_rows(Path::new("-")).is_err());
    }
}
