//! The shapes that preference data comes in, told by a row's fields.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::ReadError;
use super::source::SourceRow;
use crate::pair::Place;

/// How a row says which answer is preferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// `prompt`, `chosen`, `rejected`.
    Pairs,
    /// `chosen` and `rejected`, which begin with the prompt.
    ImplicitPrompt,
    /// `conversations`, `chosen`, `rejected`, messages with `from` and `value`.
    ShareGpt,
    /// `prompt`, a list of `responses`, a list of `ratings`: the best against the worst.
    Rated,
    /// `prompt`, `response`, `rating`, neighbours with one prompt belonging together: the best
    /// against the worst.
    RatedRows,
    /// `prompt`, `response`, `helpfulness`, neighbours with one prompt belonging together: the most
    /// helpful against the least.
    HelpSteer,
    /// `prompt`, `completion`, `label`: single answers, wanted or not.
    Unpaired,
}

impl Shape {
    /// The shape of a row, if its fields tell. A null says nothing: a row whose prompt is null may
    /// be one of `pairs` that lacks it, or one of a table in which no row has a prompt.
    pub(super) fn of(row: &SourceRow) -> Option<Self> {
        let column = |field: &str| row.object.contains_key(field);
        let has = |field: &str| has(row, field);
        let is_list = |field: &str| matches!(row.object.get(field), Some(Value::Array(_)));
        if has("chosen") && has("rejected") {
            return match (has("prompt"), has("conversations")) {
                (true, _) => Some(Shape::Pairs),
                (false, true) => Some(Shape::ShareGpt),
                (false, false) if column("prompt") || column("conversations") => None,
                (false, false) => Some(Shape::ImplicitPrompt),
            };
        }
        if has("prompt") && is_list("responses") && is_list("ratings") {
            return Some(Shape::Rated);
        }
        if has("prompt") && has("completion") && has("label") {
            return Some(Shape::Unpaired);
        }
        match (
            has("prompt") && has("response"),
            has("rating"),
            has("helpfulness"),
        ) {
            (true, true, _) => Some(Shape::RatedRows),
            (true, false, true) => Some(Shape::HelpSteer),
            (true, false, false) | (false, ..) => None,
        }
    }

    /// The shape that rows agree on; none if no row has one.
    ///
    /// # Errors
    /// [`ReadError::Shapes`] names the first row of each shape where they do not agree.
    pub(super) fn of_all<'a>(
        rows: impl Iterator<Item = &'a SourceRow> + Clone,
    ) -> Result<Option<Self>, ReadError> {
        let mut found: Vec<(Shape, Place)> = Vec::new();
        for row in rows.clone() {
            let shape = Shape::of(row).filter(|shape| found.iter().all(|(s, _)| s != shape));
            found.extend(shape.map(|shape| (shape, row.place())));
        }
        match &found[..] {
            [(shape, _)] => Ok(Some(*shape)),
            // the column of the prompt is there, and empty in every row
            [] => {
                let mut rows = rows.filter(|row| has(row, "chosen") && has(row, "rejected"));
                Ok(rows.next().map(|_| Shape::ImplicitPrompt))
            }
            _ => Err(ReadError::Shapes { found }),
        }
    }

    /// Whether several rows make a pair.
    pub(super) fn is_grouped(self) -> bool {
        match self {
            Shape::RatedRows | Shape::HelpSteer => true,
            Shape::Pairs
            | Shape::ImplicitPrompt
            | Shape::ShareGpt
            | Shape::Rated
            | Shape::Unpaired => false,
        }
    }
}

/// Whether a row says something in a field. An empty cell of a table does not.
fn has(row: &SourceRow, field: &str) -> bool {
    match row.object.get(field) {
        None | Some(Value::Null) => false,
        Some(Value::String(text)) => !(row.is_table && text.is_empty()),
        Some(_) => true,
    }
}

impl Shape {
    /// As it is written in settings: `implicit-prompt`.
    pub fn name(self) -> &'static str {
        match self {
            Shape::Pairs => "pairs",
            Shape::ImplicitPrompt => "implicit-prompt",
            Shape::ShareGpt => "share-gpt",
            Shape::Rated => "rated",
            Shape::RatedRows => "rated-rows",
            Shape::HelpSteer => "help-steer",
            Shape::Unpaired => "unpaired",
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Shape::Pairs => "pairs of `chosen` and `rejected` with a `prompt`",
            Shape::ImplicitPrompt => "`chosen` and `rejected` that begin with their prompt",
            Shape::ShareGpt => "ShareGPT `conversations` with `chosen` and `rejected`",
            Shape::Rated => "`responses` with `ratings`, the best against the worst",
            Shape::RatedRows => "rated `response` rows, the best of a prompt against the worst",
            Shape::HelpSteer => "`response` rows, the most helpful of a prompt against the least",
            Shape::Unpaired => "single answers, a `completion` with a `label`",
        })
    }
}
