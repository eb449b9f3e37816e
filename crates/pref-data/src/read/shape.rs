//! The shapes that preference data comes in, told by a row's fields.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::source::SourceRow;

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
    /// The shape of a row, if its fields tell.
    pub(super) fn of(row: &SourceRow) -> Option<Self> {
        let has = |field: &str| row.object.get(field).is_some_and(|v| !v.is_null());
        let is_list = |field: &str| matches!(row.object.get(field), Some(Value::Array(_)));
        if has("chosen") && has("rejected") {
            return Some(match (has("prompt"), has("conversations")) {
                (true, _) => Shape::Pairs,
                (false, true) => Shape::ShareGpt,
                (false, false) => Shape::ImplicitPrompt,
            });
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
