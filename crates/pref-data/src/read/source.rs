//! From files to rows, one at a time: JSON Lines, JSON, CSV and Parquet, plain or compressed.
//! In: a path, a folder or a pattern. Out: JSON objects with their places, in file order.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::reader::RowIter;
use serde_json::{Map, Value};

use super::error::ReadError;
use super::list::json_list;
use super::row::kind;
use crate::caught::caught;
use crate::pair::Place;

/// The longest line of JSON Lines, in bytes.
const LONGEST_LINE: u64 = 1 << 28;

/// What data files are called, a compression's ending aside.
const ENDINGS: [&str; 6] = ["jsonl", "ndjson", "json", "csv", "tsv", "parquet"];

/// A row of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceRow {
    /// Its file.
    pub path: Arc<Path>,
    /// Line in the file, from 1; in a JSON list and in Parquet, which have none, the row.
    pub line: usize,
    /// What it holds.
    pub object: Map<String, Value>,
    /// Whether it is from CSV, whose cells are all text.
    pub(super) is_table: bool,
}

impl SourceRow {
    /// Where it is.
    pub(crate) fn place(&self) -> Place {
        Place {
            file: Some(Arc::clone(&self.path)),
            line: self.line,
        }
    }
}

pub(super) type Rows = Box<dyn Iterator<Item = Result<SourceRow, ReadError>>>;

/// The rows of a file, of a folder's data files by name, of the files that a pattern matches, or of
/// a data set of the hub, `hub:OWNER/NAME` (feature `hub`).
/// They are read as they are asked for: memory does not grow with the file.
///
/// # Errors
/// [`ReadError`] if there is no file. What is wrong with a row comes in its place.
pub fn read_rows(
    path: &Path,
) -> Result<impl Iterator<Item = Result<SourceRow, ReadError>> + use<>, ReadError> {
    let files = files(path)?;
    Ok(files.into_iter().flat_map(|path| {
        let shared: Arc<Path> = path.clone().into();
        match open(&shared) {
            Ok(rows) => rows,
            Err(error) => Box::new(std::iter::once(Err(error))),
        }
    }))
}

/// The files that a path means.
fn files(path: &Path) -> Result<Vec<PathBuf>, ReadError> {
    let no_file = |why: String| ReadError::NoFile {
        path: path.to_owned(),
        why,
    };
    let mut files = Vec::new();
    let text = path.to_string_lossy();
    if let Some(dataset) = text.strip_prefix("hub:") {
        return from_hub(dataset);
    }
    if path.is_dir() {
        let entries = fs::read_dir(path).map_err(|e| file_error(path, e))?;
        for entry in entries {
            let path = entry.map_err(|e| file_error(path, e))?.path();
            if format(&path).is_some() && path.is_file() {
                files.push(path);
            }
        }
        if files.is_empty() {
            return Err(no_file(format!(
                "the folder has none of *.{}",
                ENDINGS.join(", *.")
            )));
        }
    } else if !path.exists() && text.contains(['*', '?', '[']) {
        let matches = glob::glob(&text).map_err(|e| no_file(e.to_string()))?;
        for path in matches {
            files.push(path.map_err(|e| file_error(path_of(&e), io::Error::other(e.to_string())))?);
        }
        files.retain(|path| path.is_file());
        if files.is_empty() {
            return Err(no_file("nothing matches the pattern".to_owned()));
        }
    } else {
        files.push(path.to_owned());
    }
    files.sort();
    Ok(files)
}

#[cfg(feature = "hub")]
fn from_hub(dataset: &str) -> Result<Vec<PathBuf>, ReadError> {
    let is_data = |path: &Path| format(path).is_some();
    Ok(crate::hub::hub_files(
        dataset,
        is_data,
        &Default::default(),
    )?)
}

#[cfg(not(feature = "hub"))]
fn from_hub(dataset: &str) -> Result<Vec<PathBuf>, ReadError> {
    Err(ReadError::NoHub(dataset.to_owned()))
}

fn path_of(error: &glob::GlobError) -> &Path {
    error.path()
}

/// The format that a file's name says, a compression's ending aside.
fn format(path: &Path) -> Option<&'static str> {
    let name = path.file_name()?.to_string_lossy().to_lowercase();
    let name = [".gz", ".zst"]
        .iter()
        .find_map(|ending| name.strip_suffix(ending))
        .unwrap_or(&name);
    let (_, ending) = name.rsplit_once('.')?;
    ENDINGS.into_iter().find(|&known| known == ending)
}

fn open(path: &Arc<Path>) -> Result<Rows, ReadError> {
    let format = format(path);
    if format == Some("parquet") {
        return parquet_rows(path);
    }
    let mut reader = decompressed(path)?;
    match format {
        Some("csv") => Ok(csv_rows(path, reader, b',')),
        Some("tsv") => Ok(csv_rows(path, reader, b'\t')),
        // a `.json` file is a list, or JSON Lines by another name
        Some("json") if first_byte(path, &mut reader)? == Some(b'[') => Ok(json_list(path, reader)),
        _ => Ok(json_lines(path, reader)),
    }
}

/// A file's bytes, decompressed if they say that they are compressed.
fn decompressed(path: &Path) -> Result<Box<dyn BufRead>, ReadError> {
    let mut file =
        BufReader::with_capacity(1 << 16, File::open(path).map_err(|e| file_error(path, e))?);
    let magic = file.fill_buf().map_err(|e| file_error(path, e))?;
    let reader: Box<dyn Read> = if magic.starts_with(&[0x1f, 0x8b]) {
        Box::new(flate2::bufread::MultiGzDecoder::new(file))
    } else if magic.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        let decoder = zstd::Decoder::with_buffer(file).map_err(|e| file_error(path, e))?;
        Box::new(decoder)
    } else {
        return Ok(Box::new(file));
    };
    Ok(Box::new(BufReader::with_capacity(1 << 16, reader)))
}

/// The first byte that is neither white space nor a byte order mark, left unread.
fn first_byte(path: &Path, reader: &mut dyn BufRead) -> Result<Option<u8>, ReadError> {
    loop {
        let buffer = reader.fill_buf().map_err(|e| file_error(path, e))?;
        let skipped = buffer
            .iter()
            .take_while(|b| b.is_ascii_whitespace() || [0xef, 0xbb, 0xbf].contains(*b))
            .count();
        match buffer.get(skipped) {
            Some(&byte) => return Ok(Some(byte)),
            None if buffer.is_empty() => return Ok(None),
            None => reader.consume(skipped),
        }
    }
}

fn json_lines(path: &Arc<Path>, mut reader: Box<dyn BufRead>) -> Rows {
    let path = Arc::clone(path);
    let mut line = 0;
    let mut bytes = Vec::new();
    let mut failed = false;
    Box::new(std::iter::from_fn(move || {
        while !failed {
            line += 1;
            bytes.clear();
            match reader
                .by_ref()
                .take(LONGEST_LINE)
                .read_until(b'\n', &mut bytes)
            {
                Ok(0) => return None,
                Ok(n) if n as u64 == LONGEST_LINE => {
                    failed = true;
                    return Some(Err(ReadError::LongLine {
                        path: path.to_path_buf(),
                        line,
                        limit: LONGEST_LINE,
                    }));
                }
                Ok(_) => {}
                Err(error) => {
                    failed = true;
                    return Some(Err(file_error(&path, error)));
                }
            }
            let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
            match std::str::from_utf8(text) {
                Ok(text) if text.trim().is_empty() => {}
                Ok(text) => return Some(json_row(&path, line, text)),
                Err(error) => {
                    return Some(Err(ReadError::Utf8 {
                        path: path.to_path_buf(),
                        line,
                        byte: error.valid_up_to(),
                    }));
                }
            }
        }
        None
    }))
}

fn json_row(path: &Arc<Path>, line: usize, text: &str) -> Result<SourceRow, ReadError> {
    let value = serde_json::from_str(text).map_err(|error| ReadError::Json {
        path: path.to_path_buf(),
        line,
        column: error.column(),
        message: plain_message(&error),
    })?;
    object_row(path, line, value)
}

pub(super) fn object_row(
    path: &Arc<Path>,
    line: usize,
    value: Value,
) -> Result<SourceRow, ReadError> {
    match value {
        Value::Object(object) => Ok(SourceRow {
            path: Arc::clone(path),
            line,
            object,
            is_table: false,
        }),
        other => Err(ReadError::NotAnObject {
            path: path.to_path_buf(),
            line,
            found: kind(&other),
        }),
    }
}

fn csv_rows(path: &Arc<Path>, reader: Box<dyn BufRead>, delimiter: u8) -> Rows {
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
    let mut is_over = false;
    Box::new(std::iter::from_fn(move || {
        if is_over {
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
                        .map(|(k, v)| (k, Value::String(v.to_owned())))
                        .collect(),
                    is_table: true,
                }))
            }
            Err(error) => {
                is_over = true;
                Some(Err(failed(&path, error)))
            }
        }
    }))
}

fn parquet_rows(path: &Arc<Path>) -> Result<Rows, ReadError> {
    let file = File::open(path).map_err(|e| file_error(path, e))?;
    let mut rows = damage_caught(path, 1, || {
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
        let row = damage_caught(&path, line, || rows.next().transpose());
        is_over = row.is_err();
        let row = row.transpose()?;
        Some(row.and_then(|row| object_row(&path, line, row.to_json_value())))
    })))
}

/// Runs the Parquet reader, which panics on some files that are damaged.
fn damage_caught<T>(
    path: &Path,
    line: usize,
    read: impl FnOnce() -> Result<T, ParquetError>,
) -> Result<T, ReadError> {
    let failed = |message| ReadError::Format {
        path: path.to_owned(),
        line,
        format: "Parquet",
        message,
    };
    // nothing is read from the reader once it has failed
    match caught(read) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(failed(error.to_string())),
        Err(panic) => Err(failed(format!("the file is damaged ({panic})"))),
    }
}

pub(super) fn file_error(path: &Path, source: io::Error) -> ReadError {
    ReadError::File {
        path: path.to_owned(),
        source,
    }
}

/// The parser's message without the place, which is the line's own and misleads.
fn plain_message(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}
