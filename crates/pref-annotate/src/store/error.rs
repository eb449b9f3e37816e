//! Errors of the store. In: a failure of SQLite or of a file. Out: what was found, and the way out.

use std::path::PathBuf;

use thiserror::Error;

/// The store cannot be opened, read or written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file belongs to another program.
    #[error(
        "{}: this is {found}, not an annotation store; give --store another name, or move the file away",
        path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it is.
        found: &'static str,
    },
    /// A newer version of this program wrote the file.
    #[error(
        "{}: the store has version {found}, and this program knows versions up to {known}; use a newer program",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest version that is known.
        known: i64,
    },
    /// There is no store.
    #[error("{}: there is no such file; `pref annotate scores` and the like make a store", path.display())]
    Absent {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be opened or written.
    #[error("{}: {message}; the file and its folder must be writable", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// The cause.
        message: String,
    },
    /// SQLite failed.
    #[error("{}: {source}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: rusqlite::Error,
    },
    /// A value in the store cannot be read.
    #[error("{}: {what} {id} is damaged: {message}; restore the file from a copy", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The kind of the value.
        what: &'static str,
        /// Its number.
        id: i64,
        /// What is wrong.
        message: String,
    },
    /// The thread that writes has ended.
    #[error("{}: the store is closed after an earlier error: {message}", path.display())]
    Closed {
        /// The file.
        path: PathBuf,
        /// The earlier error.
        message: String,
    },
    /// There is no job with this number or none at all.
    #[error("{}: the store has no {what}", path.display())]
    NoJob {
        /// The file.
        path: PathBuf,
        /// What is missing.
        what: String,
    },
}
