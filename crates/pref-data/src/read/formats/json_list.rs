//! Rows of a JSON list, one at a time: the whole list is never in memory. In: bytes that begin with
//! `[`. Out: the objects of the list, numbered from 1.

use std::io::{BufRead, Read};
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use struson::reader::{JsonReader, JsonReaderPosition, JsonStreamReader, ReaderError};
use struson::serde::DeserializerError;

use crate::read::error::ReadError;
use crate::read::rows::{SourceRow, SourceRows};

/// The objects of a list. The first error is the last item.
pub(in crate::read) fn json_list(path: &Arc<Path>, mut reader: Box<dyn BufRead>) -> SourceRows {
    // an I/O error here is ignored, because the next read reports it
    if reader.fill_buf().is_ok_and(|bytes| bytes.starts_with(BOM)) {
        reader.consume(BOM.len());
    }
    let path = Arc::clone(path);
    let mut json = Some(JsonStreamReader::new(reader));
    let mut n_rows = 0;
    Box::new(std::iter::from_fn(move || {
        n_rows += 1;
        match next(&mut json, n_rows == 1) {
            Ok(value) => value.map(|value| SourceRow::from_value(&path, n_rows, value)),
            Err(error) => {
                json = None;
                Some(Err(read_error(&path, error)))
            }
        }
    }))
}

/// A byte order mark.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// The next element. After the last element, None; the file must end there.
fn next<R: Read>(
    reader: &mut Option<JsonStreamReader<R>>,
    is_first: bool,
) -> Result<Option<Value>, DeserializerError> {
    let Some(json) = reader else { return Ok(None) };
    if is_first {
        json.begin_array()?;
    }
    if json.has_next()? {
        return json.deserialize_next().map(Some);
    }
    json.end_array()?;
    if let Some(json) = reader.take() {
        json.consume_trailing_whitespace()?;
    }
    Ok(None)
}

fn read_error(path: &Path, error: DeserializerError) -> ReadError {
    let (message, place) = match error {
        DeserializerError::ReaderError(ReaderError::IoError { error, .. }) => {
            return ReadError::file(path, error);
        }
        DeserializerError::ReaderError(ReaderError::SyntaxError(error)) => {
            (in_words(&error.kind.to_string()), Some(error.location))
        }
        DeserializerError::ReaderError(ReaderError::UnsupportedNumberValue {
            number,
            location,
        }) => (format!("the number {number}"), Some(location)),
        other => (other.to_string(), None),
    };
    let lines = |place: JsonReaderPosition| place.line_pos;
    let (line, column) = match place.and_then(lines) {
        Some(place) => (place.line as usize + 1, place.column as usize + 1),
        None => (1, 1),
    };
    ReadError::Format {
        path: path.to_owned(),
        line,
        format: "JSON",
        message: format!("{message}, at column {column}"),
    }
}

/// Converts the name of an error to words: `MissingComma` to `missing comma`.
fn in_words(name: &str) -> String {
    let mut words = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(c.to_lowercase());
    }
    words
}
