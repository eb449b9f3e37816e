//! Opens paths and reads their rows. In: a file, a folder, a pattern, a data set of the hub, or
//! `-`. Out: JSON objects with their places, in the order of the files.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::bytes::{self, seekable};
use super::error::ReadError;
use super::files::files;
use super::format::{Format, first_byte_is};
use super::formats::{arrow_rows, csv_rows, json_lines, json_list, parquet_rows};
use super::rows::{FIELDS, SourceRow, SourceRows, rename_columns};

/// The rows of a file, of a folder's data files in alphabetical order, of the files that a pattern
/// matches, of a data set of the hub (`hub:OWNER/NAME`, with the feature `hub`), or of stdin (`-`).
///
/// Each row is read when the iterator reaches it, so memory does not grow with the file.
///
/// # Errors
/// [`ReadError`] if there is no file. The error of a row is returned in place of the row.
pub fn read_rows(
    path: &Path,
) -> Result<impl Iterator<Item = Result<SourceRow, ReadError>> + use<>, ReadError> {
    let files = files(path)?;
    Ok(files.into_iter().flat_map(|path| {
        let shared: Arc<Path> = path.into();
        match open(&shared) {
            Ok(rows) => rows,
            Err(error) => Box::new(std::iter::once(Err(error))),
        }
    }))
}

/// The rows of several paths, one after the other, with columns renamed to fields and the cells of tables parsed.
///
/// # Errors
/// [`ReadError`] if a path does not lead to a file, or a field of `columns` does not exist.
pub(super) fn source_rows(
    paths: &[impl AsRef<Path>],
    columns: &BTreeMap<String, String>,
) -> Result<SourceRows, ReadError> {
    for (field, from) in columns {
        if !FIELDS.contains(&field.as_str()) {
            let (from, to) = (from.clone(), field.clone());
            let known = FIELDS.join(", ");
            return Err(ReadError::Column { from, to, known });
        }
    }
    let mut rows: SourceRows = Box::new(std::iter::empty());
    for path in paths {
        rows = Box::new(rows.chain(read_rows(path.as_ref())?));
    }
    let columns = columns.clone();
    Ok(Box::new(rows.map(move |row| {
        let mut row = row?;
        row.object = rename_columns(row.object, &columns);
        if row.is_table {
            row.parse_cells()?;
        }
        Ok(row)
    })))
}

fn open(file: &Arc<Path>) -> Result<SourceRows, ReadError> {
    let bytes = bytes::open(file)?;
    let format = Format::of_name(file).or_else(|| Format::of_bytes(&bytes.head));
    // the name of the file in messages
    let path = &match **file == *Path::new(bytes::STDIN) {
        true => Path::new("stdin").into(),
        false => Arc::clone(file),
    };
    match format {
        Some(Format::Parquet) => parquet_rows(path, seekable(file, bytes)?),
        Some(Format::Arrow) => arrow_rows(path, file, bytes),
        Some(Format::Csv) => Ok(csv_rows(path, bytes.reader, b',')),
        Some(Format::Tsv) => Ok(csv_rows(path, bytes.reader, b'\t')),
        Some(Format::Json) if first_byte_is(&bytes.head, b'[') => Ok(json_list(path, bytes.reader)),
        Some(Format::Json | Format::JsonLines) | None => Ok(json_lines(path, bytes.reader)),
    }
}
