//! Reads replies. In: replies that were not read, or that an older version of the reader could not read. Out: requests
//! to repair those that are invalid.

use rusqlite::{Connection, params};

use super::database::Store;
use super::error::StoreError;
use super::ids::JobId;
use super::ids::UnitId;
use super::units::{OF_JOB, put_unit};
use crate::request::Request;
use crate::task::PARSER_VERSION;

/// What is found in a reply.
#[derive(Clone, Debug, PartialEq)]
pub enum Review {
    /// A valid judgement.
    Valid,
    /// None, and the reply was a repair already.
    Invalid {
        /// What is wrong.
        complaint: String,
    },
    /// None; the judge is asked once more.
    Repair {
        /// What is wrong.
        complaint: String,
        /// The question with the reply and the complaint.
        request: Box<Request>,
        /// The model that is asked.
        model: String,
    },
}

/// Records what was found in a reply, within a transaction. Returns the unit of the repair.
pub(super) fn record(
    connection: &Connection,
    unit: UnitId,
    review: &Review,
) -> rusqlite::Result<Option<UnitId>> {
    let complaint = match review {
        Review::Valid => None,
        Review::Invalid { complaint } | Review::Repair { complaint, .. } => Some(complaint),
    };
    connection
        .prepare_cached("UPDATE unit SET checked = ?2, complaint = ?3 WHERE id = ?1")?
        .execute(params![unit.0, PARSER_VERSION, complaint])?;
    match review {
        Review::Repair { request, model, .. } => {
            put_unit(connection, model, request, Some(unit)).map(Some)
        }
        Review::Valid | Review::Invalid { .. } => Ok(None),
    }
}

impl Store {
    /// Reads the replies of a job that were not read with the present version, with `review`. Returns how many were
    /// read.
    ///
    /// # Errors
    /// [`StoreError`], and the errors of `review`.
    pub fn review<E: From<StoreError>>(
        &mut self,
        job: JobId,
        mut review: impl FnMut(&Request, &str, bool) -> Result<Review, E>,
    ) -> Result<u64, E> {
        let sql = format!(
            "{OF_JOB} SELECT unit.id, reply.text, unit.repairs IS NOT NULL FROM of_job JOIN unit ON unit.id = of_job.id JOIN reply ON reply.unit = unit.id
             WHERE unit.state = 1 AND (unit.checked <> ?2 OR (unit.complaint IS NOT NULL AND unit.repairs IS NULL AND NOT EXISTS (SELECT 1 FROM unit AS repair WHERE repair.repairs = unit.id)))"
        );
        let read = || -> rusqlite::Result<Vec<(i64, String, bool)>> {
            let mut statement = self.connection.prepare(&sql)?;
            let rows = statement.query_map([job.0, PARSER_VERSION], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?;
            rows.collect()
        };
        let unread = read().map_err(|error| self.sqlite(error))?;
        if unread.is_empty() {
            return Ok(0);
        }
        let mut reviews = Vec::with_capacity(unread.len());
        for (id, reply, is_repair) in &unread {
            let request = self.request(UnitId(*id))?;
            reviews.push((UnitId(*id), review(&request, reply, *is_repair)?));
        }
        let path = self.path.clone();
        let failed = |source| StoreError::Sqlite {
            path: path.clone(),
            source,
        };
        let transaction = self.connection.transaction().map_err(failed)?;
        for (unit, review) in &reviews {
            record(&transaction, *unit, review).map_err(failed)?;
        }
        transaction.commit().map_err(failed)?;
        Ok(unread.len() as u64)
    }
}
