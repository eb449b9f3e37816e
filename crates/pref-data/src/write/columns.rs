//! Writes rows as tables. In: rows, which are stored on disk until all columns are known. Out: CSV,
//! Parquet or Arrow.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Seek, Write};
use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_ipc::writer::FileWriter;
use arrow_json::ReaderBuilder;
use arrow_json::reader::infer_json_schema_from_iterator;
use arrow_schema::{ArrowError, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use serde_json::Value;

/// How many rows are converted to columns at a time.
const BATCH_ROWS: usize = 256;

/// The size of a row group of Parquet, in bytes. A row group is in memory until it is written.
const ROW_GROUP_BYTES: usize = 32 << 20;

/// A format whose columns have types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TypedFormat {
    Parquet,
    Arrow,
}

/// Rows in a temporary file without a name.
pub(super) struct RowStore {
    file: BufWriter<File>,
    /// The columns, in the order in which they first appear.
    columns: Vec<String>,
    /// The same columns, for looking them up.
    known: HashSet<String>,
}

impl RowStore {
    /// An empty store on the disk of `folder`, which is the folder of the table. The system's folder for
    /// temporary files may be in memory, and too small.
    pub(super) fn new(folder: &Path) -> io::Result<Self> {
        Ok(Self {
            file: BufWriter::new(tempfile::tempfile_in(folder)?),
            columns: Vec::new(),
            known: HashSet::new(),
        })
    }

    pub(super) fn push(&mut self, row: &Value) -> io::Result<()> {
        for name in row.as_object().into_iter().flat_map(|row| row.keys()) {
            if !self.known.contains(name) {
                self.known.insert(name.clone());
                self.columns.push(name.clone());
            }
        }
        writeln!(self.file, "{row}")
    }

    /// Writes CSV. Texts are written as they are, lists and objects as JSON, null as an empty cell.
    pub(super) fn write_delimited(self, delimiter: u8, target: &mut impl Write) -> io::Result<()> {
        let mut file = self.file.into_inner()?;
        let mut table = csv::WriterBuilder::new()
            .delimiter(delimiter)
            .from_writer(target);
        if !self.columns.is_empty() {
            table.write_record(&self.columns)?;
        }
        for row in rows(&mut file)? {
            let row = row?;
            let cells = self.columns.iter().map(|name| match row.get(name) {
                None | Some(Value::Null) => String::new(),
                Some(Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
            });
            table.write_record(cells)?;
        }
        table.flush()
    }

    /// Writes columns with types.
    ///
    /// # Errors
    /// A message that names the column, if a column is the cause.
    pub(super) fn write_typed(
        self,
        format: TypedFormat,
        target: &mut (impl Write + Send),
    ) -> Result<(), String> {
        let message = |error: io::Error| error.to_string();
        let mut file = self.file.into_inner().map_err(|e| e.to_string())?;
        let all = rows(&mut file).map_err(message)?;
        let all = all.map(|row| row.map_err(|e| ArrowError::IoError(e.to_string(), e)));
        let schema = infer_json_schema_from_iterator(all).map_err(|e| e.to_string())?;
        // the inferred schema is in alphabetical order
        let order = self
            .columns
            .iter()
            .filter_map(|name| schema.index_of(name).ok());
        let schema = schema.project(&order.collect::<Vec<_>>());
        let schema = Arc::new(schema.map_err(|e| e.to_string())?);
        let mut writer = ColumnWriter::new(format, target, &schema)?;
        let mut decoder = ReaderBuilder::new(Arc::clone(&schema))
            .build_decoder()
            .map_err(|e| e.to_string())?;
        let mut all = rows(&mut file).map_err(message)?;
        loop {
            let batch: io::Result<Vec<Value>> = all.by_ref().take(BATCH_ROWS).collect();
            decoder
                .serialize(&batch.map_err(message)?)
                .map_err(|e| e.to_string())?;
            match decoder.flush().map_err(|e| e.to_string())? {
                Some(batch) => writer.write(&batch)?,
                None => return writer.finish(),
            }
        }
    }
}

/// The stored rows, from the beginning.
fn rows(file: &mut File) -> io::Result<impl Iterator<Item = io::Result<Value>> + use<'_>> {
    file.rewind()?;
    let lines = BufReader::new(file).lines();
    Ok(lines.map(|line| Ok(serde_json::from_str(&line?)?)))
}

/// Writes batches of columns.
enum ColumnWriter<'a, W: Write + Send> {
    Parquet(ArrowWriter<&'a mut W>),
    Arrow(FileWriter<&'a mut W>),
}

impl<'a, W: Write + Send> ColumnWriter<'a, W> {
    fn new(format: TypedFormat, target: &'a mut W, schema: &Arc<Schema>) -> Result<Self, String> {
        match format {
            TypedFormat::Parquet => {
                let properties = WriterProperties::builder().set_compression(Compression::SNAPPY);
                let properties = Some(properties.build());
                let writer = ArrowWriter::try_new(target, Arc::clone(schema), properties);
                writer.map(ColumnWriter::Parquet).map_err(parquet_message)
            }
            TypedFormat::Arrow => {
                let writer = FileWriter::try_new(target, schema);
                writer.map(ColumnWriter::Arrow).map_err(|e| e.to_string())
            }
        }
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<(), String> {
        match self {
            ColumnWriter::Parquet(writer) => {
                writer.write(batch).map_err(parquet_message)?;
                match writer.in_progress_size() > ROW_GROUP_BYTES {
                    true => writer.flush().map_err(parquet_message),
                    false => Ok(()),
                }
            }
            ColumnWriter::Arrow(writer) => writer.write(batch).map_err(|e| e.to_string()),
        }
    }

    fn finish(self) -> Result<(), String> {
        match self {
            ColumnWriter::Parquet(writer) => writer.close().map(|_| ()).map_err(parquet_message),
            ColumnWriter::Arrow(mut writer) => writer.finish().map_err(|e| e.to_string()),
        }
    }
}

fn parquet_message(error: ParquetError) -> String {
    error.to_string()
}
