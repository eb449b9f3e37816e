//! What became of a question. In: a unit. Out: its judgement, or why there is none.

use rusqlite::OptionalExtension;
use serde::Serialize;

use super::database::Store;
use super::error::StoreError;
use super::ids::JobId;
use super::ids::UnitId;
use super::units::{FailedUnit, task_of};
use crate::task::Judgement;

/// What became of a question.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// A valid judgement.
    Judged(Judgement),
    /// The question, or the request to repair its reply, is still open.
    Open,
    /// There is no judgement.
    Failed(Failure),
}

/// Why there is no judgement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The reason in words.
    pub reason: String,
}

struct Found {
    state: i64,
    reason: Option<String>,
    body: String,
    reply: Option<String>,
    repair_state: Option<i64>,
    repair_reason: Option<String>,
    repair_reply: Option<String>,
}

impl Store {
    /// What became of a question.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub fn outcome(&self, unit: UnitId) -> Result<Outcome, StoreError> {
        let sql = "SELECT unit.state, unit.reason, request.body, reply.text, repair.state, repair.reason, repaired.text
            FROM unit JOIN request ON request.unit = unit.id
            LEFT JOIN reply ON reply.unit = unit.id
            LEFT JOIN unit AS repair ON repair.repairs = unit.id
            LEFT JOIN reply AS repaired ON repaired.unit = repair.id
            WHERE unit.id = ?1 ORDER BY repair.id DESC LIMIT 1";
        let read = || -> rusqlite::Result<Found> {
            self.connection
                .prepare_cached(sql)?
                .query_row([unit.0], |row| {
                    Ok(Found {
                        state: row.get(0)?,
                        reason: row.get(1)?,
                        body: row.get(2)?,
                        reply: row.get(3)?,
                        repair_state: row.get(4)?,
                        repair_reason: row.get(5)?,
                        repair_reply: row.get(6)?,
                    })
                })
        };
        let found = read().map_err(|error| self.sqlite(error))?;
        let failed = |reason: String| Outcome::Failed(Failure { reason });
        let Some(reply) = found.reply else {
            return Ok(match found.state {
                2 => failed(found.reason.unwrap_or_default()),
                _ => Outcome::Open,
            });
        };
        let task = task_of(&found.body);
        let task = task.map_err(|e| self.damaged("question", unit.0, e.to_string()))?;
        let complaint = match task.read(&reply) {
            Ok(judgement) => return Ok(Outcome::Judged(judgement)),
            Err(complaint) => complaint,
        };
        Ok(match (found.repair_reply, found.repair_state) {
            (Some(repaired), _) => match task.read(&repaired) {
                Ok(judgement) => Outcome::Judged(judgement),
                Err(again) => failed(format!("invalid: {complaint}; after the repair: {again}")),
            },
            (None, Some(2)) => failed(format!(
                "invalid: {complaint}; the repair failed: {}",
                found.repair_reason.unwrap_or_default()
            )),
            (None, _) => Outcome::Open,
        })
    }

    /// All that the judge sent as reply to a question. None if it has not replied.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn raw_reply(&self, unit: UnitId) -> Result<Option<String>, StoreError> {
        let read = || {
            let sql = "SELECT raw FROM reply WHERE unit = ?1";
            let mut statement = self.connection.prepare_cached(sql)?;
            statement.query_row([unit.0], |row| row.get(0)).optional()
        };
        read().map_err(|error| self.sqlite(error))
    }

    /// The questions of a job that have failed, each with the first row that needs it.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub fn failures(&self, job: JobId) -> Result<Vec<FailedUnit>, StoreError> {
        let mut failures = Vec::new();
        let mut seen = std::collections::HashSet::new();
        self.each_item(job, |item| {
            for (name, unit) in item.units {
                if !seen.insert(unit) {
                    continue;
                }
                if let Outcome::Failed(failure) = self.outcome(unit)? {
                    failures.push(FailedUnit {
                        key: self.key(unit)?,
                        place: format!("{}: {name}", item.place),
                        reason: failure.reason,
                    });
                }
            }
            Ok::<(), StoreError>(())
        })?;
        Ok(failures)
    }

    fn key(&self, unit: UnitId) -> Result<String, StoreError> {
        let sql = "SELECT lower(hex(key)) FROM unit WHERE id = ?1";
        let read = || {
            let mut statement = self.connection.prepare_cached(sql)?;
            statement.query_row([unit.0], |row| row.get(0))
        };
        read().map_err(|error| self.sqlite(error))
    }
}
