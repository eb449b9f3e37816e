//! Rows stored as bytes. In: values, one after the other. Out: the same values, read by the position of their
//! bytes. Up to 64 MiB stay in memory. Above this size, the rows go to a temporary file that is mapped into
//! memory, so a data set can be larger than memory.

use std::fs::File;
use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Number of bytes that stay in memory before they go to the file.
const IN_MEMORY: usize = 64 << 20;

/// Stores rows.
#[derive(Debug)]
pub(crate) struct RowWriter {
    folder: PathBuf,
    limit: usize,
    memory: Vec<u8>,
    file: Option<File>,
    /// Number of bytes in the file.
    written: usize,
}

impl RowWriter {
    /// A writer whose file, if it needs one, is on the disk of this folder, or of its nearest parent
    /// that exists.
    pub(crate) fn new(folder: &Path) -> Self {
        let folder = folder.ancestors().find(|folder| folder.is_dir());
        Self {
            folder: folder.unwrap_or(Path::new(".")).to_owned(),
            limit: IN_MEMORY,
            memory: Vec::new(),
            file: None,
            written: 0,
        }
    }

    /// The folder that the file is in, if there is one.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Stores a row, and returns the position of its bytes.
    pub(crate) fn push(&mut self, row: &impl Serialize) -> io::Result<Range<usize>> {
        let start = self.written + self.memory.len();
        postcard::to_io(row, &mut self.memory).map_err(io::Error::other)?;
        let end = self.written + self.memory.len();
        if self.memory.len() > self.limit {
            self.spill()?;
        }
        Ok(start..end)
    }

    fn spill(&mut self) -> io::Result<()> {
        let file = match self.file.take() {
            Some(file) => file,
            None => tempfile::tempfile_in(&self.folder)?,
        };
        self.file.insert(file).write_all(&self.memory)?;
        self.written += self.memory.len();
        self.memory.clear();
        Ok(())
    }

    /// The stored rows.
    pub(crate) fn finish(mut self) -> io::Result<StoredRows> {
        if self.file.is_some() {
            self.spill()?;
        }
        Ok(StoredRows(match self.file {
            Some(file) => Bytes::Mapped(map(&file)?),
            None => Bytes::Memory(self.memory),
        }))
    }
}

/// Rows by the position of their bytes.
#[derive(Debug)]
pub(crate) struct StoredRows(Bytes);

#[derive(Debug)]
enum Bytes {
    Memory(Vec<u8>),
    Mapped(Mmap),
}

impl StoredRows {
    /// The row at this position.
    ///
    /// # Panics
    /// If the bytes are not a row of this type.
    pub(crate) fn get<T: DeserializeOwned>(&self, bytes: Range<usize>) -> T {
        postcard::from_bytes(self.bytes(bytes))
            .expect("the bytes were stored as a row of this type")
    }

    /// The bytes of the row at this position.
    pub(crate) fn bytes(&self, bytes: Range<usize>) -> &[u8] {
        match &self.0 {
            Bytes::Memory(all) => &all[bytes],
            Bytes::Mapped(map) => &map[bytes],
        }
    }
}

/// Maps a file into memory. No process may shorten the file meanwhile. This holds, because the files of this
/// crate have no name or are only replaced by new files.
pub(crate) fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: the map is only read, and none of the files that are mapped here is written in place.
    #[expect(unsafe_code, reason = "mapping a file is always unsafe")]
    unsafe {
        Mmap::map(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_as_they_were_written() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        for limit in [0, 100, IN_MEMORY] {
            let mut writer = RowWriter::new(&folder.path().join("not/there"));
            assert_eq!(writer.folder(), folder.path());
            writer.limit = limit;
            let rows: Vec<Vec<u32>> = (0..50).map(|n| (0..n).collect()).collect();
            let places: io::Result<Vec<_>> = rows.iter().map(|row| writer.push(row)).collect();
            let written = writer.finish()?;
            assert_eq!(matches!(written.0, Bytes::Mapped(_)), limit < IN_MEMORY);
            let read: Vec<Vec<u32>> = places?.into_iter().map(|at| written.get(at)).collect();
            assert_eq!(read, rows);
        }
        // the file has no name
        assert_eq!(std::fs::read_dir(folder.path())?.count(), 0);
        Ok(())
    }
}
