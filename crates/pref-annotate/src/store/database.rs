//! Opens a store. In: a path. Out: a connection to a file that is a store and can be written.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use super::error::StoreError;
use super::schema::{APPLICATION_ID, BATCH_TABLES, Found, TABLES, VERSION, found};

/// A connection to a store.
#[derive(Debug)]
pub struct Store {
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
}

/// How long to wait for another process that writes.
const PATIENCE: Duration = Duration::from_secs(60);

impl Store {
    /// Opens a store, and makes one if there is no file.
    ///
    /// # Errors
    /// [`StoreError`] if the file belongs to another program or cannot be written.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let connection =
            Connection::open(path).map_err(|error| unwritable(path, &error.to_string()))?;
        let mut store = Self {
            connection,
            path: path.to_owned(),
        };
        store.prepare()?;
        Ok(store)
    }

    /// Opens a store that exists.
    ///
    /// # Errors
    /// As [`Store::open`], and [`StoreError::Absent`].
    pub fn open_existing(path: &Path) -> Result<Self, StoreError> {
        match path.is_file() {
            true => Self::open(path),
            false => Err(StoreError::Absent {
                path: path.to_owned(),
            }),
        }
    }

    /// A second connection to the same file.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn again(&self) -> Result<Self, StoreError> {
        Self::open(&self.path)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn prepare(&mut self) -> Result<(), StoreError> {
        let path = self.path.clone();
        let failed = |error: rusqlite::Error| match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => StoreError::Foreign {
                path: path.clone(),
                found: "no SQLite file",
            },
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
                unwritable(&path, &error.to_string())
            }
            _ => StoreError::Sqlite {
                path: path.clone(),
                source: error,
            },
        };
        let connection = &mut self.connection;
        connection.busy_timeout(PATIENCE).map_err(failed)?;
        match found(connection).map_err(failed)? {
            Found::OtherTables => {
                return Err(StoreError::Foreign {
                    path: path.clone(),
                    found: "a database of another program",
                });
            }
            Found::Store(version) if version > VERSION => {
                return Err(StoreError::Newer {
                    path: path.clone(),
                    found: version,
                    known: VERSION,
                });
            }
            Found::Store(_) | Found::Empty => {}
        }
        // With a write-ahead log, readers and a writer do not wait for each other, and a commit is safe if a
        // process is killed.
        connection
            .pragma_update(None, "journal_mode", "WAL")
            .map_err(failed)?;
        connection
            .pragma_update(None, "synchronous", "NORMAL")
            .map_err(failed)?;
        connection
            .pragma_update(None, "cache_size", -32_000)
            .map_err(failed)?;
        // Plans do not depend on bound values, so a statement is prepared once. Without this, SQLite prepares the updates
        // of `unit` again for every value, to find out whether the partial index can serve them.
        connection
            .set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
            .map_err(failed)?;
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failed)?;
        // Another process may have made the tables since.
        let found = found(&transaction).map_err(failed)?;
        if found == Found::Empty {
            transaction.execute_batch(TABLES).map_err(failed)?;
            transaction
                .pragma_update(None, "application_id", APPLICATION_ID)
                .map_err(failed)?;
        }
        if found != Found::Store(VERSION) {
            transaction.execute_batch(BATCH_TABLES).map_err(failed)?;
            transaction
                .pragma_update(None, "user_version", VERSION)
                .map_err(failed)?;
        }
        transaction.commit().map_err(failed)
    }

    /// The error of a failed statement.
    pub(super) fn sqlite(&self, source: rusqlite::Error) -> StoreError {
        StoreError::Sqlite {
            path: self.path.clone(),
            source,
        }
    }

    /// The error of a value that cannot be read.
    pub(super) fn damaged(&self, what: &'static str, id: i64, message: String) -> StoreError {
        StoreError::Damaged {
            path: self.path.clone(),
            what,
            id,
            message,
        }
    }
}

fn unwritable(path: &Path, message: &str) -> StoreError {
    StoreError::Unwritable {
        path: path.to_owned(),
        message: message.to_owned(),
    }
}

/// The time in milliseconds since 1970.
pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}
