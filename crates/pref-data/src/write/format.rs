//! The format and compression of a file that is written. In: its name. Out: [`Format`] and
//! [`Compression`].

use std::path::Path;

/// All endings, for messages.
pub(super) const ENDINGS: &str = "jsonl, ndjson, json, csv, tsv, parquet, arrow, feather";

/// A format of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// One JSON object per line.
    Lines,
    /// A JSON list of objects.
    List,
    /// Cells with this byte between them, and a header.
    Delimited(u8),
    /// Apache Parquet.
    Parquet,
    /// An Apache Arrow file.
    Arrow,
}

/// How the whole file is compressed. Parquet and Arrow compress their columns by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Gzip,
    Zstd,
}

/// The format and compression that belong to the name of a file. A name without an ending is JSON
/// Lines.
///
/// # Errors
/// The ending, if it belongs to no format.
pub(super) fn format_of_name(path: &Path) -> Result<(Format, Compression), String> {
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
        "parquet" if compression == Compression::None => Some(Format::Parquet),
        "arrow" | "feather" if compression == Compression::None => Some(Format::Arrow),
        _ => None,
    };
    match format {
        Some(format) => Ok((format, compression)),
        None => Err(lower[stem.len() - ending.len()..].to_owned()),
    }
}
