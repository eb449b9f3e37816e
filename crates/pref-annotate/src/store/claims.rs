//! Which process asks which question. In: the store's path. Out: a name for this process, and whether another
//! process still runs.
//!
//! A process locks a file beside the store. The system removes the lock when the process ends, also if it is
//! killed. So nobody has to wait for a time-out to take over its questions.

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use super::error::StoreError;
use crate::random::random;

/// The name of this process in the store, for as long as the value lives.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) name: String,
    path: PathBuf,
    store: PathBuf,
    /// Holds the lock.
    _file: File,
    /// Processes that are known to have ended.
    ended: HashMap<String, bool>,
}

fn lock_path(store: &Path, name: &str) -> PathBuf {
    let mut path = store.as_os_str().to_owned();
    path.push(format!(".worker-{name}"));
    path.into()
}

impl Worker {
    pub(super) fn start(store: &Path) -> Result<Self, StoreError> {
        let failed = |error: std::io::Error| StoreError::Unwritable {
            path: store.to_owned(),
            message: format!("cannot make a lock file beside it: {error}"),
        };
        let name = format!("{:016x}", random());
        let path = lock_path(store, &name);
        let file = File::create_new(&path).map_err(failed)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::Error(error) => failed(error),
            TryLockError::WouldBlock => failed(std::io::Error::other("it is locked")),
        })?;
        Ok(Self {
            name,
            path,
            store: store.to_owned(),
            _file: file,
            ended: HashMap::new(),
        })
    }

    /// Whether another process has ended. Its lock file is removed then.
    pub(super) fn has_ended(&mut self, name: &str) -> bool {
        if name == self.name {
            return false;
        }
        if self.ended.contains_key(name) {
            return true;
        }
        // The name is the content of a file. Only a name that this program gives is made a path.
        let is_name = name.len() == 16 && name.bytes().all(|b| b.is_ascii_hexdigit());
        let has_ended = !is_name || {
            let path = lock_path(&self.store, name);
            match OpenOptions::new().read(true).write(true).open(&path) {
                Err(_) => true,
                Ok(file) => match file.try_lock() {
                    Ok(()) => {
                        let _ = std::fs::remove_file(&path);
                        true
                    }
                    Err(_) => false,
                },
            }
        };
        if has_ended {
            self.ended.insert(name.to_owned(), true);
        }
        has_ended
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}
