//! One writer per run folder. In: the folder. Out: a lock that other processes respect, until it is dropped.
//! A run that ends before it writes anything removes its folder.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::error::TrainError;

const NAME: &str = ".lock";

/// The right to write into a run's folder.
#[derive(Debug)]
pub(super) struct Lock {
    folder: PathBuf,
    /// Holds the lock while it is open.
    _file: File,
}

impl Lock {
    /// Creates the folder if necessary, and locks it.
    ///
    /// # Errors
    /// [`TrainError::Locked`] names the process that holds the lock.
    pub(super) fn take(folder: &Path) -> Result<Self, TrainError> {
        let path = folder.join(NAME);
        let failed = || TrainError::file(&path);
        loop {
            fs::create_dir_all(folder).map_err(TrainError::file(folder))?;
            let mut options = File::options();
            let options = options.read(true).write(true).create(true).truncate(false);
            let mut file = options.open(&path).map_err(failed())?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    return Err(TrainError::Locked {
                        folder: folder.to_owned(),
                        process: fs::read_to_string(&path).unwrap_or_default(),
                    });
                }
                // The file system has no locks. One writer cannot be enforced, but training can continue.
                Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
                Err(TryLockError::Error(error)) => return Err(failed()(error)),
            }
            let process = std::process::id().to_string();
            file.set_len(0).map_err(failed())?;
            file.write_all(process.as_bytes()).map_err(failed())?;
            // Except on Windows, another process that ended meanwhile can have removed the locked file.
            let is_there = || fs::read_to_string(&path).is_ok_and(|text| text == process);
            if cfg!(windows) || is_there() {
                return Ok(Self {
                    folder: folder.to_owned(),
                    _file: file,
                });
            }
        }
    }
}

impl Drop for Lock {
    /// Removes the folder if nothing was written into it.
    fn drop(&mut self) {
        let is_lock = |entry: io::Result<fs::DirEntry>| entry.is_ok_and(|e| e.file_name() == NAME);
        let is_unused = fs::read_dir(&self.folder).is_ok_and(|mut all| all.all(is_lock));
        if is_unused {
            // An error here is not reported, because the error that ended the run matters more.
            let _ = fs::remove_file(self.folder.join(NAME));
            let _ = fs::remove_dir(&self.folder);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

    use super::*;

    #[test]
    fn a_folder_has_one_lock_at_a_time() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("runs/first");
        let lock = Lock::take(&folder).unwrap();
        let error = Lock::take(&folder).unwrap_err();
        let id = std::process::id().to_string();
        assert!(
            error.to_string().contains(&format!("process {id}")),
            "{error}"
        );
        drop(lock);
        assert!(!folder.exists(), "nothing was written");

        let lock = Lock::take(&folder).unwrap();
        fs::write(folder.join("plan.toml"), "").unwrap();
        drop(lock);
        assert!(folder.join("plan.toml").exists());
        Lock::take(&folder).unwrap();
    }
}
