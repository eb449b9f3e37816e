//! The tables of a store. In: a connection. Out: a store of the present version, or what the file is instead.

use rusqlite::Connection;

/// Marks a SQLite file as an annotation store: "PREF" as a number.
pub(super) const APPLICATION_ID: i64 = 0x5052_4546;

/// The version of the tables.
pub(super) const VERSION: i64 = 2;

/// Times are milliseconds since 1970. Money is in billionths of the unit in which prices are given.
pub(super) const TABLES: &str = "
CREATE TABLE prefix (
    id INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    -- the turns before the last one of a question, as JSON
    body TEXT NOT NULL
) STRICT;
CREATE TABLE unit (
    id INTEGER PRIMARY KEY,
    key BLOB NOT NULL UNIQUE,
    model TEXT NOT NULL,
    -- 0 open, 1 answered, 2 failed
    state INTEGER NOT NULL DEFAULT 0,
    reason TEXT,
    -- the process that asks
    worker TEXT,
    -- the unit whose reply this one repairs
    repairs INTEGER REFERENCES unit (id),
    -- the version of the reader that has read the reply, and what it found wrong
    checked INTEGER NOT NULL DEFAULT 0,
    complaint TEXT
) STRICT;
CREATE INDEX unit_repairs ON unit (repairs) WHERE repairs IS NOT NULL;
CREATE TABLE request (
    unit INTEGER PRIMARY KEY REFERENCES unit (id),
    prefix INTEGER NOT NULL REFERENCES prefix (id),
    -- the question as JSON, without the turns of the prefix
    body TEXT NOT NULL
) STRICT;
CREATE TABLE reply (
    unit INTEGER PRIMARY KEY REFERENCES unit (id),
    text TEXT NOT NULL,
    raw TEXT NOT NULL,
    model TEXT,
    fingerprint TEXT,
    at INTEGER NOT NULL
) STRICT;
CREATE TABLE attempt (
    id INTEGER PRIMARY KEY,
    unit INTEGER NOT NULL REFERENCES unit (id),
    worker TEXT NOT NULL,
    started INTEGER NOT NULL,
    max_tokens INTEGER NOT NULL,
    -- null while the reply is on its way
    ended INTEGER,
    outcome TEXT,
    message TEXT,
    -- reserved while the reply is on its way, then what was spent
    tokens INTEGER NOT NULL,
    money INTEGER NOT NULL,
    prompt INTEGER NOT NULL DEFAULT 0,
    cached INTEGER NOT NULL DEFAULT 0,
    completion INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX attempt_open ON attempt (worker) WHERE ended IS NULL;
CREATE TABLE spend (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    requests INTEGER NOT NULL,
    tokens INTEGER NOT NULL,
    money INTEGER NOT NULL,
    prompt INTEGER NOT NULL,
    cached INTEGER NOT NULL,
    completion INTEGER NOT NULL
) STRICT;
INSERT INTO spend VALUES (1, 0, 0, 0, 0, 0, 0);
CREATE TABLE job (
    id INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    command TEXT NOT NULL,
    model TEXT NOT NULL,
    settings TEXT NOT NULL,
    rows_hash BLOB NOT NULL,
    template TEXT NOT NULL,
    template_hash TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;
CREATE TABLE item (
    id INTEGER PRIMARY KEY,
    job INTEGER NOT NULL REFERENCES job (id),
    position INTEGER NOT NULL,
    place TEXT NOT NULL,
    row TEXT NOT NULL,
    UNIQUE (job, position)
) STRICT;
CREATE TABLE slot (
    item INTEGER NOT NULL REFERENCES item (id),
    name TEXT NOT NULL,
    unit INTEGER NOT NULL REFERENCES unit (id),
    PRIMARY KEY (item, name)
) STRICT, WITHOUT ROWID;
-- Replies that could not be read and were asked for again.
CREATE TABLE discarded (
    unit INTEGER NOT NULL REFERENCES unit (id),
    text TEXT NOT NULL,
    raw TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;
";

/// What version 2 adds: batches of requests that a server answers later.
pub(super) const BATCH_TABLES: &str = "
CREATE TABLE batch (
    id INTEGER PRIMARY KEY,
    url TEXT NOT NULL,
    model TEXT NOT NULL,
    -- the process that made it
    worker TEXT NOT NULL,
    -- the file of its questions, and the batch, as the server names them; null until the server has them
    file TEXT,
    remote TEXT,
    started INTEGER NOT NULL,
    ended INTEGER
) STRICT;
ALTER TABLE attempt ADD COLUMN batch INTEGER REFERENCES batch (id);
CREATE INDEX attempt_of_batch ON attempt (batch) WHERE batch IS NOT NULL;
CREATE INDEX attempt_in_batch ON attempt (unit) WHERE batch IS NOT NULL AND ended IS NULL;
";

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A file without tables.
    Empty,
    /// A store of this version.
    Store(i64),
    /// A SQLite file of another program.
    OtherTables,
}

/// What the file of a connection is.
pub(super) fn found(connection: &Connection) -> rusqlite::Result<Found> {
    let number = |pragma: &str| connection.pragma_query_value(None, pragma, |row| row.get(0));
    let application: i64 = number("application_id")?;
    let version: i64 = number("user_version")?;
    let n_tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(match (application, n_tables) {
        (APPLICATION_ID, _) => Found::Store(version),
        (0, 0) => Found::Empty,
        _ => Found::OtherTables,
    })
}
