//! Rows of Parquet. In: a file. Out: its rows as JSON objects, one at a time.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::reader::RowIter;

use super::binary::{binary_rows, catch_damage};
use crate::read::error::ReadError;
use crate::read::rows::SourceRows;

/// The name of the format in messages.
const NAME: &str = "Parquet";

/// The rows of `file`. `path` is its name in messages.
pub(in crate::read) fn parquet_rows(path: &Arc<Path>, file: File) -> Result<SourceRows, ReadError> {
    let mut rows = catch_damage(NAME, path, 1, || {
        let reader = SerializedFileReader::new(file)?;
        let schema = reader.metadata().file_metadata().schema().clone();
        RowIter::from_file_into(Box::new(reader)).project(Some(schema))
    })?;
    Ok(binary_rows(NAME, path, move || {
        let row = rows.next().transpose()?;
        Ok::<_, ParquetError>(row.map(|row| row.to_json_value()))
    }))
}
