//! Rows to pairs. In: files, and how they are read. Out: pairs or single answers one at a time, or
//! in chunks, of the one shape that the files have.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::error::ReadError;
use super::row;
use super::shape::Shape;
use super::source::{SourceRow, read_rows};
use super::{ReadOptions, Summary};
use crate::pair::{Example, Pair, Place};

/// Rows that are looked at to find out their shape.
const SAMPLE_ROWS: usize = 1000;

/// Bytes of these rows beyond which no more are looked at.
const SAMPLE_BYTES: usize = 16 << 20;

/// Rows handed on at a time: enough to share among threads.
const CHUNK_ROWS: usize = 1024;

/// Bytes of text handed on at a time, if one row has not more.
const CHUNK_BYTES: usize = 4 << 20;

/// What a row, or the rated rows of a prompt, is read as.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// Two answers to a prompt.
    Pair(Pair),
    /// One answer, wanted or not.
    Example(Example),
}

impl Record {
    /// Where it is from.
    pub fn place(&self) -> &Place {
        match self {
            Record::Pair(pair) => &pair.place,
            Record::Example(example) => &example.place,
        }
    }
}

type Rows = Box<dyn Iterator<Item = Result<SourceRow, ReadError>>>;

/// Reads files, row by row and once: a pipe will do. Memory does not grow with the files.
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
    rows: Rows,
    shape: Option<Shape>,
    // a shape that the user named is not argued with
    is_given: bool,
    skips: bool,
    /// Rated rows of one prompt, put together.
    group: Option<SourceRow>,
    /// What comes before the next row.
    waiting: VecDeque<Result<SourceRow, ReadError>>,
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
    /// the other, and finds out the shape of their rows from the first thousand.
    ///
    /// # Errors
    /// [`ReadError`] if a path means no file, or the rows are of several shapes and none was named.
    /// What is wrong with a row comes in its place.
    pub fn open(paths: &[impl AsRef<Path>], options: &ReadOptions) -> Result<Self, ReadError> {
        for (field, from) in &options.columns {
            if !row::FIELDS.contains(&field.as_str()) {
                let (from, to) = (from.clone(), field.clone());
                let known = row::FIELDS.join(", ");
                return Err(ReadError::Column { from, to, known });
            }
        }
        let mut rows: Rows = Box::new(std::iter::empty());
        for path in paths {
            rows = Box::new(rows.chain(read_rows(path.as_ref())?));
        }
        let columns = options.columns.clone();
        let rows = rows.map(move |row| {
            let mut row = row?;
            row.object = row::renamed(row.object, &columns);
            if row.is_table {
                row.parse_cells()?;
            }
            Ok(row)
        });
        let mut reader = Self {
            rows: Box::new(rows),
            shape: options.shape,
            is_given: options.shape.is_some(),
            skips: options.skip_bad_rows,
            group: None,
            waiting: VecDeque::new(),
            path: paths
                .first()
                .map_or_else(PathBuf::new, |path| path.as_ref().to_owned()),
        };
        if !reader.is_given {
            reader.find_shape()?;
        }
        Ok(reader)
    }

    fn find_shape(&mut self) -> Result<(), ReadError> {
        let mut n_bytes = 0;
        while self.waiting.len() < SAMPLE_ROWS && n_bytes < SAMPLE_BYTES {
            let Some(row) = self.rows.next() else { break };
            n_bytes += match &row {
                Ok(row) => row.object.values().map(n_bytes_of).sum(),
                Err(_) => 0,
            };
            self.waiting.push_back(row);
        }
        self.shape = Shape::of_all(self.waiting.iter().flatten())?;
        Ok(())
    }

    /// The shape of the rows; none if no row of the first thousand has one.
    pub fn shape(&self) -> Option<Shape> {
        self.shape
    }

    /// Reads pairs to the end, and hands them on in chunks.
    ///
    /// # Errors
    /// [`ReadError`] at the first row that is no pair unless bad rows are passed over, and what `sink`
    /// returns.
    pub fn each_pair<E: From<ReadError>>(
        self,
        sink: impl FnMut(Vec<Pair>) -> Result<(), E>,
    ) -> Result<Summary, E> {
        self.each(
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

    /// Reads single answers to the end, and hands them on in chunks. A pair is two: its chosen answer
    /// is wanted, its rejected one is not.
    ///
    /// # Errors
    /// As [`Reader::each_pair`].
    pub fn each_example<E: From<ReadError>>(
        self,
        sink: impl FnMut(Vec<Example>) -> Result<(), E>,
    ) -> Result<Summary, E> {
        self.each(
            |record, examples| {
                match record {
                    Record::Example(example) => examples.push(example),
                    Record::Pair(pair) => examples.extend(both(pair)),
                }
                Ok(())
            },
            sink,
        )
    }

    fn each<T, E: From<ReadError>>(
        mut self,
        keep: impl Fn(Record, &mut Vec<T>) -> Result<(), ReadError>,
        mut sink: impl FnMut(Vec<T>) -> Result<(), E>,
    ) -> Result<Summary, E> {
        let (mut found, mut n_bytes, mut n_rows) = (Vec::new(), 0, 0);
        let mut rejects = Vec::new();
        while let Some(record) = self.next() {
            let size = record.as_ref().map_or(0, n_bytes_of_record);
            match record.and_then(|record| keep(record, &mut found)) {
                Ok(()) => {}
                Err(error) if self.skips && error.row().is_some() => rejects.push(error),
                Err(error) => return Err(error.into()),
            }
            n_bytes += size;
            if found.len() >= CHUNK_ROWS || n_bytes >= CHUNK_BYTES {
                n_rows += found.len();
                n_bytes = 0;
                sink(std::mem::take(&mut found))?;
            }
        }
        n_rows += found.len();
        if !found.is_empty() {
            sink(found)?;
        }
        match self.shape.filter(|_| n_rows > 0) {
            Some(shape) => Ok(Summary { shape, rejects }),
            // nothing is left: what was wrong with the first row says more
            None if !rejects.is_empty() => Err(rejects.swap_remove(0).into()),
            None => Err(ReadError::NoPairs { path: self.path }.into()),
        }
    }

    /// The next row of the files' shape, or the rated rows of the next prompt as one.
    fn next_row(&mut self) -> Option<Result<SourceRow, ReadError>> {
        loop {
            let next = self.waiting.pop_front().or_else(|| self.rows.next());
            let Some(next) = next else {
                return self.group.take().map(Ok);
            };
            let row = match next.and_then(|row| self.checked(row)) {
                Ok(row) => row,
                Err(error) => return Some(Err(error)),
            };
            if !self.shape.is_some_and(Shape::is_grouped) {
                return Some(Ok(row));
            }
            match &mut self.group {
                Some(group) if group.object.get("prompt") == row.object.get("prompt") => {
                    collect(group, row);
                }
                group => {
                    if let Some(done) = group.replace(begin(row)) {
                        return Some(Ok(done));
                    }
                }
            }
        }
    }

    /// Refuses a row of another shape than the one that was found out.
    fn checked(&mut self, row: SourceRow) -> Result<SourceRow, ReadError> {
        if self.is_given {
            return Ok(row);
        }
        let found = Shape::of(&row);
        match (self.shape, found) {
            // the first thousand rows told nothing
            (None, None) => Err(row.shapeless()),
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
            Shape::Unpaired => row.example().map(Record::Example),
            Shape::Pairs
            | Shape::ImplicitPrompt
            | Shape::ShareGpt
            | Shape::Rated
            | Shape::RatedRows
            | Shape::HelpSteer => row.pair(shape).map(Record::Pair),
        })
    }
}

/// A pair as a wanted and an unwanted answer.
fn both(pair: Pair) -> [Example; 2] {
    let example = |completion, desirable| Example {
        prompt: pair.prompt.clone(),
        completion,
        desirable,
        tools: pair.tools.clone(),
        template_kwargs: pair.template_kwargs.clone(),
        place: pair.place.clone(),
        more: pair.more.clone(),
    };
    let (chosen, rejected) = (pair.chosen.clone(), pair.rejected.clone());
    [example(chosen, true), example(rejected, false)]
}

/// A row of one rated response as one of a list.
fn begin(mut row: SourceRow) -> SourceRow {
    let [response, rating] = rated(&mut row);
    for (list, value) in [("responses", response), ("ratings", rating)] {
        row.object
            .insert(list.to_owned(), Value::Array(vec![value]));
    }
    row
}

/// Adds a row to its group; of the other fields those stay in which all rows agree.
fn collect(group: &mut SourceRow, mut row: SourceRow) {
    let [response, rating] = rated(&mut row);
    let lists = [("responses", response), ("ratings", rating)];
    group.object.retain(|field, value| {
        let is_list = lists.iter().any(|(list, _)| list == field);
        is_list || row.object.get(field) == Some(value)
    });
    for (list, value) in lists {
        if let Some(Value::Array(values)) = group.object.get_mut(list) {
            values.push(value);
        }
    }
}

/// A row's response and what it is rated by.
fn rated(row: &mut SourceRow) -> [Value; 2] {
    let mut take = |field: &str| row.object.remove(field);
    let response = take("response").unwrap_or_default();
    let rating = take("rating").or_else(|| take("helpfulness"));
    [response, rating.unwrap_or_default()]
}

fn n_bytes_of_record(record: &Record) -> usize {
    let more = |more: &serde_json::Map<String, Value>| more.values().map(n_bytes_of).sum::<usize>();
    match record {
        Record::Pair(pair) => {
            let texts = [&pair.prompt, &pair.chosen, &pair.rejected];
            texts.map(|text| text.n_bytes()).iter().sum::<usize>() + more(&pair.more)
        }
        Record::Example(example) => {
            example.prompt.n_bytes() + example.completion.n_bytes() + more(&example.more)
        }
    }
}

/// What a value takes, roughly.
fn n_bytes_of(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 8,
        Value::String(text) => 8 + text.len(),
        Value::Array(values) => 8 + values.iter().map(n_bytes_of).sum::<usize>(),
        Value::Object(fields) => {
            let field = |(name, value): (&String, &Value)| name.len() + n_bytes_of(value);
            8 + fields.iter().map(field).sum::<usize>()
        }
    }
}
