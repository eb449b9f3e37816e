//! The bytes of a file, a pipe or stdin. In: a path. Out: a reader of the bytes, decompressed if
//! they are compressed, and a copy of the first bytes, from which the format is detected.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek};
use std::path::Path;

use super::error::ReadError;

/// Number of first bytes that are copied.
const HEAD: u64 = 4096;

/// The path that means standard input.
pub(super) const STDIN: &str = "-";

/// The bytes of a file.
pub(super) struct Bytes {
    /// A copy of the first bytes.
    pub(super) head: Vec<u8>,
    /// All bytes, including the first ones.
    pub(super) reader: Box<dyn BufRead>,
}

/// Opens a file or a pipe, or stdin for `-`.
pub(super) fn open(path: &Path) -> Result<Bytes, ReadError> {
    let reader: Box<dyn Read> = match path == Path::new(STDIN) {
        true => Box::new(io::stdin()),
        false => source(path)?,
    };
    let failed = |e| ReadError::file(path, e);
    let Bytes { head, reader } = with_head(reader).map_err(failed)?;
    let decoder: Box<dyn Read> = if head.starts_with(&[0x1f, 0x8b]) {
        Box::new(flate2::bufread::MultiGzDecoder::new(reader))
    } else if head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        Box::new(zstd::Decoder::with_buffer(reader).map_err(failed)?)
    } else {
        return Ok(Bytes { head, reader });
    };
    with_head(decoder).map_err(failed)
}

/// The same bytes as a file in which a reader can seek: the file itself if it is not compressed,
/// otherwise a temporary copy without a name.
pub(super) fn seekable(path: &Path, mut bytes: Bytes) -> Result<File, ReadError> {
    let failed = |e| ReadError::file(path, e);
    if path.is_file() {
        let mut file = File::open(path).map_err(failed)?;
        let mut start = vec![0; bytes.head.len()];
        // the bytes differ if the file is compressed
        if file.read_exact(&mut start).is_ok() && start == bytes.head {
            file.rewind().map_err(failed)?;
            return Ok(file);
        }
    }
    let mut copy = tempfile::tempfile().map_err(failed)?;
    io::copy(&mut bytes.reader, &mut copy).map_err(failed)?;
    copy.rewind().map_err(failed)?;
    Ok(copy)
}

fn with_head(mut reader: Box<dyn Read>) -> io::Result<Bytes> {
    let mut head = Vec::new();
    reader.by_ref().take(HEAD).read_to_end(&mut head)?;
    let rest = BufReader::with_capacity(1 << 16, reader);
    let reader = Box::new(Cursor::new(head.clone()).chain(rest));
    Ok(Bytes { head, reader })
}

#[cfg(not(unix))]
fn source(path: &Path) -> Result<Box<dyn Read>, ReadError> {
    let file = File::open(path).map_err(|e| ReadError::file(path, e))?;
    Ok(Box::new(file))
}

#[cfg(unix)]
fn source(path: &Path) -> Result<Box<dyn Read>, ReadError> {
    use std::os::unix::fs::FileTypeExt;

    let failed = |e| ReadError::file(path, e);
    let metadata = std::fs::metadata(path).map_err(failed)?;
    if !metadata.file_type().is_fifo() {
        return Ok(Box::new(File::open(path).map_err(failed)?));
    }
    match pipe(path).map_err(failed)? {
        Some(pipe) => Ok(pipe),
        None => Err(ReadError::NoWriter {
            path: path.to_owned(),
            seconds: WRITER_TIMEOUT.as_secs(),
        }),
    }
}

/// How long to wait until a program opens a pipe for writing.
#[cfg(unix)]
const WRITER_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(3);

/// Opens a named pipe. None if no program opens it for writing within [`WRITER_TIMEOUT`]. An
/// ordinary `open` would wait for such a program without a limit.
#[cfg(unix)]
fn pipe(path: &Path) -> io::Result<Option<Box<dyn Read>>> {
    use std::os::unix::fs::OpenOptionsExt;
    use std::time::{Duration, Instant};

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

    let mut pipe = File::options()
        .read(true)
        .custom_flags(OFlags::NONBLOCK.bits() as i32)
        .open(path)?;
    let mut first = Vec::new();
    let begun = Instant::now();
    let pause = Timespec::try_from(Duration::from_millis(50)).map_err(io::Error::other)?;
    // poll returns 1 if there are bytes, or if a program has written and closed the pipe
    while poll(&mut [PollFd::new(&pipe, PollFlags::IN)], Some(&pause))? == 0 {
        if begun.elapsed() < WRITER_TIMEOUT {
            continue;
        }
        let mut byte = [0];
        match pipe.read(&mut byte) {
            Ok(0) => return Ok(None),
            Ok(_) => first.extend(byte),
            // a program has opened the pipe, and has not written yet
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        break;
    }
    let flags = fcntl_getfl(&pipe)?;
    fcntl_setfl(&pipe, flags - OFlags::NONBLOCK)?;
    Ok(Some(Box::new(Cursor::new(first).chain(pipe))))
}
