//! Rows of JSON Lines. In: bytes. Out: one object for each line that is not blank.

use std::io::{self, BufRead, Read};
use std::path::Path;
use std::sync::Arc;

use crate::read::error::ReadError;
use crate::read::rows::{SourceRow, SourceRows};

/// Size in bytes from which on a line is too long.
const MAX_LINE: u64 = 1 << 28;

/// A byte order mark.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// The rows of a file. A line that is not valid is an error, and reading continues after it. After an
/// I/O error or a line that is too long, reading ends.
pub(in crate::read) fn json_lines(path: &Arc<Path>, mut reader: Box<dyn BufRead>) -> SourceRows {
    let path = Arc::clone(path);
    let mut line = 0;
    let mut bytes = Vec::new();
    let mut has_failed = false;
    Box::new(std::iter::from_fn(move || {
        while !has_failed {
            line += 1;
            match next_line(&mut reader, &mut bytes) {
                Ok(0) => return None,
                Ok(n) if n as u64 == MAX_LINE => {
                    has_failed = true;
                    return Some(Err(ReadError::LongLine {
                        path: path.to_path_buf(),
                        line,
                        limit: MAX_LINE,
                    }));
                }
                Ok(_) => {}
                Err(error) => {
                    has_failed = true;
                    return Some(Err(ReadError::file(&path, error)));
                }
            }
            let text = bytes.strip_prefix(BOM).unwrap_or(&bytes);
            match std::str::from_utf8(text) {
                Ok(text) if text.trim().is_empty() => {}
                Ok(text) => return Some(row(&path, line, text)),
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

/// Reads a line, or the first [`MAX_LINE`] bytes of it. Returns the number of bytes.
fn next_line(reader: &mut dyn BufRead, bytes: &mut Vec<u8>) -> io::Result<usize> {
    bytes.clear();
    reader.take(MAX_LINE).read_until(b'\n', bytes)
}

fn row(path: &Arc<Path>, line: usize, text: &str) -> Result<SourceRow, ReadError> {
    let value = serde_json::from_str(text).map_err(|error| ReadError::Json {
        path: path.to_path_buf(),
        line,
        column: error.column(),
        message: message_without_place(&error),
    })?;
    SourceRow::from_value(path, line, value)
}

/// The parser's message without its place, which is always line 1, because each line is parsed by
/// itself.
fn message_without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}
