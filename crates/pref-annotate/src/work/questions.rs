//! What all questions of a job share. In: a template, a judge's basis. Out: requests.

use super::error::WorkError;
use super::rows::Prepared;
use crate::judge::Basis;
use crate::request::{ChatMessage, Facts, Request, Sampling};
use crate::task::Task;
use crate::templates::{Template, TemplateError};

/// What all questions of a job share.
pub(super) struct Questions<'a> {
    pub(super) template: &'a Template,
    pub(super) sampling: Sampling,
    pub(super) basis: Basis,
}

impl Questions<'_> {
    /// A question about answers, with messages or facts, whichever the judge reads.
    pub(super) fn request(
        &self,
        row: &Prepared,
        answers: Vec<Vec<String>>,
        task: Task,
        messages: impl FnOnce(&[Vec<String>]) -> Result<Vec<ChatMessage>, TemplateError>,
    ) -> Result<Request, WorkError> {
        let (messages, facts) = match self.basis {
            Basis::Messages => (messages(&answers)?, None),
            Basis::Facts => {
                let facts = Facts {
                    question: row.question.clone(),
                    answers,
                    truth: row.truth.clone(),
                };
                (Vec::new(), Some(facts))
            }
        };
        Ok(Request {
            messages,
            sampling: self.sampling,
            sample: 0,
            template: self.template.version.clone(),
            task,
            facts,
        })
    }
}
