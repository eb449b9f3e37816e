//! What happened while rows became ids: what was cut, what does not line up, by line.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use crate::pair::Place;

/// What happened on the way. Every list holds the rows' places.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenizeReport {
    /// Rows tokenized, without those that were dropped.
    pub rows: usize,
    /// The files they are from, in order.
    pub files: Vec<Arc<Path>>,
    /// The chat template does not render the prompt alike by itself and before an answer, so what
    /// is trained on is not what the model is given when it answers.
    pub changed_prompts: Vec<Place>,
    /// Prompt and answer share a token across their boundary: the answer begins with it, and the
    /// prompt ends before it.
    pub boundary_mismatches: Vec<Place>,
    /// The prompt was cut.
    pub cut_prompts: Vec<Place>,
    /// An answer was cut, and with it its end.
    pub cut_responses: Vec<Place>,
    /// Dropped: the prompt fills the limit by itself.
    pub long_prompts: Vec<Place>,
    /// Dropped: the answers are alike as far as the limit reaches.
    pub alike: Vec<Place>,
}

impl TokenizeReport {
    /// Adds what happened to further rows.
    pub fn extend(&mut self, other: Self) {
        self.rows += other.rows;
        self.files.extend(other.files);
        self.files.dedup();
        for (lines, more) in [
            (&mut self.changed_prompts, other.changed_prompts),
            (&mut self.boundary_mismatches, other.boundary_mismatches),
            (&mut self.cut_prompts, other.cut_prompts),
            (&mut self.cut_responses, other.cut_responses),
            (&mut self.long_prompts, other.long_prompts),
            (&mut self.alike, other.alike),
        ] {
            lines.extend(more);
        }
    }
}

impl fmt::Display for TokenizeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows", self.rows)?;
        for (what, lines) in [
            (
                "prompts rendered otherwise before an answer",
                &self.changed_prompts,
            ),
            (
                "rows whose prompt and answer share a token",
                &self.boundary_mismatches,
            ),
            ("prompts cut", &self.cut_prompts),
            ("rows with answers cut at their end", &self.cut_responses),
            (
                "rows dropped, whose prompt leaves no room for an answer",
                &self.long_prompts,
            ),
            (
                "rows dropped, whose answers are alike once cut",
                &self.alike,
            ),
        ] {
            if !lines.is_empty() {
                // of one file, which a reader knows, the lines are enough
                let (lines_of, name): (_, fn(&Place) -> String) = match self.files.len() {
                    0 | 1 => ("lines ", |place| place.line.to_string()),
                    _ => ("", ToString::to_string),
                };
                let first: Vec<String> = lines.iter().take(5).map(name).collect();
                let more = if lines.len() > 5 { ", …" } else { "" };
                let n = lines.len();
                write!(f, "; {n} {what} ({lines_of}{}{more})", first.join(", "))?;
            }
        }
        Ok(())
    }
}
