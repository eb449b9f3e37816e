//! Writing a file so that it is complete or absent at any moment. In: bytes, or a function that writes
//! them. Out: the complete file, or the previous one.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use tempfile::{Builder, NamedTempFile};

/// Writes a file under a temporary name in the same folder, syncs it to disk, and renames it to
/// `path`. A reader finds the old content or the new content, never a part of it.
///
/// # Errors
/// The I/O error of the file system. The file then keeps its old content.
///
/// ```
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("state.json");
/// pref_model::write_file(&path, b"{}")?;
/// assert_eq!(std::fs::read(&path)?, b"{}");
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn write_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace_file(path, |file| file.write_all(bytes))
}

/// Writes a file as [`write_file`] does, with the content that `fill` writes.
///
/// # Errors
/// The error of `fill`, or the I/O error of the file system. The file then keeps its old content.
pub fn replace_file<E: From<io::Error>>(
    path: &Path,
    fill: impl FnOnce(&mut NamedTempFile) -> Result<(), E>,
) -> Result<(), E> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let prefix = format!(".{name}.");
    let mut builder = Builder::new();
    builder.prefix(&prefix).suffix(SUFFIX);
    // By default only its owner can read a temporary file. This file gets the usual permissions.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder)?;
    fill(&mut file)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    // The new name survives a power failure after the folder is synced.
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    Ok(())
}

/// End of the temporary names.
const SUFFIX: &str = ".tmp";

/// The name that a temporary file was meant to get: `model.safetensors` of
/// `.model.safetensors.A1b2C3.tmp`. `None` for other files.
pub(super) fn intended_name(temporary: &str) -> Option<&str> {
    let name = temporary.strip_prefix('.')?.strip_suffix(SUFFIX)?;
    name.rsplit_once('.').map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_content_and_no_other_file() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("a.bin");
        write_file(&path, b"old")?;
        let failed: io::Result<()> = replace_file(&path, |file| {
            file.write_all(b"new")?;
            let name = file
                .path()
                .file_name()
                .unwrap_or_default()
                .to_string_lossy();
            assert_eq!(intended_name(&name), Some("a.bin"));
            Err(io::Error::other("disk full"))
        });
        assert!(failed.is_err());
        assert_eq!(std::fs::read(&path)?, b"old");
        assert_eq!(std::fs::read_dir(folder.path())?.count(), 1);
        Ok(())
    }
}
