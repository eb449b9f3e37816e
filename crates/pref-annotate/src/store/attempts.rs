//! What is spent. In: the worst case of an attempt before it is sent, and its cost when it has ended. Out: sums that
//! never pass a limit.

use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use super::claims::Worker;
use super::database::{Store, now};
use super::error::StoreError;
use super::ids::UnitId;
use crate::judge::{Reply, Usage};

/// Tokens and money of one attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Tokens of question and reply.
    pub tokens: u64,
    /// Billionths of the unit in which prices are given.
    pub money: u64,
    /// The tokens by kind.
    pub usage: Usage,
}

/// The most that may be spent in a store, by all runs together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Requests.
    pub requests: Option<u64>,
    /// Tokens of questions and replies.
    pub tokens: Option<u64>,
    /// Billionths of the unit in which prices are given.
    pub money: Option<u64>,
}

/// What was spent in a store. Attempts that are on their way count with their worst case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Spend {
    /// Requests that were sent.
    pub requests: u64,
    /// Tokens of questions and replies.
    pub tokens: u64,
    /// Billionths of the unit in which prices are given.
    pub money: u64,
    /// Tokens of questions.
    pub prompt: u64,
    /// Tokens of questions that the server had in its cache.
    pub cached: u64,
    /// Tokens of replies.
    pub completion: u64,
}

/// An attempt that is about to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Reservation {
    /// The question.
    pub unit: UnitId,
    /// The most tokens of the reply.
    pub max_tokens: u32,
    /// The worst case.
    pub worst: Cost,
    /// What may be spent.
    pub limits: Limits,
}

/// Whether an attempt may be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reserved {
    /// Yes; the number is the attempt's.
    Granted(i64),
    /// No: another process asks this question now.
    Taken,
    /// No: the question is answered or failed already, or a batch has it.
    Settled,
    /// No: the worst case would pass a limit; the text names it.
    OverBudget(String),
}

/// How an attempt ended.
#[derive(Clone, Debug)]
pub enum Ended {
    /// With a reply.
    Answered(Box<Reply>),
    /// Without one; the question is open and may be asked again.
    Open {
        /// A word for the kind of failure.
        outcome: &'static str,
        /// The message.
        message: String,
    },
    /// Without one; the question has failed.
    Failed {
        /// A word for the kind of failure.
        outcome: &'static str,
        /// The message.
        message: String,
    },
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn spend(connection: &Connection) -> rusqlite::Result<Spend> {
    let sql = "SELECT requests, tokens, money, prompt, cached, completion FROM spend";
    connection.prepare_cached(sql)?.query_row([], |row| {
        let number = |i: usize| row.get::<_, i64>(i).map(i64::unsigned_abs);
        Ok(Spend {
            requests: number(0)?,
            tokens: number(1)?,
            money: number(2)?,
            prompt: number(3)?,
            cached: number(4)?,
            completion: number(5)?,
        })
    })
}

impl Store {
    /// What was spent.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn spend(&self) -> Result<Spend, StoreError> {
        spend(&self.connection).map_err(|error| self.sqlite(error))
    }
}

/// Claims a question and reserves the worst case, within a transaction.
pub(super) fn reserve(
    connection: &Connection,
    worker: &mut Worker,
    reservation: &Reservation,
) -> rusqlite::Result<Reserved> {
    let Reservation {
        unit,
        max_tokens,
        worst,
        limits,
    } = *reservation;
    let sql = "SELECT state, worker FROM unit WHERE id = ?1";
    let found: Option<(i64, Option<String>)> = connection
        .prepare_cached(sql)?
        .query_row([unit.0], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    match found {
        None => return Ok(Reserved::Settled),
        Some((state, _)) if state != 0 => return Ok(Reserved::Settled),
        Some((_, Some(other))) if other != worker.name && !worker.has_ended(&other) => {
            return Ok(Reserved::Taken);
        }
        Some(_) => {}
    }
    let in_batch = "SELECT 1 FROM attempt WHERE unit = ?1 AND batch IS NOT NULL AND ended IS NULL";
    if connection.prepare_cached(in_batch)?.exists([unit.0])? {
        return Ok(Reserved::Settled);
    }
    let spent = spend(connection)?;
    for (name, limit, spent, worst) in [
        ("requests", limits.requests, spent.requests, 1),
        ("tokens", limits.tokens, spent.tokens, worst.tokens),
        ("money", limits.money, spent.money, worst.money),
    ] {
        if let Some(limit) = limit
            && spent.saturating_add(worst) > limit
        {
            let shown = |amount: u64| match name {
                "money" => format!("{:.4}", amount as f64 / 1e9),
                _ => amount.to_string(),
            };
            return Ok(Reserved::OverBudget(format!(
                "the budget of {name} is {}, {} are spent or reserved, and the next request may need {}",
                shown(limit),
                shown(spent),
                shown(worst)
            )));
        }
    }
    connection
        .prepare_cached("UPDATE unit SET worker = ?1 WHERE id = ?2")?
        .execute(params![worker.name, unit.0])?;
    connection
        .prepare_cached(
            "UPDATE spend SET requests = requests + 1, tokens = tokens + ?1, money = money + ?2",
        )?
        .execute(params![signed(worst.tokens), signed(worst.money)])?;
    connection
        .prepare_cached(
            "INSERT INTO attempt (unit, worker, started, max_tokens, tokens, money) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            unit.0,
            worker.name,
            now(),
            max_tokens,
            signed(worst.tokens),
            signed(worst.money)
        ])?;
    Ok(Reserved::Granted(connection.last_insert_rowid()))
}

/// Removes an attempt that was not sent, and what it reserved, within a transaction.
pub(super) fn release(connection: &Connection, attempt: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE spend SET requests = requests - 1, tokens = spend.tokens - attempt.tokens, money = spend.money - attempt.money FROM attempt WHERE attempt.id = ?1 AND attempt.ended IS NULL",
        )?
        .execute([attempt])?;
    connection
        .prepare_cached("DELETE FROM attempt WHERE id = ?1 AND ended IS NULL")?
        .execute([attempt])?;
    Ok(())
}

/// Records how an attempt ended and what it cost, within a transaction. `cost` is none if it is not known; the worst
/// case stays then.
pub(super) fn settle(
    connection: &Connection,
    attempt: i64,
    cost: Option<Cost>,
    ended: &Ended,
) -> rusqlite::Result<()> {
    let (unit, tokens, money): (i64, i64, i64) = connection
        .prepare_cached("SELECT unit, tokens, money FROM attempt WHERE id = ?1")?
        .query_row([attempt], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let usage = cost.map(|cost| cost.usage).unwrap_or_default();
    let (spent_tokens, spent_money) = match cost {
        Some(cost) => (signed(cost.tokens), signed(cost.money)),
        None => (tokens, money),
    };
    connection
        .prepare_cached(
            "UPDATE spend SET tokens = tokens + ?1, money = money + ?2, prompt = prompt + ?3, cached = cached + ?4, completion = completion + ?5",
        )?
        .execute(params![
            spent_tokens - tokens,
            spent_money - money,
            signed(usage.prompt),
            signed(usage.cached),
            signed(usage.completion)
        ])?;
    let (outcome, message, state) = match ended {
        Ended::Answered(_) => ("answered", None, 1),
        Ended::Open { outcome, message } => (*outcome, Some(message), 0),
        Ended::Failed { outcome, message } => (*outcome, Some(message), 2),
    };
    connection
        .prepare_cached(
            "UPDATE attempt SET ended = ?2, outcome = ?3, message = ?4, tokens = ?5, money = ?6, prompt = ?7, cached = ?8, completion = ?9 WHERE id = ?1",
        )?
        .execute(params![
            attempt,
            now(),
            outcome,
            message,
            spent_tokens,
            spent_money,
            signed(usage.prompt),
            signed(usage.cached),
            signed(usage.completion)
        ])?;
    if let Ended::Answered(reply) = ended {
        connection
            .prepare_cached(
                "INSERT OR IGNORE INTO reply (unit, text, raw, model, fingerprint, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                unit,
                reply.text,
                reply.raw,
                reply.model,
                reply.fingerprint,
                now()
            ])?;
    }
    let reason = match ended {
        Ended::Failed { outcome, message } => Some(format!("{outcome}: {message}")),
        Ended::Answered(_) | Ended::Open { .. } => None,
    };
    // An answered question stays answered, whatever comes later.
    connection
        .prepare_cached(
            "UPDATE unit SET state = ?2, reason = ?3, worker = CASE ?2 WHEN 0 THEN worker END WHERE id = ?1 AND state <> 1",
        )?
        .execute(params![unit, state, reason])?;
    Ok(())
}
