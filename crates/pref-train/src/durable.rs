//! Writing so that nothing is lost: under a temporary name, synced, renamed.
//! In: bytes, or a function that fills a folder. Out: the whole of it under its name, or what was
//! there before.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Writes a file whole or not at all.
///
/// # Errors
/// What the file system says; a file of that name keeps its old content.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = sibling(path, "tmp");
    let result = File::create(&temporary)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| rename(&temporary, path));
    if result.is_err() {
        // the error that matters is the one above
        let _ = fs::remove_file(&temporary);
    }
    result
}

/// Gives a whole file its name, for good.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    sync_folder(parent(to))
}

/// Fills a folder whole or not at all. A folder of that name is replaced once the new one is
/// complete.
///
/// # Errors
/// What `fill` says, or the file system; a folder of that name stays as it was.
pub(crate) fn write_folder<E: From<io::Error>>(
    path: &Path,
    fill: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<(), E> {
    let temporary = sibling(path, "tmp");
    if temporary.exists() {
        fs::remove_dir_all(&temporary)?;
    }
    fs::create_dir_all(&temporary)?;
    let result = fill(&temporary).and_then(|()| {
        sync_tree(&temporary)?;
        if path.exists() {
            let old = sibling(path, "old");
            if old.exists() {
                fs::remove_dir_all(&old)?;
            }
            fs::rename(path, &old)?;
            fs::rename(&temporary, path)?;
            fs::remove_dir_all(&old)?;
        } else {
            fs::rename(&temporary, path)?;
        }
        Ok(sync_folder(parent(path))?)
    });
    if result.is_err() {
        // the error that matters is the one above
        let _ = fs::remove_dir_all(&temporary);
    }
    result
}

/// Removes what writes left in a folder that were killed in the middle. A folder that was moved
/// aside for a new one that never came gets its name back.
pub(crate) fn remove_leftovers(folder: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let Some((name, suffix)) = name.strip_prefix('.').and_then(|n| n.rsplit_once('.')) else {
            continue;
        };
        let whole = folder.join(name);
        match (suffix, path.is_dir()) {
            ("old", true) if !whole.exists() => fs::rename(&path, &whole)?,
            ("old" | "tmp", true) => fs::remove_dir_all(&path)?,
            ("tmp", false) => fs::remove_file(&path)?,
            _ => {}
        }
    }
    Ok(())
}

/// `.name.suffix` beside `path`, so on the same file system.
pub(crate) fn sibling(path: &Path, suffix: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    parent(path).join(format!(".{name}.{suffix}"))
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn sync_tree(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            sync_tree(&path)?;
        } else {
            File::open(&path)?.sync_all()?;
        }
    }
    sync_folder(folder)
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
