//! Jobs: a command with its rows. In: rows and the questions that they need. Out: what `export`, `status` and `retry`
//! work on, without the data files.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::database::{Store, now};
use super::error::StoreError;
use super::ids::{JobId, UnitId};
use super::units::put_unit;
use crate::request::Request;

/// A job that may be new.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// The command, such as `scores`.
    pub command: String,
    /// The judge's model.
    pub model: String,
    /// What determines the questions and the output, besides the rows.
    pub settings: Value,
    /// Name and version of the template.
    pub template: String,
    /// The hash of its file.
    pub template_hash: String,
}

/// A row and the questions that it needs.
#[derive(Clone, Debug)]
pub struct Item {
    /// The place of the row, for messages.
    pub place: String,
    /// The row.
    pub row: Value,
    /// The questions, each with a name that is unique in the row.
    pub slots: Vec<(String, Request)>,
}

/// A job in a store.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Job {
    /// The number.
    pub id: i64,
    /// The command, such as `scores`.
    pub command: String,
    /// The judge's model.
    pub model: String,
    /// What determines the questions and the output, besides the rows.
    pub settings: Value,
    /// Name and version of the template.
    pub template: String,
    /// The hash of its file.
    pub template_hash: String,
    /// When it was made, in milliseconds since 1970.
    pub at: i64,
    /// Number of rows.
    pub n_items: u64,
}

/// The number, place and text of a row, and its units.
type FoundItem = (i64, String, String, Vec<(String, UnitId)>);

/// A row of a job, and its units.
#[derive(Clone, Debug, PartialEq)]
pub struct Slot {
    /// The place of the row.
    pub place: String,
    /// The row.
    pub row: Value,
    /// The name and the unit of each question, in the order of the names.
    pub units: Vec<(String, UnitId)>,
}

fn short(digest: impl AsRef<[u8]>) -> Vec<u8> {
    digest.as_ref()[..16].to_vec()
}

impl Store {
    /// The job with these settings and rows. If the store has none, it is added with the items, which `items` makes
    /// from the numbers of the rows. The rows are in the store when this returns, or nothing is.
    ///
    /// # Errors
    /// [`StoreError`], and the errors of `items`.
    pub fn put_job<E: From<StoreError>>(
        &mut self,
        job: &NewJob,
        rows: &[Value],
        mut items: impl FnMut(usize) -> Result<Item, E>,
    ) -> Result<JobId, E> {
        let mut hash = Sha256::new();
        for row in rows {
            hash.update(row.to_string());
            hash.update(b"\n");
        }
        let rows_hash = short(hash.finalize());
        let settings = job.settings.to_string();
        let texts = [
            &job.command,
            &job.model,
            &settings,
            &job.template,
            &job.template_hash,
        ];
        let mut hash = Sha256::new();
        for text in texts {
            hash.update(text);
            hash.update([0xff]);
        }
        hash.update(&rows_hash);
        let hash = short(hash.finalize());

        let path = self.path.clone();
        let failed = |source| StoreError::Sqlite {
            path: path.clone(),
            source,
        };
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failed)?;
        let known: Option<i64> = transaction
            .query_row("SELECT id FROM job WHERE hash = ?1", [&hash], |row| {
                row.get(0)
            })
            .optional()
            .map_err(failed)?;
        if let Some(id) = known {
            // The newest job is the one that was asked for last.
            transaction
                .execute("UPDATE job SET at = ?2 WHERE id = ?1", [id, now()])
                .map_err(failed)?;
            transaction.commit().map_err(failed)?;
            return Ok(JobId(id));
        }
        let add_job = || -> rusqlite::Result<i64> {
            transaction.execute(
                "INSERT INTO job (hash, command, model, settings, rows_hash, template, template_hash, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                params![hash, job.command, job.model, settings, rows_hash, job.template, job.template_hash, now()],
            )?;
            Ok(transaction.last_insert_rowid())
        };
        let id = add_job().map_err(failed)?;
        for position in 0..rows.len() {
            let item = items(position)?;
            put_item(&transaction, id, position, &job.model, &item).map_err(failed)?;
        }
        transaction.commit().map_err(failed)?;
        Ok(JobId(id))
    }

    /// The jobs, the newest last.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn jobs(&self) -> Result<Vec<Job>, StoreError> {
        let sql = "SELECT id, command, model, settings, template, template_hash, at, (SELECT count(*) FROM item WHERE item.job = job.id) FROM job ORDER BY at, id";
        let read = || -> rusqlite::Result<Vec<(Job, String)>> {
            let mut statement = self.connection.prepare(sql)?;
            let rows = statement.query_map([], |row| {
                let job = Job {
                    id: row.get(0)?,
                    command: row.get(1)?,
                    model: row.get(2)?,
                    settings: Value::Null,
                    template: row.get(4)?,
                    template_hash: row.get(5)?,
                    at: row.get(6)?,
                    n_items: row.get::<_, i64>(7)?.unsigned_abs(),
                };
                Ok((job, row.get::<_, String>(3)?))
            })?;
            rows.collect()
        };
        let jobs = read().map_err(|error| self.sqlite(error))?;
        let parse = |(mut job, settings): (Job, String)| {
            let parsed = serde_json::from_str(&settings);
            job.settings = parsed.map_err(|e| self.damaged("job", job.id, e.to_string()))?;
            Ok(job)
        };
        jobs.into_iter().map(parse).collect()
    }

    /// The job with a number, or else the newest one.
    ///
    /// # Errors
    /// [`StoreError::NoJob`] if there is none.
    pub fn job(&self, id: Option<i64>) -> Result<Job, StoreError> {
        let mut jobs = self.jobs()?;
        let found = match id {
            Some(id) => jobs.into_iter().find(|job| job.id == id),
            None => jobs.pop(),
        };
        found.ok_or_else(|| StoreError::NoJob {
            path: self.path.clone(),
            what: match id {
                Some(id) => format!("job {id}; `pref annotate status` lists the jobs"),
                None => "job".to_owned(),
            },
        })
    }

    /// Gives each row of a job to `sink`, in order.
    ///
    /// # Errors
    /// [`StoreError`], and the errors of `sink`.
    pub fn each_item<E: From<StoreError>>(
        &self,
        job: JobId,
        mut sink: impl FnMut(Slot) -> Result<(), E>,
    ) -> Result<(), E> {
        let failed = |error| self.sqlite(error);
        let mut items = self
            .connection
            .prepare("SELECT id, place, row FROM item WHERE job = ?1 ORDER BY position")
            .map_err(failed)?;
        let mut slots = self
            .connection
            .prepare("SELECT name, unit FROM slot WHERE item = ?1 ORDER BY name")
            .map_err(failed)?;
        let mut rows = items.query([job.0]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            let mut read = || -> rusqlite::Result<FoundItem> {
                let id: i64 = row.get(0)?;
                let units = slots.query_map([id], |row| Ok((row.get(0)?, UnitId(row.get(1)?))))?;
                Ok((
                    id,
                    row.get(1)?,
                    row.get(2)?,
                    units.collect::<Result<_, _>>()?,
                ))
            };
            let (id, place, text, units) = read().map_err(failed)?;
            let row = serde_json::from_str(&text);
            let row = row.map_err(|e| self.damaged("row", id, e.to_string()))?;
            sink(Slot { place, row, units })?;
        }
        Ok(())
    }

    /// Removes jobs other than the newest one of each command, and, if `unused`, the replies that no job needs any
    /// more. Returns the numbers of removed jobs and replies.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn gc(&mut self, unused: bool) -> Result<(u64, u64), StoreError> {
        let path = self.path.clone();
        let mut collect = || -> rusqlite::Result<(usize, usize)> {
            let transaction = self
                .connection
                .transaction_with_behavior(TransactionBehavior::Immediate)?;
            let old = "SELECT id FROM job WHERE EXISTS (SELECT 1 FROM job AS newer WHERE newer.command = job.command AND (newer.at, newer.id) > (job.at, job.id))";
            transaction.execute(
                &format!(
                    "DELETE FROM slot WHERE item IN (SELECT id FROM item WHERE job IN ({old}))"
                ),
                [],
            )?;
            transaction.execute(&format!("DELETE FROM item WHERE job IN ({old})"), [])?;
            let n_jobs =
                transaction.execute(&format!("DELETE FROM job WHERE id IN ({old})"), [])?;
            let mut n_units = 0;
            if unused {
                transaction.execute_batch(
                    "CREATE TEMP TABLE kept AS SELECT DISTINCT unit AS id FROM slot;
                     INSERT INTO kept SELECT unit.id FROM unit JOIN kept ON unit.repairs = kept.id;",
                )?;
                for table in ["attempt", "request", "discarded"] {
                    transaction.execute(
                        &format!("DELETE FROM {table} WHERE unit NOT IN (SELECT id FROM kept)"),
                        [],
                    )?;
                }
                n_units = transaction.execute(
                    "DELETE FROM reply WHERE unit NOT IN (SELECT id FROM kept)",
                    [],
                )?;
                // A unit that repairs another one goes first.
                transaction.execute("DELETE FROM unit WHERE repairs IS NOT NULL AND id NOT IN (SELECT id FROM kept)", [])?;
                transaction
                    .execute("DELETE FROM unit WHERE id NOT IN (SELECT id FROM kept)", [])?;
                transaction.execute(
                    "DELETE FROM prefix WHERE id NOT IN (SELECT prefix FROM request)",
                    [],
                )?;
                transaction.execute_batch("DROP TABLE kept")?;
            }
            transaction.commit()?;
            self.connection.execute_batch("VACUUM")?;
            Ok((n_jobs, n_units))
        };
        let (jobs, units) = collect().map_err(|source| StoreError::Sqlite { path, source })?;
        Ok((jobs as u64, units as u64))
    }
}

fn put_item(
    connection: &Connection,
    job: i64,
    position: usize,
    model: &str,
    item: &Item,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT INTO item (job, position, place, row) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![
            job,
            position as i64,
            item.place,
            item.row.to_string()
        ])?;
    let id = connection.last_insert_rowid();
    for (name, request) in &item.slots {
        let unit = put_unit(connection, model, request, None)?;
        connection
            .prepare_cached("INSERT INTO slot (item, name, unit) VALUES (?1, ?2, ?3)")?
            .execute(params![id, name, unit.0])?;
    }
    Ok(())
}
