//! Code shared by the readers of binary formats. In: a reader from another crate, which may panic
//! on damaged files. Out: rows, and one error where the file is damaged.

use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use crate::panics::catch_panic;
use crate::read::error::ReadError;
use crate::read::rows::{SourceRow, SourceRows};

/// Rows of a binary format. `next` returns the next row, or None at the end. Its first error, or its
/// first panic, is the last item.
pub(super) fn binary_rows<E: Display>(
    format: &'static str,
    path: &Arc<Path>,
    mut next: impl FnMut() -> Result<Option<Value>, E> + 'static,
) -> SourceRows {
    let path = Arc::clone(path);
    let mut n_rows = 0;
    let mut has_failed = false;
    Box::new(std::iter::from_fn(move || {
        if has_failed {
            return None;
        }
        n_rows += 1;
        let row = catch_damage(format, &path, n_rows, &mut next);
        has_failed = row.is_err();
        let row = row.transpose()?;
        Some(row.and_then(|row| SourceRow::from_value(&path, n_rows, row)))
    }))
}

/// Calls a reader of a binary format. Its error or panic becomes an error that names file and row.
pub(super) fn catch_damage<T, E: Display>(
    format: &'static str,
    path: &Path,
    line: usize,
    read: impl FnOnce() -> Result<T, E>,
) -> Result<T, ReadError> {
    let failed = |message| ReadError::Format {
        path: path.to_owned(),
        line,
        format,
        message,
    };
    match catch_panic(read) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(failed(error.to_string())),
        Err(panic) => Err(failed(format!("the file is damaged ({panic})"))),
    }
}
