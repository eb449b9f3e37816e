//! Labelled parts of HiPO. In: answers as segments. Out: one question for each answer, and parts that tile its text.

use minijinja::context;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::error::WorkError;
use super::produced::strings;
use super::questions::Questions;
use super::rows::Prepared;
use crate::request::Request;
use crate::store::Outcome;
use crate::task::{Judgement, Task};
use crate::templates::{fenced, numbered};

/// Labelled parts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parts {
    /// The labels that are allowed.
    pub labels: Vec<String>,
}

impl Default for Parts {
    /// HiPO's labels.
    fn default() -> Self {
        Self {
            labels: ["context", "reasoning", "answer"]
                .map(str::to_owned)
                .to_vec(),
        }
    }
}

impl Parts {
    pub(super) fn slots(
        &self,
        maker: &Questions<'_>,
        row: &Prepared,
    ) -> Result<Vec<(String, Request)>, WorkError> {
        let slot = |(side, answer): (&String, &Vec<String>)| {
            let task = Task::Parts {
                labels: self.labels.clone(),
                n_segments: answer.len(),
            };
            let request = maker.request(row, vec![answer.clone()], task, |_| {
                maker.template.messages(
                    context! { labels => self.labels.join(", ") },
                    context! {
                        question => fenced(&row.question),
                        answer => numbered(answer),
                        n => answer.len(),
                    },
                )
            });
            Ok((side.clone(), request?))
        };
        row.sides.iter().zip(&row.answers).map(slot).collect()
    }

    /// The row with its parts. None if a judgement is missing.
    pub(super) fn row(&self, mut row: Value, outcomes: &[(String, Outcome)]) -> Option<Value> {
        for (side, outcome) in outcomes {
            let Outcome::Judged(Judgement::Labels(labels)) = outcome else {
                return None;
            };
            let segments = strings(&row[format!("{side}_segments")]);
            let mut parts: Vec<(&String, String)> = Vec::new();
            for (label, segment) in labels.iter().zip(&segments) {
                match parts.last_mut() {
                    Some((last, text)) if *last == label => text.push_str(segment),
                    _ => parts.push((label, segment.clone())),
                }
            }
            let part = |(label, text): &(&String, String)| json!({"label": label, "text": text});
            row[format!("{side}_parts")] = parts.iter().map(part).collect();
            if let Some(fields) = row.as_object_mut() {
                fields.shift_remove(&format!("{side}_segments"));
            }
        }
        Some(row)
    }
}
