//! The report of tokenization. In: the flaws of each row. Out: lists of places, and a summary in
//! words.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use crate::text::Place;

/// The report of tokenization. Each list holds the places of the rows that it is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenizeReport {
    /// Number of tokenized rows. Dropped rows do not count.
    pub rows: usize,
    /// The files of the rows, in order.
    pub files: Vec<Arc<Path>>,
    /// Rows whose prompt is rendered differently by the chat template when an answer follows. The
    /// model is then trained on a prompt that it does not see when it generates.
    pub changed_prompts: Vec<Place>,
    /// Rows in which one token holds the end of the prompt and the start of an answer. The token
    /// belongs to the answer.
    pub boundary_mismatches: Vec<Place>,
    /// Rows whose prompt was cut.
    pub cut_prompts: Vec<Place>,
    /// Rows in which the end of an answer was cut.
    pub cut_responses: Vec<Place>,
    /// Rows that were dropped because the prompt alone is at least as long as the limit.
    pub long_prompts: Vec<Place>,
    /// Rows that were dropped because the answers differ only in tokens that were cut.
    pub identical_once_cut: Vec<Place>,
}

/// What happened to one row.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RowFlaws {
    /// The chat template renders the prompt differently when an answer follows.
    pub(super) changed_prompt: bool,
    /// One token holds the end of the prompt and the start of an answer.
    pub(super) shared_token: bool,
    /// The prompt was cut.
    pub(super) cut_prompt: bool,
    /// The end of an answer was cut.
    pub(super) cut_response: bool,
    /// The row was dropped because the prompt alone is at least as long as the limit.
    pub(super) long_prompt: bool,
    /// The row was dropped because the answers differ only in tokens that were cut.
    pub(super) identical_once_cut: bool,
}

impl TokenizeReport {
    /// Adds one row. `is_kept` is false for a row that was dropped.
    pub(super) fn add(&mut self, place: &Place, flaws: RowFlaws, is_kept: bool) {
        self.rows += usize::from(is_kept);
        for (is_flawed, places) in [
            (flaws.changed_prompt, &mut self.changed_prompts),
            (flaws.shared_token, &mut self.boundary_mismatches),
            (flaws.cut_prompt, &mut self.cut_prompts),
            (flaws.cut_response, &mut self.cut_responses),
            (flaws.long_prompt, &mut self.long_prompts),
            (flaws.identical_once_cut, &mut self.identical_once_cut),
        ] {
            if is_flawed {
                places.push(place.clone());
            }
        }
    }

    /// Adds the file of a row, if it is not the file of the row before.
    pub(super) fn add_file(&mut self, place: &Place) {
        if let Some(file) = place.file.as_ref()
            && self.files.last() != Some(file)
        {
            self.files.push(Arc::clone(file));
        }
    }

    /// Adds the report of further rows.
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
            (&mut self.identical_once_cut, other.identical_once_cut),
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
                "prompts that the chat template changes when an answer follows",
                &self.changed_prompts,
            ),
            (
                "rows in which prompt and answer share a token",
                &self.boundary_mismatches,
            ),
            ("prompts cut", &self.cut_prompts),
            (
                "rows whose answers were cut at the end",
                &self.cut_responses,
            ),
            (
                "rows dropped because the prompt leaves no room for an answer",
                &self.long_prompts,
            ),
            (
                "rows dropped because the answers are the same once cut",
                &self.identical_once_cut,
            ),
        ] {
            if !lines.is_empty() {
                // with one file, line numbers are enough
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
