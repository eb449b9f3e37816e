//! Batches: many questions that a server answers later. In: questions, and the server's ids of files and batches. Out:
//! what a process that comes later has to fetch.
//!
//! A batch and its attempts are committed before anything is sent, the id of the file before the batch is made, and the id
//! of the batch as it arrives. So a process that is killed anywhere leaves a batch that another one can take up.

use rusqlite::{TransactionBehavior, params};

use super::attempts::{Cost, Ended, Reservation, Reserved, reserve, settle};
use super::claims::Worker;
use super::database::{Store, now};
use super::error::StoreError;
use super::ids::UnitId;
use super::writer::end_lost_attempts;

/// A batch that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) id: i64,
    /// The file of its questions, if the server has it.
    pub(crate) file: Option<String>,
    /// The batch, if the server is known to have it.
    pub(crate) remote: Option<String>,
}

/// A question of a batch that has no result yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BatchAttempt {
    pub(crate) attempt: i64,
    pub(crate) unit: UnitId,
    /// The key of the question, which is its id in the batch.
    pub(crate) key: String,
    pub(crate) max_tokens: u32,
}

/// What was put into a batch.
#[derive(Debug)]
pub(crate) struct NewBatch {
    /// The batch, if it has a question.
    pub(crate) batch: Option<Batch>,
    /// The budget that left no room for the next question.
    pub(crate) over_budget: Option<String>,
}

/// How a question of a batch ended: the attempt, its cost if it is known, and the end.
pub(crate) type BatchResult = (i64, Option<Cost>, Ended);

/// Writes batches of one process.
#[derive(Debug)]
pub(crate) struct Batches {
    pub(crate) store: Store,
    worker: Worker,
}

impl Batches {
    /// Batches in a store, through a connection of its own.
    pub(crate) fn start(store: &Store) -> Result<Self, StoreError> {
        let store = store.again()?;
        let mut worker = Worker::start(store.path())?;
        end_lost_attempts(&store, &mut worker)?;
        Ok(Self { store, worker })
    }

    /// The batches of a server and a model that have not ended. Batches that another process is sending now are left out.
    pub(crate) fn open(&mut self, url: &str, model: &str) -> Result<Vec<Batch>, StoreError> {
        let sql = "SELECT id, worker, file, remote FROM batch WHERE ended IS NULL AND url = ?1 AND model = ?2 ORDER BY id";
        let read = || -> rusqlite::Result<Vec<(String, Batch)>> {
            let mut statement = self.store.connection.prepare(sql)?;
            let rows = statement.query_map([url, model], |row| {
                let batch = Batch {
                    id: row.get(0)?,
                    file: row.get(2)?,
                    remote: row.get(3)?,
                };
                Ok((row.get(1)?, batch))
            })?;
            rows.collect()
        };
        let mut open = read().map_err(|error| self.store.sqlite(error))?;
        open.retain(|(worker, batch)| {
            let is_own = *worker == self.worker.name;
            batch.remote.is_some() || is_own || self.worker.has_ended(worker)
        });
        Ok(open.into_iter().map(|(_, batch)| batch).collect())
    }

    /// Makes a batch of the questions that may be asked.
    pub(crate) fn put(
        &mut self,
        url: &str,
        model: &str,
        reservations: &[Reservation],
    ) -> Result<NewBatch, StoreError> {
        let worker = &mut self.worker;
        let connection = &mut self.store.connection;
        let mut put = || -> rusqlite::Result<NewBatch> {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            transaction.execute(
                "INSERT INTO batch (url, model, worker, started) VALUES (?1, ?2, ?3, ?4)",
                params![url, model, worker.name, now()],
            )?;
            let id = transaction.last_insert_rowid();
            let mut n = 0;
            let mut over_budget = None;
            for reservation in reservations {
                match reserve(&transaction, worker, reservation)? {
                    Reserved::Granted(attempt) => {
                        n += 1;
                        transaction
                            .prepare_cached("UPDATE attempt SET batch = ?1 WHERE id = ?2")?
                            .execute([id, attempt])?;
                    }
                    Reserved::Taken | Reserved::Settled => {}
                    Reserved::OverBudget(message) => {
                        over_budget = Some(message);
                        break;
                    }
                }
            }
            // Without a question the transaction is undone.
            if n > 0 {
                transaction.commit()?;
            }
            let batch = Batch {
                id,
                file: None,
                remote: None,
            };
            Ok(NewBatch {
                batch: (n > 0).then_some(batch),
                over_budget,
            })
        };
        let put = put();
        put.map_err(|error| self.store.sqlite(error))
    }

    /// The questions of a batch that have no result.
    pub(crate) fn attempts(&self, batch: i64) -> Result<Vec<BatchAttempt>, StoreError> {
        let sql = "SELECT attempt.id, unit, lower(hex(key)), max_tokens FROM attempt JOIN unit ON unit.id = attempt.unit WHERE batch = ?1 AND ended IS NULL ORDER BY attempt.id";
        let read = || -> rusqlite::Result<Vec<BatchAttempt>> {
            let mut statement = self.store.connection.prepare(sql)?;
            let rows = statement.query_map([batch], |row| {
                Ok(BatchAttempt {
                    attempt: row.get(0)?,
                    unit: UnitId(row.get(1)?),
                    key: row.get(2)?,
                    max_tokens: row.get(3)?,
                })
            })?;
            rows.collect()
        };
        read().map_err(|error| self.store.sqlite(error))
    }

    /// Records the ids of the server.
    pub(crate) fn update(&self, batch: &Batch) -> Result<(), StoreError> {
        let sql = "UPDATE batch SET file = ?2, remote = ?3, worker = ?4 WHERE id = ?1";
        let values = params![batch.id, batch.file, batch.remote, self.worker.name];
        let written = self.store.connection.execute(sql, values);
        written.map(drop).map_err(|error| self.store.sqlite(error))
    }

    /// Records how the questions of a batch ended, and that it has ended. Questions that another process has recorded stay as
    /// they are. Returns the attempts that were recorded now.
    pub(crate) fn end(
        &mut self,
        batch: i64,
        results: &[BatchResult],
    ) -> Result<Vec<i64>, StoreError> {
        let connection = &mut self.store.connection;
        let mut end = || -> rusqlite::Result<Vec<i64>> {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let mut ended = Vec::new();
            for (attempt, cost, result) in results {
                let is_open = transaction
                    .prepare_cached("SELECT 1 FROM attempt WHERE id = ?1 AND ended IS NULL")?
                    .exists([attempt])?;
                if is_open {
                    settle(&transaction, *attempt, *cost, result)?;
                    ended.push(*attempt);
                }
            }
            transaction.execute(
                "UPDATE batch SET ended = ?2 WHERE id = ?1",
                params![batch, now()],
            )?;
            transaction.commit()?;
            Ok(ended)
        };
        let ended = end();
        ended.map_err(|error| self.store.sqlite(error))
    }
}
