//! Writes rows one at a time. In: JSON objects. Out: a file.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::columns::{RowStore, TypedFormat};
use super::error::WriteError;
use super::format::{Format, format_of_name};
use super::output_file::OutputFile;

/// Writes rows to a file.
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
    file: OutputFile,
    output: Output,
    n_rows: usize,
}

/// When and how rows are written to the file.
enum Output {
    /// At once, one per line.
    Lines,
    /// At once, as elements of a JSON list.
    List,
    /// At the end, as CSV with this delimiter: the header needs the columns of all rows.
    Delimited(u8, RowStore),
    /// At the end, as columns with types: a type needs the values of all rows.
    Typed(TypedFormat, RowStore),
}

impl std::fmt::Debug for RowWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut writer = f.debug_struct("RowWriter");
        let writer = writer
            .field("path", &self.path)
            .field("n_rows", &self.n_rows);
        writer.finish_non_exhaustive()
    }
}

impl RowWriter {
    /// Begins a file. The ending of its name determines the format; a name without an ending means
    /// JSON Lines.
    ///
    /// # Errors
    /// [`WriteError`] if the ending belongs to no format, or if the file cannot be created.
    pub fn create(path: &Path) -> Result<Self, WriteError> {
        let (format, compression) = format_of_name(path).map_err(|ending| WriteError::Ending {
            path: path.to_owned(),
            ending,
        })?;
        let failed = |source| WriteError::file(path, source);
        let store = || {
            let folder = path.parent().filter(|folder| *folder != Path::new(""));
            RowStore::new(folder.unwrap_or(Path::new("."))).map_err(failed)
        };
        let output = match format {
            Format::Lines => Output::Lines,
            Format::List => Output::List,
            Format::Delimited(delimiter) => Output::Delimited(delimiter, store()?),
            Format::Parquet => Output::Typed(TypedFormat::Parquet, store()?),
            Format::Arrow => Output::Typed(TypedFormat::Arrow, store()?),
        };
        Ok(Self {
            path: path.to_owned(),
            file: OutputFile::create(path, compression).map_err(failed)?,
            output,
            n_rows: 0,
        })
    }

    /// Writes a row. It must be an object.
    ///
    /// # Errors
    /// [`WriteError::File`].
    pub fn write(&mut self, row: &Value) -> Result<(), WriteError> {
        let written = match &mut self.output {
            Output::Delimited(_, store) | Output::Typed(_, store) => store.push(row),
            Output::List => {
                let before = if self.n_rows == 0 { "[\n" } else { ",\n" };
                write!(self.file, "{before}{row}")
            }
            Output::Lines => writeln!(self.file, "{row}"),
        };
        self.n_rows += 1;
        written.map_err(|source| WriteError::file(&self.path, source))
    }

    /// Completes the file, gives it its name, and returns the number of rows.
    ///
    /// # Errors
    /// [`WriteError`]. In this case there is no file with this name, or the old file is unchanged.
    pub fn finish(mut self) -> Result<usize, WriteError> {
        let path = self.path;
        let failed = |source| WriteError::file(&path, source);
        match self.output {
            Output::Lines => {}
            Output::List => {
                let end = if self.n_rows == 0 { "[]\n" } else { "\n]\n" };
                self.file.write_all(end.as_bytes()).map_err(failed)?;
            }
            Output::Delimited(delimiter, store) => {
                let written = store.write_delimited(delimiter, &mut self.file);
                written.map_err(failed)?;
            }
            Output::Typed(format, store) => {
                let written = store.write_typed(format, &mut self.file);
                written.map_err(|message| WriteError::Columns {
                    path: path.clone(),
                    message,
                })?;
            }
        }
        self.file.finish().map_err(failed)?;
        Ok(self.n_rows)
    }
}
