//! Rows of Arrow, as a file or as a stream, which is what `datasets` keeps on disk. In: bytes. Out:
//! the rows as JSON objects, one at a time.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_json::WriterBuilder;
use arrow_json::writer::LineDelimited;
use arrow_schema::ArrowError;
use serde_json::Value;

use super::bytes::{Bytes, seekable};
use super::error::{ReadError, damage_caught};
use super::source::{Rows, object_row};

/// What a file of Arrow begins with; a stream does not.
pub(super) const MAGIC: &[u8] = b"ARROW1";

/// Rows turned into JSON at a time: a batch may be the whole file.
const AT_A_TIME: usize = 64;

type Batches = Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>>>;

/// The rows of a file, under the name that they are to have.
pub(super) fn arrow_rows(path: &Arc<Path>, file: &Path, bytes: Bytes) -> Result<Rows, ReadError> {
    let mut batches: Batches = match bytes.head.starts_with(MAGIC) {
        true => {
            let file = std::io::BufReader::new(seekable(file, bytes)?);
            Box::new(damage_caught("Arrow", path, 1, || {
                FileReader::try_new(file, None)
            })?)
        }
        false => Box::new(damage_caught("Arrow", path, 1, || {
            StreamReader::try_new(bytes.reader, None)
        })?),
    };
    let path = Arc::clone(path);
    let mut batch: Option<RecordBatch> = None;
    let mut rows: VecDeque<Value> = VecDeque::new();
    let mut line = 0;
    let mut is_over = false;
    Ok(Box::new(std::iter::from_fn(move || {
        if is_over {
            return None;
        }
        line += 1;
        while rows.is_empty() {
            let next = damage_caught("Arrow", &path, line, || match batch.take() {
                Some(batch) => Ok(Some(batch)),
                None => batches.next().transpose(),
            });
            let some = match next.transpose()? {
                Ok(some) if some.num_rows() == 0 => continue,
                Ok(some) => some,
                Err(error) => {
                    is_over = true;
                    return Some(Err(error));
                }
            };
            let n = some.num_rows().min(AT_A_TIME);
            let first = some.slice(0, n);
            batch = (n < some.num_rows()).then(|| some.slice(n, some.num_rows() - n));
            match damage_caught("Arrow", &path, line, || values(&first)) {
                Ok(values) => rows.extend(values),
                Err(error) => {
                    is_over = true;
                    return Some(Err(error));
                }
            }
        }
        let row = rows.pop_front()?;
        Some(object_row(&path, line, row))
    })))
}

/// The rows of a batch as JSON, nulls included.
fn values(batch: &RecordBatch) -> Result<Vec<Value>, ArrowError> {
    let builder = WriterBuilder::new().with_explicit_nulls(true);
    let mut writer = builder.build::<_, LineDelimited>(Vec::new());
    writer.write(batch)?;
    writer.finish()?;
    let text = writer.into_inner();
    let lines = serde_json::Deserializer::from_slice(&text).into_iter();
    let values: Result<Vec<Value>, _> = lines.collect();
    values.map_err(|error| ArrowError::JsonError(error.to_string()))
}
