//! Rows of Parquet. In: a file. Out: its rows as JSON objects, one at a time.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::reader::RowIter;

use super::error::{ReadError, damage_caught};
use super::source::{Rows, object_row};

pub(super) fn parquet_rows(path: &Arc<Path>, file: File) -> Result<Rows, ReadError> {
    let mut rows = damage_caught("Parquet", path, 1, || {
        let reader = SerializedFileReader::new(file)?;
        let schema = reader.metadata().file_metadata().schema().clone();
        RowIter::from_file_into(Box::new(reader)).project(Some(schema))
    })?;
    let path = Arc::clone(path);
    let mut line = 0;
    let mut is_over = false;
    Ok(Box::new(std::iter::from_fn(move || {
        if is_over {
            return None;
        }
        line += 1;
        let row = damage_caught("Parquet", &path, line, || rows.next().transpose());
        is_over = row.is_err();
        let row = row.transpose()?;
        Some(row.and_then(|row| object_row(&path, line, row.to_json_value())))
    })))
}
