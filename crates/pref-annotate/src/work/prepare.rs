//! From rows to questions. In: records, a template, a judge's basis. Out: a job's rows and items, and the reader of its
//! replies.

use pref_data::Record;
use serde_json::Value;

use super::division::Division;
use super::error::WorkError;
use super::kind::Work;
use super::questions::Questions;
use super::rows::{Prepared, prepare};
use crate::judge::Basis;
use crate::request::{Request, Sampling};
use crate::run::RunError;
use crate::store::{Item, NewJob, Review};
use crate::templates::Template;

/// Makes the questions of rows.
#[derive(Debug)]
pub struct Maker<'a> {
    /// What is annotated.
    pub work: &'a Work,
    /// The template of the questions.
    pub template: &'a Template,
    /// How replies are drawn.
    pub sampling: Sampling,
    /// What the judge reads.
    pub basis: Basis,
    /// How answers without segments are divided.
    pub division: Division,
}

impl Maker<'_> {
    /// The rows of a job, and what their questions need. For `rank`, the answers to one prompt become one row.
    ///
    /// # Errors
    /// [`WorkError`] names the first row that cannot be annotated.
    pub fn rows(&self, records: Vec<Record>) -> Result<(Vec<Value>, Vec<Prepared>), WorkError> {
        if records.is_empty() {
            return Err(WorkError::NoRows);
        }
        match self.work {
            Work::Rank(rank) => rank.rows(records, self.division),
            Work::Samples(_) => Err(prompts_only()),
            Work::Scores(_)
            | Work::Bridge(_)
            | Work::Compare(_)
            | Work::Parts(_)
            | Work::Weights(_) => {
                let rows = records.into_iter();
                let rows: Result<Vec<_>, _> = rows.map(|row| prepare(row, self.division)).collect();
                Ok(rows?.into_iter().unzip())
            }
        }
    }

    /// The job of these settings.
    pub fn job(&self, model: &str) -> NewJob {
        NewJob {
            command: self.work.command().to_owned(),
            model: model.to_owned(),
            settings: serde_json::json!({
                "work": self.work,
                "sampling": self.sampling,
                "division": self.division,
            }),
            template: self.template.version.clone(),
            template_hash: self.template.hash.clone(),
        }
    }

    /// A row with its questions.
    ///
    /// # Errors
    /// [`WorkError`] if the row does not fit the work, or the template fails.
    pub fn item(&self, row: &Value, prepared: &Prepared) -> Result<Item, WorkError> {
        let questions = Questions {
            template: self.template,
            sampling: self.sampling,
            basis: self.basis,
            row,
        };
        let slots = match self.work {
            Work::Scores(scores) => scores.slots(&questions, prepared)?,
            Work::Bridge(bridge) => bridge.slots(&questions, row, prepared)?,
            Work::Rank(rank) => rank.slots(&questions, prepared)?,
            Work::Compare(compare) => compare.slots(&questions, prepared)?,
            Work::Parts(parts) => parts.slots(&questions, prepared)?,
            Work::Weights(weights) => weights.slots(&questions, prepared)?,
            Work::Samples(_) => return Err(prompts_only()),
        };
        Ok(Item {
            place: prepared.place.clone(),
            row: row.clone(),
            slots,
        })
    }
}

fn prompts_only() -> WorkError {
    WorkError::Setting {
        name: "samples".to_owned(),
        message: "answers are drawn to prompts, and these rows have answers; use `put_prompts`"
            .to_owned(),
    }
}

/// Reads the replies of a job. An invalid reply of a model is repaired once; a program would repeat it. Without a template
/// nothing is repaired.
pub fn review<'a>(
    template: Option<&'a Template>,
    model: &'a str,
) -> impl Fn(&Request, &str, bool) -> Result<Review, RunError> + use<'a> {
    move |request, reply, is_repair| {
        let complaint = match request.task.read(reply) {
            Ok(_) => return Ok(Review::Valid),
            Err(complaint) => complaint.to_string(),
        };
        let Some(template) = template else {
            return Ok(Review::Invalid { complaint });
        };
        if is_repair || request.facts.is_some() {
            return Ok(Review::Invalid { complaint });
        }
        let words = template.repair(&complaint)?;
        Ok(Review::Repair {
            request: Box::new(request.repair(reply, &words)),
            complaint,
            model: model.to_owned(),
        })
    }
}
