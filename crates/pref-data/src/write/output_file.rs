//! A file that gets its name when it is complete. In: bytes. Out: the file, or no file if writing
//! fails.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use flate2::write::GzEncoder;
use tempfile::{Builder, TempPath};
use zstd::Encoder;

use super::format::Compression;

type Bytes = BufWriter<File>;

/// A file with its compression.
enum Encoded {
    Plain(Bytes),
    Gzip(GzEncoder<Bytes>),
    Zstd(Encoder<'static, Bytes>),
}

/// A file that is being written.
pub(super) struct OutputFile {
    /// None once the file is finished.
    bytes: Option<Encoded>,
    path: PathBuf,
    /// The name of the file until it is complete, which removes the file if it is dropped before. `None` for a
    /// path that cannot be renamed, such as a pipe.
    temporary: Option<TempPath>,
}

impl OutputFile {
    pub(super) fn create(path: &Path, compression: Compression) -> io::Result<Self> {
        let is_special = fs::metadata(path).is_ok_and(|metadata| !metadata.is_file());
        let (file, temporary) = match is_special {
            true => (File::options().write(true).open(path)?, None),
            false => {
                let (file, temporary) = temporary_beside(path)?.into_parts();
                (file, Some(temporary))
            }
        };
        let file = BufWriter::with_capacity(1 << 16, file);
        let bytes = match compression {
            Compression::None => Encoded::Plain(file),
            Compression::Gzip => Encoded::Gzip(GzEncoder::new(file, Default::default())),
            Compression::Zstd => Encoded::Zstd(Encoder::new(file, 0)?),
        };
        Ok(Self {
            bytes: Some(bytes),
            path: path.to_owned(),
            temporary,
        })
    }

    /// Writes the remaining bytes to the disk, and gives the file its name.
    pub(super) fn finish(mut self) -> io::Result<()> {
        let bytes = match self.bytes.take() {
            Some(Encoded::Plain(bytes)) => bytes,
            Some(Encoded::Gzip(bytes)) => bytes.finish()?,
            Some(Encoded::Zstd(bytes)) => bytes.finish()?,
            None => return Ok(()),
        };
        let file = bytes.into_inner()?;
        if let Some(temporary) = self.temporary.take() {
            file.sync_all()?;
            temporary.persist(&self.path)?;
        }
        Ok(())
    }

    fn inner(&mut self) -> io::Result<&mut dyn Write> {
        match &mut self.bytes {
            Some(Encoded::Plain(bytes)) => Ok(bytes),
            Some(Encoded::Gzip(bytes)) => Ok(bytes),
            Some(Encoded::Zstd(bytes)) => Ok(bytes),
            None => Err(io::Error::other("the file is complete")),
        }
    }
}

impl Write for OutputFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.inner()?.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner()?.flush()
    }
}

/// An empty file in the same folder as `path`, with the permissions of an ordinary file.
fn temporary_beside(path: &Path) -> io::Result<tempfile::NamedTempFile> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    };
    let mut builder = Builder::new();
    builder.prefix(".pref-").suffix(".tmp");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}
