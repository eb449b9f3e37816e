//! Rows as tables. In: rows, kept on the disk until all columns are known. Out: CSV, Parquet or Arrow.

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

/// Rows that are put into columns at a time.
const BATCH: usize = 256;

/// Bytes of a Parquet file's columns that are in memory before they are written.
const ROW_GROUP: usize = 32 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    Parquet,
    Arrow,
}

/// Rows in a file without a name.
pub(super) struct Spool {
    file: BufWriter<File>,
    /// In the order in which rows bring them.
    columns: Vec<String>,
    known: HashSet<String>,
}

impl Spool {
    /// Rows on the disk of a folder, which holds the table as well: a folder for temporary files may be
    /// in memory.
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

    /// Writes CSV: texts as they are, lists and objects as JSON, null as nothing.
    pub(super) fn delimited(self, delimiter: u8, target: &mut impl Write) -> io::Result<()> {
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

    /// Writes columns that have types.
    ///
    /// # Errors
    /// What is wrong, and with which column if one is.
    pub(super) fn typed(
        self,
        format: Table,
        target: &mut (impl Write + Send),
    ) -> Result<(), String> {
        let said = |error: io::Error| error.to_string();
        let mut file = self.file.into_inner().map_err(|e| e.to_string())?;
        let all = rows(&mut file).map_err(said)?;
        let all = all.map(|row| row.map_err(|e| ArrowError::IoError(e.to_string(), e)));
        let schema = infer_json_schema_from_iterator(all).map_err(|e| e.to_string())?;
        // in the order of the rows, not of the alphabet
        let order = self
            .columns
            .iter()
            .filter_map(|name| schema.index_of(name).ok());
        let schema = schema.project(&order.collect::<Vec<_>>());
        let schema = Arc::new(schema.map_err(|e| e.to_string())?);
        let mut sink = Sink::new(format, target, &schema)?;
        let mut decoder = ReaderBuilder::new(Arc::clone(&schema))
            .build_decoder()
            .map_err(|e| e.to_string())?;
        let mut all = rows(&mut file).map_err(said)?;
        loop {
            let some: io::Result<Vec<Value>> = all.by_ref().take(BATCH).collect();
            decoder
                .serialize(&some.map_err(said)?)
                .map_err(|e| e.to_string())?;
            match decoder.flush().map_err(|e| e.to_string())? {
                Some(batch) => sink.write(&batch)?,
                None => return sink.finish(),
            }
        }
    }
}

fn rows(file: &mut File) -> io::Result<impl Iterator<Item = io::Result<Value>> + use<'_>> {
    file.rewind()?;
    let lines = BufReader::new(file).lines();
    Ok(lines.map(|line| Ok(serde_json::from_str(&line?)?)))
}

/// Takes batches of columns.
enum Sink<'a, W: Write + Send> {
    Parquet(ArrowWriter<&'a mut W>),
    Arrow(FileWriter<&'a mut W>),
}

impl<'a, W: Write + Send> Sink<'a, W> {
    fn new(format: Table, target: &'a mut W, schema: &Arc<Schema>) -> Result<Self, String> {
        match format {
            Table::Parquet => {
                let properties = WriterProperties::builder().set_compression(Compression::SNAPPY);
                let properties = Some(properties.build());
                let writer = ArrowWriter::try_new(target, Arc::clone(schema), properties);
                writer.map(Sink::Parquet).map_err(of_parquet)
            }
            Table::Arrow => {
                let writer = FileWriter::try_new(target, schema);
                writer.map(Sink::Arrow).map_err(|e| e.to_string())
            }
        }
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<(), String> {
        match self {
            Sink::Parquet(writer) => {
                writer.write(batch).map_err(of_parquet)?;
                match writer.in_progress_size() > ROW_GROUP {
                    true => writer.flush().map_err(of_parquet),
                    false => Ok(()),
                }
            }
            Sink::Arrow(writer) => writer.write(batch).map_err(|e| e.to_string()),
        }
    }

    fn finish(self) -> Result<(), String> {
        match self {
            Sink::Parquet(writer) => writer.close().map(|_| ()).map_err(of_parquet),
            Sink::Arrow(mut writer) => writer.finish().map_err(|e| e.to_string()),
        }
    }
}

fn of_parquet(error: ParquetError) -> String {
    error.to_string()
}
