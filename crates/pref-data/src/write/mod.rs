//! Rows to files. In: JSON objects, one at a time. Out: a file of the format that its name says,
//! plain or compressed, which has its name once it is complete.

mod columns;
mod target;

use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::Value;
use thiserror::Error;

use columns::{Spool, Table};
use target::Target;

/// A file that cannot be written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A name that says no format.
    #[error("{}: `{ending}` is no ending of a format that can be written; the endings are {KNOWN}, of text with .gz or .zst behind", path.display())]
    Ending {
        /// Which file.
        path: PathBuf,
        /// What its name ends in.
        ending: String,
    },
    /// Rows that are no table.
    #[error("{}: the rows cannot be a table of typed columns: {message}; write them to a .jsonl file", path.display())]
    Columns {
        /// Which file.
        path: PathBuf,
        /// Which column, and why not.
        message: String,
    },
}

const KNOWN: &str = "jsonl, ndjson, json, csv, tsv, parquet, arrow, feather";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Lines,
    /// A list of objects.
    List,
    /// CSV, by what stands between the cells.
    Delimited(u8),
    Parquet,
    Arrow,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compression {
    None,
    Gzip,
    Zstd,
}

/// Writes rows.
///
/// ```
/// use pref_data::{RowWriter, read_pairs};
/// let folder = tempfile::tempdir()?;
/// let file = folder.path().join("pairs.parquet");
/// let mut rows = RowWriter::create(&file)?;
/// rows.write(&serde_json::json!({"prompt": "2+2?", "chosen": "4", "rejected": "5"}))?;
/// assert_eq!(rows.finish()?, 1);
/// assert_eq!(read_pairs(&file)?.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RowWriter {
    path: PathBuf,
    format: Format,
    target: Target,
    // a table's columns are known behind its last row
    spool: Option<Spool>,
    n_rows: usize,
}

impl std::fmt::Debug for RowWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut writer = f.debug_struct("RowWriter");
        let writer = writer
            .field("path", &self.path)
            .field("format", &self.format);
        writer.finish_non_exhaustive()
    }
}

impl RowWriter {
    /// Begins a file. Its format is what its name ends in; a name without an ending is JSON Lines.
    ///
    /// # Errors
    /// [`WriteError`] if the ending is none that is known, or the file cannot be made.
    pub fn create(path: &Path) -> Result<Self, WriteError> {
        let (format, compression) = format(path)?;
        let failed = |source| file_error(path, source);
        let spool = match format {
            Format::Lines | Format::List => None,
            Format::Delimited(_) | Format::Parquet | Format::Arrow => {
                let folder = path.parent().filter(|folder| *folder != Path::new(""));
                Some(Spool::new(folder.unwrap_or(Path::new("."))).map_err(failed)?)
            }
        };
        Ok(Self {
            path: path.to_owned(),
            format,
            target: Target::create(path, compression).map_err(failed)?,
            spool,
            n_rows: 0,
        })
    }

    /// Writes a row, an object.
    ///
    /// # Errors
    /// [`WriteError::File`].
    pub fn write(&mut self, row: &Value) -> Result<(), WriteError> {
        let written = match (&mut self.spool, self.format) {
            (Some(spool), _) => spool.push(row),
            (None, Format::List) => {
                let before = if self.n_rows == 0 { "[\n" } else { ",\n" };
                write!(self.target, "{before}{row}")
            }
            (None, _) => writeln!(self.target, "{row}"),
        };
        self.n_rows += 1;
        written.map_err(|source| file_error(&self.path, source))
    }

    /// Gives the file its name, and says how many rows it has.
    ///
    /// # Errors
    /// [`WriteError`]. There is no file then.
    pub fn finish(mut self) -> Result<usize, WriteError> {
        let path = self.path;
        let failed = |source| file_error(&path, source);
        match (self.spool, self.format) {
            (Some(spool), Format::Delimited(delimiter)) => {
                spool
                    .delimited(delimiter, &mut self.target)
                    .map_err(failed)?;
            }
            (Some(spool), format) => {
                let table = match format {
                    Format::Parquet => Table::Parquet,
                    _ => Table::Arrow,
                };
                let written = spool.typed(table, &mut self.target);
                written.map_err(|message| WriteError::Columns {
                    path: path.clone(),
                    message,
                })?;
            }
            (None, Format::List) => {
                let end = if self.n_rows == 0 { "[]\n" } else { "\n]\n" };
                self.target.write_all(end.as_bytes()).map_err(failed)?;
            }
            (None, _) => {}
        }
        self.target.finish().map_err(failed)?;
        Ok(self.n_rows)
    }
}

fn file_error(path: &Path, source: std::io::Error) -> WriteError {
    WriteError::File {
        path: path.to_owned(),
        source,
    }
}

fn format(path: &Path) -> Result<(Format, Compression), WriteError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let lower = name.to_lowercase();
    let (stem, compression) = match (lower.strip_suffix(".gz"), lower.strip_suffix(".zst")) {
        (Some(stem), _) => (stem, Compression::Gzip),
        (None, Some(stem)) => (stem, Compression::Zstd),
        (None, None) => (&*lower, Compression::None),
    };
    let ending = match stem.rsplit_once('.') {
        Some((before, ending)) if !before.is_empty() => ending,
        _ => "",
    };
    let format = match ending {
        "" | "jsonl" | "ndjson" => Some(Format::Lines),
        "json" => Some(Format::List),
        "csv" => Some(Format::Delimited(b',')),
        "tsv" => Some(Format::Delimited(b'\t')),
        // these compress what is in them
        "parquet" if compression == Compression::None => Some(Format::Parquet),
        "arrow" | "feather" if compression == Compression::None => Some(Format::Arrow),
        _ => None,
    };
    match format {
        Some(format) => Ok((format, compression)),
        None => Err(WriteError::Ending {
            path: path.to_owned(),
            ending: lower[stem.len() - ending.len()..].to_owned(),
        }),
    }
}
