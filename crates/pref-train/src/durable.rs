//! Folders that are complete or absent at any moment. In: a function that fills a folder. Out: the complete
//! folder, or the previous one. The folder is filled under a temporary name, synced to disk, and renamed.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Renames a complete file, and syncs the folder so that the new name survives a power failure.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    sync_folder(parent(to))
}

/// Fills a folder, which replaces an existing folder when it is complete.
///
/// # Errors
/// The error of `fill` or of the file system. An existing folder then stays as it was.
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
        // An error of the removal is not reported, because the first error matters more.
        let _ = fs::remove_dir_all(&temporary);
    }
    result
}

/// Removes the temporary files and folders that killed writes left.
///
/// A write may have been killed after it renamed the old folder and before it renamed the new one. Then
/// the old folder gets its name back.
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
        let final_path = folder.join(name);
        match (suffix, path.is_dir()) {
            ("old", true) if !final_path.exists() => fs::rename(&path, &final_path)?,
            ("old" | "tmp", true) => fs::remove_dir_all(&path)?,
            ("tmp", false) => fs::remove_file(&path)?,
            _ => {}
        }
    }
    Ok(())
}

/// `.name.suffix` in the same folder as `path`, so on the same file system.
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
