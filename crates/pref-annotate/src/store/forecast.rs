//! What a job will cost. In: its open units, and what answered units of the same model used. Out: an expectation.

use serde::Serialize;

use super::database::Store;
use super::error::StoreError;
use super::ids::JobId;
use super::units::OF_JOB;
use crate::judge::Usage;

/// What the open units of a job are expected to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Forecast {
    /// Open units.
    pub n_open: u64,
    /// Expected tokens.
    pub usage: Usage,
    /// Replies of the same model that the expectation comes from. Without any, a token is taken as four bytes and a
    /// reply as a hundred tokens.
    pub n_known: u64,
}

const BYTES_PER_TOKEN: f64 = 4.0;
const USUAL_REPLY: f64 = 100.0;

impl Store {
    /// What the open units of a job are expected to use.
    ///
    /// # Errors
    /// [`StoreError::Sqlite`].
    pub fn forecast(&self, job: JobId, model: &str) -> Result<Forecast, StoreError> {
        let open = format!(
            "{OF_JOB} SELECT count(*), coalesce(sum(length(request.body) + length(prefix.body)), 0) FROM of_job JOIN unit ON unit.id = of_job.id JOIN request ON request.unit = unit.id JOIN prefix ON prefix.id = request.prefix WHERE unit.state = 0"
        );
        let known = "SELECT count(*), avg(prompt), avg(cached), avg(completion) FROM attempt JOIN unit ON unit.id = attempt.unit WHERE outcome = 'answered' AND prompt > 0 AND model = ?1";
        let read = || -> rusqlite::Result<Forecast> {
            let (n_open, bytes): (i64, i64) = self
                .connection
                .query_row(&open, [job.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
            self.connection.query_row(known, [model], |row| {
                let n_known: i64 = row.get(0)?;
                let n = n_open as f64;
                let mean = |i: usize| -> rusqlite::Result<u64> {
                    Ok((row.get::<_, Option<f64>>(i)?.unwrap_or(0.0) * n).round() as u64)
                };
                let usage = match n_known {
                    0 => Usage {
                        prompt: (bytes as f64 / BYTES_PER_TOKEN).round() as u64,
                        cached: 0,
                        completion: (USUAL_REPLY * n).round() as u64,
                    },
                    _ => Usage {
                        prompt: mean(1)?,
                        cached: mean(2)?,
                        completion: mean(3)?,
                    },
                };
                Ok(Forecast {
                    n_open: n_open.unsigned_abs(),
                    usage,
                    n_known: n_known.unsigned_abs(),
                })
            })
        };
        read().map_err(|error| self.sqlite(error))
    }
}
