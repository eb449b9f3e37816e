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
        (has("prompt") && has("response") && has("rating")).then_some(Shape::RatedRows)
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
        })
    }
}
