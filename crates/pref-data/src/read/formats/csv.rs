//! Rows of CSV and TSV. In: bytes whose first line is a header. Out: one object per row; every
//! value is the text of its cell.

use std::io::BufRead;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use crate::read::error::ReadError;
use crate::read::rows::{SourceRow, SourceRows};

/// The rows of a table. The first error is the last item.
pub(in crate::read) fn csv_rows(
    path: &Arc<Path>,
    reader: Box<dyn BufRead>,
    delimiter: u8,
) -> SourceRows {
    let path = Arc::clone(path);
    let failed = |path: &Path, error: csv::Error| ReadError::Format {
        path: path.to_owned(),
        line: error.position().map_or(1, |p| p.line() as usize),
        format: "CSV",
        message: error.to_string(),
    };
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .from_reader(reader);
    let mut header: Vec<String> = match reader.headers() {
        Ok(header) => header.iter().map(str::to_owned).collect(),
        Err(error) => return Box::new(std::iter::once(Err(failed(&path, error)))),
    };
    if let Some(first) = header.first_mut() {
        *first = first.trim_start_matches('\u{feff}').to_owned();
    }
    let mut record = csv::StringRecord::new();
    let mut has_failed = false;
    Box::new(std::iter::from_fn(move || {
        if has_failed {
            return None;
        }
        match reader.read_record(&mut record) {
            Ok(false) => None,
            Ok(true) => {
                let cells = header.iter().cloned().zip(&record);
                Some(Ok(SourceRow {
                    path: Arc::clone(&path),
                    line: record.position().map_or(1, |p| p.line() as usize),
                    object: cells
                        .map(|(name, cell)| (name, Value::String(cell.to_owned())))
                        .collect(),
                    is_table: true,
                }))
            }
            Err(error) => {
                has_failed = true;
                Some(Err(failed(&path, error)))
            }
        }
    }))
}
