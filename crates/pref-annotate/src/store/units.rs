//! Units of work: the questions of a store and their states. In: questions. Out: numbers of units, what is open,
//! and what has failed.

use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::database::Store;
use super::error::StoreError;
use super::ids::{JobId, UnitId};
use crate::drawing::Drawing;
use crate::request::{ChatMessage, Facts, Request, Sampling};
use crate::task::Task;

/// An open unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The unit.
    pub unit: UnitId,
    /// The number of its prefix. Units with the same prefix share the beginning of their question.
    pub prefix: i64,
}

/// How many units of a job are in which state. A unit that several rows need counts once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Not answered yet.
    pub open: u64,
    /// With a reply.
    pub answered: u64,
    /// Without one; `retry` takes them up.
    pub failed: u64,
    /// Replies that could not be read and were asked for again, or still are.
    pub repairs: u64,
}

/// A unit without a judgement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FailedUnit {
    /// The key of the question.
    pub key: String,
    /// The row and the slot that need it.
    pub place: String,
    /// Why there is no judgement.
    pub reason: String,
}

/// The replies of one state of a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Drift {
    /// The model, as the server names it.
    pub model: Option<String>,
    /// `system_fingerprint`.
    pub fingerprint: Option<String>,
    /// Number of replies.
    pub n: u64,
    /// The time of the first one, in milliseconds since 1970.
    pub first: i64,
    /// The time of the last one.
    pub last: i64,
}

/// A question without the turns of its prefix.
#[derive(Serialize, Deserialize)]
struct Body {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last: Option<ChatMessage>,
    sampling: Sampling,
    sample: u32,
    template: String,
    task: Task,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    facts: Option<Facts>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    drawing: Option<Drawing>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seed: Option<u32>,
}

/// The task of a stored question.
pub(super) fn task_of(body: &str) -> Result<Task, serde_json::Error> {
    serde_json::from_str::<Body>(body).map(|body| body.task)
}

/// The unit of a question, which is added if it is new, within a transaction.
pub(super) fn put_unit(
    connection: &Connection,
    model: &str,
    request: &Request,
    repairs: Option<UnitId>,
) -> rusqlite::Result<UnitId> {
    let key = request.key(model);
    let find = "SELECT id FROM unit WHERE key = ?1";
    let known: Option<i64> = connection
        .prepare_cached(find)?
        .query_row([&key.0[..]], |row| row.get(0))
        .optional()?;
    if let Some(id) = known {
        return Ok(UnitId(id));
    }
    connection
        .prepare_cached("INSERT INTO unit (key, model, repairs) VALUES (?1, ?2, ?3)")?
        .execute(params![&key.0[..], model, repairs.map(|unit| unit.0)])?;
    let id = connection.last_insert_rowid();
    let prefix = put_prefix(connection, request.prefix())?;
    let body = Body {
        last: request.messages.last().cloned(),
        sampling: request.sampling,
        sample: request.sample,
        template: request.template.clone(),
        task: request.task.clone(),
        facts: request.facts.clone(),
        drawing: request.drawing.clone(),
        seed: request.seed,
    };
    connection
        .prepare_cached("INSERT INTO request (unit, prefix, body) VALUES (?1, ?2, ?3)")?
        .execute(params![id, prefix, to_json(&body)?])?;
    Ok(UnitId(id))
}

fn to_json(value: &impl Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))
}

fn put_prefix(connection: &Connection, turns: &[ChatMessage]) -> rusqlite::Result<i64> {
    let body = to_json(&turns)?;
    let hash = Sha256::digest(&body);
    let hash = &hash[..16];
    let known: Option<i64> = connection
        .prepare_cached("SELECT id FROM prefix WHERE hash = ?1")?
        .query_row([hash], |row| row.get(0))
        .optional()?;
    if let Some(id) = known {
        return Ok(id);
    }
    connection
        .prepare_cached("INSERT INTO prefix (hash, body) VALUES (?1, ?2)")?
        .execute(params![hash, body])?;
    Ok(connection.last_insert_rowid())
}

/// All units of a job: those of its slots, and those that repair their replies.
pub(super) const OF_JOB: &str = "
    WITH asked AS (
        SELECT DISTINCT slot.unit AS id FROM item JOIN slot ON slot.item = item.id WHERE item.job = ?1
    ), of_job AS (
        SELECT id FROM asked
        UNION
        SELECT unit.id FROM asked JOIN unit ON unit.repairs = asked.id
    )";

impl Store {
    /// The question of a unit.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read.
    pub fn request(&self, unit: UnitId) -> Result<Request, StoreError> {
        let sql = "SELECT prefix.body, request.body FROM request JOIN prefix ON prefix.id = request.prefix WHERE request.unit = ?1";
        let read = || -> rusqlite::Result<(String, String)> {
            let mut statement = self.connection.prepare_cached(sql)?;
            statement.query_row([unit.0], |row| Ok((row.get(0)?, row.get(1)?)))
        };
        let (prefix, body) = read().map_err(|error| self.sqlite(error))?;
        let damaged = |e: serde_json::Error| self.damaged("question", unit.0, e.to_string());
        let mut messages: Vec<ChatMessage> = serde_json::from_str(&prefix).map_err(damaged)?;
        let body: Body = serde_json::from_str(&body).map_err(damaged)?;
        messages.extend(body.last);
        Ok(Request {
            messages,
            sampling: body.sampling,
            sample: body.sample,
            template: body.template,
            task: body.task,
            facts: body.facts,
            drawing: body.drawing,
            seed: body.seed,
        })
    }

    /// The questions of several units, which are read together. That is faster than one by one while another connection
    /// writes, because SQLite reads its pages again after each write.
    ///
    /// # Errors
    /// [`StoreError`] if one cannot be read.
    pub fn requests(&self, units: &[UnitId]) -> Result<Vec<Request>, StoreError> {
        let together = self.connection.unchecked_transaction();
        let together = together.map_err(|error| self.sqlite(error))?;
        let requests = units.iter().map(|&unit| self.request(unit)).collect();
        together.finish().map_err(|error| self.sqlite(error))?;
        requests
    }

    /// The open units of a job that no batch has, in the order in which they were added. A question without instructions
    /// shares its beginning with no other.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn open_units(&self, job: JobId) -> Result<Vec<Progress>, StoreError> {
        let sql = format!(
            "{OF_JOB} SELECT unit.id, CASE prefix.body WHEN '[]' THEN -unit.id ELSE prefix.id END FROM of_job JOIN unit ON unit.id = of_job.id JOIN request ON request.unit = unit.id JOIN prefix ON prefix.id = request.prefix WHERE unit.state = 0 AND unit.id NOT IN (SELECT unit FROM attempt WHERE batch IS NOT NULL AND ended IS NULL) ORDER BY unit.id"
        );
        let read = || -> rusqlite::Result<Vec<Progress>> {
            let mut statement = self.connection.prepare_cached(&sql)?;
            let rows = statement.query_map([job.0], |row| {
                Ok(Progress {
                    unit: UnitId(row.get(0)?),
                    prefix: row.get(1)?,
                })
            })?;
            rows.collect()
        };
        read().map_err(|error| self.sqlite(error))
    }

    /// How many units of a job are in which state.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn counts(&self, job: JobId) -> Result<Counts, StoreError> {
        let sql = format!(
            "{OF_JOB} SELECT sum(state = 0), sum(state = 1), sum(state = 2), sum(repairs IS NOT NULL) FROM of_job JOIN unit ON unit.id = of_job.id"
        );
        let number = |row: &rusqlite::Row<'_>, i: usize| -> rusqlite::Result<u64> {
            Ok(row.get::<_, Option<i64>>(i)?.unwrap_or(0).unsigned_abs())
        };
        let read = || -> rusqlite::Result<Counts> {
            self.connection
                .prepare_cached(&sql)?
                .query_row([job.0], |row| {
                    Ok(Counts {
                        open: number(row, 0)?,
                        answered: number(row, 1)?,
                        failed: number(row, 2)?,
                        repairs: number(row, 3)?,
                    })
                })
        };
        read().map_err(|error| self.sqlite(error))
    }

    /// Which models and states of a server answered a job.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn drift(&self, job: JobId) -> Result<Vec<Drift>, StoreError> {
        let sql = format!(
            "{OF_JOB} SELECT reply.model, fingerprint, count(*), min(at), max(at) FROM of_job JOIN reply ON reply.unit = of_job.id GROUP BY reply.model, fingerprint ORDER BY min(at)"
        );
        let read = || -> rusqlite::Result<Vec<Drift>> {
            let mut statement = self.connection.prepare_cached(&sql)?;
            let rows = statement.query_map([job.0], |row| {
                Ok(Drift {
                    model: row.get(0)?,
                    fingerprint: row.get(1)?,
                    n: row.get::<_, i64>(2)?.unsigned_abs(),
                    first: row.get(3)?,
                    last: row.get(4)?,
                })
            })?;
            rows.collect()
        };
        read().map_err(|error| self.sqlite(error))
    }

    /// Opens failed units of a job again, and repairs that failed; returns how many. Replies that could not be read
    /// stay in the store.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn reopen(&mut self, job: JobId) -> Result<u64, StoreError> {
        let path = self.path.clone();
        let mut reopen = || -> rusqlite::Result<usize> {
            let transaction = self.connection.transaction()?;
            let failed = format!(
                "{OF_JOB} UPDATE unit SET state = 0, reason = NULL, worker = NULL WHERE state = 2 AND id IN of_job"
            );
            let mut n = transaction.execute(&failed, [job.0])?;
            // A repair that could not be read either.
            let unread = format!(
                "{OF_JOB} SELECT unit.id FROM of_job JOIN unit ON unit.id = of_job.id WHERE state = 1 AND repairs IS NOT NULL AND complaint IS NOT NULL"
            );
            let ids: Vec<i64> = transaction
                .prepare(&unread)?
                .query_map([job.0], |row| row.get(0))?
                .collect::<Result<_, _>>()?;
            for id in ids {
                transaction.execute(
                    "INSERT INTO discarded SELECT unit, text, raw, at FROM reply WHERE unit = ?1",
                    [id],
                )?;
                transaction.execute("DELETE FROM reply WHERE unit = ?1", [id])?;
                transaction.execute("UPDATE unit SET state = 0, worker = NULL, checked = 0, complaint = NULL WHERE id = ?1", [id])?;
                n += 1;
            }
            transaction.commit()?;
            Ok(n)
        };
        let n = reopen().map_err(|source| StoreError::Sqlite { path, source })?;
        Ok(n as u64)
    }
}
