//! Reads rows as pairs or single answers. In: files and options. Out: pairs or single answers, one
//! at a time or in chunks, all from rows of the same shape.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use super::detect_shape::{shape_of_row, shape_of_rows};
use super::error::ReadError;
use super::grouping::PromptGroup;
use super::open::source_rows;
use super::options::{ReadOptions, Summary};
use super::record::{Record, examples_of_pair, n_bytes_of_value};
use super::rows::{SourceRow, SourceRows};
use super::shape::Shape;
use crate::text::{Example, Pair, Place};

/// Maximum number of rows that determine the shape.
const SAMPLE_ROWS: usize = 1000;

/// The shape is determined from fewer rows if they reach this size, in bytes.
const SAMPLE_BYTES: usize = 16 << 20;

/// Maximum number of rows in a chunk: enough to divide among threads.
const CHUNK_ROWS: usize = 1024;

/// Maximum size of the texts in a chunk, in bytes, apart from its last row.
const CHUNK_BYTES: usize = 4 << 20;

/// Reads files row by row. Each file is read once, so it may be a pipe. Memory does not grow with the
/// files.
///
/// ```
/// use pref_data::{Reader, ReadOptions, Record, Shape};
/// let folder = tempfile::tempdir()?;
/// let file = folder.path().join("pairs.jsonl");
/// std::fs::write(&file, r#"{"prompt": "2+2?", "chosen": "4", "rejected": "5", "id": 7}"#)?;
/// let mut reader = Reader::open(&[&file], &ReadOptions::default())?;
/// assert_eq!(reader.shape(), Some(Shape::Pairs));
/// let Some(Ok(Record::Pair(pair))) = reader.next() else { panic!("a pair") };
/// assert_eq!(pair.more["id"], 7);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Reader {
    rows: SourceRows,
    shape: Option<Shape>,
    /// Whether the user chose the shape. Rows are then not checked for another shape.
    is_shape_given: bool,
    skip_bad_rows: bool,
    /// The rated rows of the current prompt, if the shape has several rows per pair.
    group: PromptGroup,
    /// The rows that determined the shape. They are returned before the next row of `rows`.
    sample: VecDeque<Result<SourceRow, ReadError>>,
    /// The first path, for messages.
    path: PathBuf,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut reader = f.debug_struct("Reader");
        let reader = reader.field("path", &self.path).field("shape", &self.shape);
        reader.finish_non_exhaustive()
    }
}

impl Reader {
    /// Opens files, folders, patterns, data sets of the hub, or `-` for stdin, to be read one after
    /// the other. The first thousand rows determine the shape.
    ///
    /// # Errors
    /// [`ReadError`] if a path does not lead to a file, or if the rows have several shapes and the
    /// options name none. The error of a row is returned in place of the row.
    pub fn open(paths: &[impl AsRef<Path>], options: &ReadOptions) -> Result<Self, ReadError> {
        let rows = source_rows(paths, &options.columns)?;
        let mut reader = Self {
            rows,
            shape: options.shape,
            is_shape_given: options.shape.is_some(),
            skip_bad_rows: options.skip_bad_rows,
            group: PromptGroup::default(),
            sample: VecDeque::new(),
            path: paths
                .first()
                .map_or_else(PathBuf::new, |path| path.as_ref().to_owned()),
        };
        if !reader.is_shape_given {
            reader.find_shape()?;
        }
        Ok(reader)
    }

    fn find_shape(&mut self) -> Result<(), ReadError> {
        let mut n_bytes = 0;
        while self.sample.len() < SAMPLE_ROWS && n_bytes < SAMPLE_BYTES {
            let Some(row) = self.rows.next() else { break };
            n_bytes += match &row {
                Ok(row) => row.object.values().map(n_bytes_of_value).sum(),
                Err(_) => 0,
            };
            self.sample.push_back(row);
        }
        self.shape = shape_of_rows(self.sample.iter().flatten())?;
        Ok(())
    }

    /// The shape of the rows. None if the first thousand rows do not determine it.
    pub fn shape(&self) -> Option<Shape> {
        self.shape
    }

    /// Reads pairs to the end, and passes them to `sink` in chunks.
    ///
    /// # Errors
    /// [`ReadError`] at the first row that is not a pair, unless [`ReadOptions::skip_bad_rows`] is set,
    /// and the errors of `sink`.
    pub fn each_pair<E: From<ReadError>>(
        self,
        sink: impl FnMut(Vec<Pair>) -> Result<(), E>,
    ) -> Result<Summary, E> {
        self.each_chunk(
            |record, pairs| match record {
                Record::Pair(pair) => {
                    pairs.push(pair);
                    Ok(())
                }
                Record::Example(example) => {
                    let Place { file, line } = example.place;
                    let path = file.map_or_else(PathBuf::new, |file| file.to_path_buf());
                    Err(ReadError::Unpaired { path, line })
                }
            },
            sink,
        )
    }

    /// Reads single answers to the end, and passes them to `sink` in chunks. A pair gives two answers:
    /// the chosen one, which is wanted, and the rejected one, which is not.
    ///
    /// # Errors
    /// As [`Reader::each_pair`].
    pub fn each_example<E: From<ReadError>>(
        self,
        sink: impl FnMut(Vec<Example>) -> Result<(), E>,
    ) -> Result<Summary, E> {
        self.each_chunk(
            |record, examples| {
                match record {
                    Record::Example(example) => examples.push(example),
                    Record::Pair(pair) => examples.extend(examples_of_pair(pair)),
                }
                Ok(())
            },
            sink,
        )
    }

    /// Reads the wanted answers to the end, and passes them to `sink` in chunks: the chosen answer of a
    /// pair, and single answers unless their label is false.
    ///
    /// # Errors
    /// As [`Reader::each_pair`].
    pub fn each_wanted<E: From<ReadError>>(
        self,
        sink: impl FnMut(Vec<Example>) -> Result<(), E>,
    ) -> Result<Summary, E> {
        self.each_chunk(
            |record, examples| {
                match record {
                    Record::Example(example) if example.label == Some(false) => {}
                    Record::Example(example) => examples.push(example),
                    Record::Pair(pair) => {
                        let [chosen, _] = examples_of_pair(pair);
                        examples.push(chosen);
                    }
                }
                Ok(())
            },
            sink,
        )
    }

    /// Reads to the end. `add` adds the rows of a record to the current chunk.
    fn each_chunk<T, E: From<ReadError>>(
        mut self,
        add: impl Fn(Record, &mut Vec<T>) -> Result<(), ReadError>,
        mut sink: impl FnMut(Vec<T>) -> Result<(), E>,
    ) -> Result<Summary, E> {
        let (mut chunk, mut n_bytes, mut n_rows) = (Vec::new(), 0, 0);
        let mut rejects = Vec::new();
        while let Some(record) = self.next() {
            let size = record.as_ref().map_or(0, Record::n_bytes);
            match record.and_then(|record| add(record, &mut chunk)) {
                Ok(()) => {}
                Err(error) if self.skip_bad_rows && error.row().is_some() => rejects.push(error),
                Err(error) => return Err(error.into()),
            }
            n_bytes += size;
            if chunk.len() >= CHUNK_ROWS || n_bytes >= CHUNK_BYTES {
                n_rows += chunk.len();
                n_bytes = 0;
                sink(std::mem::take(&mut chunk))?;
            }
        }
        n_rows += chunk.len();
        if !chunk.is_empty() {
            sink(chunk)?;
        }
        match self.shape.filter(|_| n_rows > 0) {
            Some(shape) => Ok(Summary { shape, rejects }),
            // all rows were skipped: the first error says more than "no rows"
            None if !rejects.is_empty() => Err(rejects.swap_remove(0).into()),
            None => Err(ReadError::NoPairs { path: self.path }.into()),
        }
    }

    /// The next row. If a pair has several rows, all rows of the next prompt are returned as one
    /// row.
    fn next_row(&mut self) -> Option<Result<SourceRow, ReadError>> {
        loop {
            let next = self.sample.pop_front().or_else(|| self.rows.next());
            let Some(next) = next else {
                return self.group.finish().map(Ok);
            };
            let row = match next.and_then(|row| self.check_shape(row)) {
                Ok(row) => row,
                Err(error) => return Some(Err(error)),
            };
            if !self.shape.is_some_and(Shape::is_grouped) {
                return Some(Ok(row));
            }
            if let Some(group) = self.group.add(row) {
                return Some(Ok(group));
            }
        }
    }

    /// An error if a row has another shape than the rows before it.
    fn check_shape(&mut self, row: SourceRow) -> Result<SourceRow, ReadError> {
        if self.is_shape_given {
            return Ok(row);
        }
        let found = shape_of_row(&row);
        match (self.shape, found) {
            (None, None) => Err(row.shapeless()),
            // the first thousand rows did not determine the shape
            (None, Some(_)) => {
                self.shape = found;
                Ok(row)
            }
            (Some(expected), Some(found)) if expected != found => Err(ReadError::OtherShape {
                path: row.path.to_path_buf(),
                line: row.line,
                found,
                expected,
            }),
            (Some(_), _) => Ok(row),
        }
    }
}

impl Iterator for Reader {
    type Item = Result<Record, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let row = match self.next_row()? {
            Ok(row) => row,
            Err(error) => return Some(Err(error)),
        };
        let shape = self.shape?;
        Some(match shape {
            Shape::Unpaired
            | Shape::PromptCompletion
            | Shape::Samples
            | Shape::Messages
            | Shape::Text => row.example(shape).map(Record::Example),
            Shape::Pairs
            | Shape::ImplicitPrompt
            | Shape::ShareGpt
            | Shape::Rated
            | Shape::RatedRows
            | Shape::HelpSteer => row.pair(shape).map(Record::Pair),
        })
    }
}
