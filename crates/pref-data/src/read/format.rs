//! The format of a file. In: its name, or its first bytes. Out: [`Format`].

use std::path::Path;

use super::rows::FIELDS;

/// A format of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// One JSON object per line.
    JsonLines,
    /// A list of JSON objects, or JSON Lines with the ending of JSON.
    Json,
    /// Cells separated by commas, with a header.
    Csv,
    /// Cells separated by tabs, with a header.
    Tsv,
    /// Apache Parquet.
    Parquet,
    /// Apache Arrow, as a file or as a stream.
    Arrow,
}

/// The endings of data files, apart from an ending that names a compression.
pub(super) const ENDINGS: [(&str, Format); 8] = [
    ("jsonl", Format::JsonLines),
    ("ndjson", Format::JsonLines),
    ("json", Format::Json),
    ("csv", Format::Csv),
    ("tsv", Format::Tsv),
    ("parquet", Format::Parquet),
    ("arrow", Format::Arrow),
    ("feather", Format::Arrow),
];

/// The first bytes of an Arrow file. An Arrow stream begins with other bytes.
pub(super) const ARROW_FILE: &[u8] = b"ARROW1";

/// The first bytes of an Arrow stream. The length of the first message follows.
const ARROW_STREAM: &[u8] = b"\xff\xff\xff\xff";

/// The first bytes of a Parquet file.
const PARQUET: &[u8] = b"PAR1";

impl Format {
    /// The format that belongs to the ending of a file's name.
    pub(super) fn of_name(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_string_lossy().to_lowercase();
        let name = [".gz", ".zst"]
            .iter()
            .find_map(|ending| name.strip_suffix(ending))
            .unwrap_or(&name);
        let (_, ending) = name.rsplit_once('.')?;
        let known = ENDINGS.into_iter().find(|(known, _)| *known == ending);
        known.map(|(_, format)| format)
    }

    /// The format that the first bytes show. It is used for a name without a known ending, such as
    /// the name of a pipe.
    pub(super) fn of_bytes(head: &[u8]) -> Option<Self> {
        if head.starts_with(PARQUET) {
            return Some(Format::Parquet);
        }
        if head.starts_with(ARROW_FILE) || head.starts_with(ARROW_STREAM) {
            return Some(Format::Arrow);
        }
        if first_byte_is(head, b'[') {
            return Some(Format::Json);
        }
        if first_byte_is(head, b'{') {
            return Some(Format::JsonLines);
        }
        let header = head.split(|&b| b == b'\n' || b == b'\r').next()?;
        let header = String::from_utf8_lossy(header);
        let header = header.trim_start_matches('\u{feff}');
        let is_header = |delimiter: char| {
            let mut names = header.split(delimiter).map(|name| name.trim_matches('"'));
            header.contains(delimiter) && names.any(|name| FIELDS.contains(&name))
        };
        if is_header(',') {
            return Some(Format::Csv);
        }
        is_header('\t').then_some(Format::Tsv)
    }
}

/// Whether `byte` is the first byte that is neither white space nor part of a byte order mark.
pub(super) fn first_byte_is(head: &[u8], byte: u8) -> bool {
    let is_space = |b: &&u8| b.is_ascii_whitespace() || [0xef, 0xbb, 0xbf].contains(*b);
    head.iter().find(|b| !is_space(b)) == Some(&byte)
}
