//! From files to rows, one at a time: JSON Lines, JSON, CSV, Parquet and Arrow, plain or compressed.
//! In: a path. Out: JSON objects with their places, in file order.

use std::io::{self, BufRead, Read};
use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::arrow::{self, arrow_rows};
use super::bytes::{self, seekable};
use super::error::ReadError;
use super::files::files;
use super::list::json_list;
use super::parquet::parquet_rows;
use super::row::{FIELDS, kind};
use crate::pair::Place;

/// The longest line of JSON Lines, in bytes.
const LONGEST_LINE: u64 = 1 << 28;

/// What data files are called, a compression's ending aside.
pub(super) const ENDINGS: [&str; 8] = [
    "jsonl", "ndjson", "json", "csv", "tsv", "parquet", "arrow", "feather",
];

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

/// The rows of a file, of a folder's data files by name, of the files that a pattern matches, of a
/// data set of the hub, `hub:OWNER/NAME` (feature `hub`), or of stdin, `-`.
/// They are read as they are asked for: memory does not grow with the file.
///
/// # Errors
/// [`ReadError`] if there is no file. What is wrong with a row comes in its place.
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

/// The format that a file's name says, a compression's ending aside.
pub(super) fn format(path: &Path) -> Option<&'static str> {
    let name = path.file_name()?.to_string_lossy().to_lowercase();
    let name = [".gz", ".zst"]
        .iter()
        .find_map(|ending| name.strip_suffix(ending))
        .unwrap_or(&name);
    let (_, ending) = name.rsplit_once('.')?;
    ENDINGS.into_iter().find(|&known| known == ending)
}

fn open(file: &Arc<Path>) -> Result<Rows, ReadError> {
    let bytes = bytes::open(file)?;
    let format = format(file).or_else(|| format_of_bytes(&bytes.head));
    // what rows are named by
    let path = &match **file == *Path::new(bytes::STDIN) {
        true => Path::new("stdin").into(),
        false => Arc::clone(file),
    };
    match format {
        Some("parquet") => parquet_rows(path, seekable(file, bytes)?),
        Some("arrow" | "feather") => arrow_rows(path, file, bytes),
        Some("csv") => Ok(csv_rows(path, bytes.reader, b',')),
        Some("tsv") => Ok(csv_rows(path, bytes.reader, b'\t')),
        // a `.json` file is a list, or JSON Lines by another name
        Some("json") if begins_with(&bytes.head, b'[') => Ok(json_list(path, bytes.reader)),
        _ => Ok(json_lines(path, bytes.reader)),
    }
}

/// The format that the first bytes say, for a name that says nothing, such as a pipe's.
fn format_of_bytes(head: &[u8]) -> Option<&'static str> {
    /// The length of a stream's first message follows these.
    const ARROW_STREAM: &[u8] = b"\xff\xff\xff\xff";
    if head.starts_with(b"PAR1") {
        return Some("parquet");
    }
    if head.starts_with(arrow::MAGIC) || head.starts_with(ARROW_STREAM) {
        return Some("arrow");
    }
    if begins_with(head, b'[') {
        return Some("json");
    }
    let header = head.split(|&b| b == b'\n' || b == b'\r').next()?;
    let header = String::from_utf8_lossy(header);
    let header = header.trim_start_matches('\u{feff}');
    let is_header = |delimiter: char| {
        let mut names = header.split(delimiter).map(|name| name.trim_matches('"'));
        header.contains(delimiter) && names.any(|name| FIELDS.contains(&name))
    };
    match () {
        () if begins_with(head, b'{') => Some("jsonl"),
        () if is_header(',') => Some("csv"),
        () if is_header('\t') => Some("tsv"),
        () => None,
    }
}

/// Whether this is the first byte that is neither white space nor of a byte order mark.
fn begins_with(head: &[u8], byte: u8) -> bool {
    let is_space = |b: &&u8| b.is_ascii_whitespace() || [0xef, 0xbb, 0xbf].contains(*b);
    head.iter().find(|b| !is_space(b)) == Some(&byte)
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
