//! The bytes of a file, a pipe or stdin. In: a path. Out: the bytes, decompressed if they say that
//! they are compressed, with the first of them to look at.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek};
use std::path::Path;

use super::error::ReadError;
use super::source::file_error;

/// How many bytes there are to look at.
const HEAD: u64 = 4096;

/// The path that means standard input.
pub(super) const STDIN: &str = "-";

/// What is read.
pub(super) struct Bytes {
    /// The first bytes, which the reader gives as well.
    pub(super) head: Vec<u8>,
    /// All of them.
    pub(super) reader: Box<dyn BufRead>,
}

/// Opens a file or a pipe; `-` is stdin.
pub(super) fn open(path: &Path) -> Result<Bytes, ReadError> {
    let reader: Box<dyn Read> = match path == Path::new(STDIN) {
        true => Box::new(io::stdin()),
        false => source(path)?,
    };
    let failed = |e| file_error(path, e);
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

/// The same as a file that can be read from any place: itself, or a copy without a name.
pub(super) fn seekable(path: &Path, mut bytes: Bytes) -> Result<File, ReadError> {
    let failed = |e| file_error(path, e);
    if path.is_file() {
        let mut file = File::open(path).map_err(failed)?;
        let mut start = vec![0; bytes.head.len()];
        // not so where it is compressed
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
    let file = File::open(path).map_err(|e| file_error(path, e))?;
    Ok(Box::new(file))
}

#[cfg(unix)]
fn source(path: &Path) -> Result<Box<dyn Read>, ReadError> {
    use std::os::unix::fs::FileTypeExt;

    let failed = |e| file_error(path, e);
    let about = std::fs::metadata(path).map_err(failed)?;
    if !about.file_type().is_fifo() {
        return Ok(Box::new(File::open(path).map_err(failed)?));
    }
    match pipe(path).map_err(failed)? {
        Some(pipe) => Ok(pipe),
        None => Err(ReadError::NoWriter {
            path: path.to_owned(),
            seconds: PATIENCE.as_secs(),
        }),
    }
}

/// How long a pipe may be without a program that writes into it.
#[cfg(unix)]
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(3);

/// Opens a named pipe; none if nobody has opened it to write into it. To open it as a file would wait
/// for such a program for ever.
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
    // readable, or closed by a program that has written into it
    while poll(&mut [PollFd::new(&pipe, PollFlags::IN)], Some(&pause))? == 0 {
        if begun.elapsed() < PATIENCE {
            continue;
        }
        let mut byte = [0];
        match pipe.read(&mut byte) {
            Ok(0) => return Ok(None),
            Ok(_) => first.extend(byte),
            // a program that has not written yet
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        break;
    }
    let flags = fcntl_getfl(&pipe)?;
    fcntl_setfl(&pipe, flags - OFlags::NONBLOCK)?;
    Ok(Some(Box::new(Cursor::new(first).chain(pipe))))
}
