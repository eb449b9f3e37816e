//! Rows of Arrow, as a file or as a stream. The Python package `datasets` stores streams. In: bytes.
//! Out: the rows as JSON objects, one at a time.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_json::WriterBuilder;
use arrow_json::writer::LineDelimited;
use arrow_schema::ArrowError;
use serde_json::Value;

use super::binary::{binary_rows, catch_damage};
use crate::read::bytes::{Bytes, seekable};
use crate::read::error::ReadError;
use crate::read::format::ARROW_FILE;
use crate::read::rows::SourceRows;

/// The name of the format in messages.
const NAME: &str = "Arrow";

/// How many rows are converted to JSON at a time. A batch of a file may hold all rows of the file.
const ROWS_AT_A_TIME: usize = 64;

/// The batches of a file, in order.
type Batches = Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>>>;

/// The rows of `file`. `path` is its name in messages.
pub(in crate::read) fn arrow_rows(
    path: &Arc<Path>,
    file: &Path,
    bytes: Bytes,
) -> Result<SourceRows, ReadError> {
    let batches: Batches = match bytes.head.starts_with(ARROW_FILE) {
        true => {
            let file = std::io::BufReader::new(seekable(file, bytes)?);
            Box::new(catch_damage(NAME, path, 1, || {
                FileReader::try_new(file, None)
            })?)
        }
        false => Box::new(catch_damage(NAME, path, 1, || {
            StreamReader::try_new(bytes.reader, None)
        })?),
    };
    let mut rows = JsonRows {
        batches,
        batch: None,
        rows: VecDeque::new(),
    };
    Ok(binary_rows(NAME, path, move || rows.next()))
}

/// Converts batches to rows, a few at a time.
struct JsonRows {
    batches: Batches,
    /// The rows of the current batch that are not converted yet.
    batch: Option<RecordBatch>,
    /// Converted rows.
    rows: VecDeque<Value>,
}

impl JsonRows {
    fn next(&mut self) -> Result<Option<Value>, ArrowError> {
        while self.rows.is_empty() {
            let next = match self.batch.take() {
                Some(batch) => Some(batch),
                None => self.batches.next().transpose()?,
            };
            let Some(batch) = next else { return Ok(None) };
            let n = batch.num_rows().min(ROWS_AT_A_TIME);
            self.rows.extend(json_values(&batch.slice(0, n))?);
            let n_left = batch.num_rows() - n;
            self.batch = (n_left > 0).then(|| batch.slice(n, n_left));
        }
        Ok(self.rows.pop_front())
    }
}

/// The rows of a batch as JSON, including nulls.
fn json_values(batch: &RecordBatch) -> Result<Vec<Value>, ArrowError> {
    let builder = WriterBuilder::new().with_explicit_nulls(true);
    let mut writer = builder.build::<_, LineDelimited>(Vec::new());
    writer.write(batch)?;
    writer.finish()?;
    let text = writer.into_inner();
    let lines = serde_json::Deserializer::from_slice(&text).into_iter();
    let values: Result<Vec<Value>, _> = lines.collect();
    values.map_err(|error| ArrowError::JsonError(error.to_string()))
}
