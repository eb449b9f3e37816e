//! Writing so that a file is whole or not there. In: bytes. Out: the file, or what was there before.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Writes a file under a temporary name, syncs it, and gives it its own.
///
/// # Errors
/// What the file system says; a file of that name keeps its content.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.tmp"));
    let result = File::create(&temporary)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&temporary, path));
    if result.is_err() {
        // the error that matters is the one above
        let _ = fs::remove_file(&temporary);
    }
    result
}
