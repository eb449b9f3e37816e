//! What all questions of a row share. In: a template, a judge's basis. Out: requests.

use serde_json::{Map, Value};

use super::error::WorkError;
use super::rows::Prepared;
use crate::judge::Basis;
use crate::request::{ChatMessage, Facts, Request, Sampling};
use crate::task::Task;
use crate::templates::{Template, TemplateError};

/// What all questions of a row share.
pub(super) struct Questions<'a> {
    pub(super) template: &'a Template,
    pub(super) sampling: Sampling,
    pub(super) basis: Basis,
    /// The row.
    pub(super) row: &'a Value,
}

/// Fields of a row that a model needs besides the answers.
const ROW_FIELDS: [&str; 3] = ["prompt", "tools", "chat_template_kwargs"];

/// The scale of scores that a model computes.
const COMPUTED: std::ops::RangeInclusive<i64> = 0..=4;

impl Questions<'_> {
    /// A question about answers, with messages or facts, whichever the judge reads.
    pub(super) fn request(
        &self,
        row: &Prepared,
        answers: Vec<Vec<String>>,
        task: Task,
        messages: impl FnOnce(&[Vec<String>]) -> Result<Vec<ChatMessage>, TemplateError>,
    ) -> Result<Request, WorkError> {
        let facts = |answers, fields| Facts {
            question: row.question.clone(),
            answers,
            truth: row.truth.clone(),
            row: fields,
        };
        let (messages, facts, task) = match self.basis {
            Basis::Messages => (messages(&answers)?, None, task),
            Basis::Facts => (Vec::new(), Some(facts(answers, None)), task),
            Basis::Rows => {
                self.check_turns(row)?;
                let fields = Some(self.row_fields());
                (Vec::new(), Some(facts(answers, fields)), computed(task))
            }
        };
        Ok(Request {
            messages,
            sampling: self.sampling,
            sample: 0,
            template: self.template.version.clone(),
            task,
            facts,
            drawing: None,
            seed: None,
        })
    }

    fn row_fields(&self) -> Map<String, Value> {
        let field = |name: &str| Some((name.to_owned(), self.row.get(name)?.clone()));
        ROW_FIELDS.into_iter().filter_map(field).collect()
    }

    /// An answer of several turns cannot be made again of its segments.
    fn check_turns(&self, row: &Prepared) -> Result<(), WorkError> {
        for (i, side) in row.sides.iter().enumerate() {
            let answer = self.row.get(side).unwrap_or(&self.row["responses"][i]);
            if answer.as_array().is_some_and(|turns| turns.len() != 1) {
                return Err(WorkError::Row {
                    place: row.place.clone(),
                    message: format!(
                        "`{side}` has several turns, and this judge computes scores of one; `pref reward-model score` scores such rows"
                    ),
                });
            }
        }
        Ok(())
    }
}

/// The task of a judge that computes scores.
fn computed(task: Task) -> Task {
    match task {
        Task::Scores {
            aspect, n_segments, ..
        } => Task::scores(&aspect, COMPUTED, false, n_segments),
        other => other,
    }
}
