//! Reads the annotation of an answer from a row. In: the fields `chosen_segments`,
//! `completion_scores` and so on. Out: an [`Annotation`], or an error that names the field.

use serde_json::Value;

use super::source_row::{SourceRow, kind};
use crate::read::error::ReadError;
use crate::text::{ASPECTS, Annotation};

impl SourceRow {
    /// The annotation of one answer; `side` is `chosen`, `rejected` or `completion`. None if the row has no such
    /// field.
    pub(super) fn annotation(&self, side: &str) -> Result<Option<Box<Annotation>>, ReadError> {
        let list = |name: &str| {
            let field = format!("{side}_{name}");
            match self.object.get(&field) {
                None | Some(Value::Null) => Ok(None),
                Some(Value::Array(list)) => Ok(Some((field, list))),
                Some(other) => Err(self.wrong_type(field, "a list", kind(other))),
            }
        };
        let mut found = Annotation::default();
        if let Some((field, list)) = list("segments")? {
            let texts = list.iter().enumerate().map(|(i, entry)| match entry {
                Value::String(text) => Ok(text.clone()),
                other => Err(self.wrong_type(format!("{field}[{i}]"), "a string", kind(other))),
            });
            found.segments = Some(texts.collect::<Result<_, _>>()?);
        }
        if let Some((field, list)) = list("scores")? {
            const ROW: &str =
                "five scores from 0 to 4: helpfulness, correctness, safety, completeness, clarity";
            let rows = list.iter().enumerate().map(|(i, entry)| {
                let at = format!("{field}[{i}]");
                let Value::Array(row) = entry else {
                    return Err(self.wrong_type(at, ROW, kind(entry)));
                };
                let row = self.numbers(&at, row)?;
                let row = <[f64; ASPECTS]>::try_from(row);
                let in_range = row
                    .ok()
                    .filter(|r| r.iter().all(|s| (0.0..=4.0).contains(s)));
                in_range.ok_or_else(|| self.wrong_type(at, ROW, "other numbers"))
            });
            found.scores = Some(rows.collect::<Result<_, _>>()?);
        }
        if let Some((field, list)) = list("parts")? {
            const PART: &str = "an object with the strings `label` and `text`";
            let parts = list.iter().enumerate().map(|(i, entry)| {
                let part = |key: &str| Some(entry.get(key)?.as_str()?.to_owned());
                part("label")
                    .zip(part("text"))
                    .ok_or_else(|| self.wrong_type(format!("{field}[{i}]"), PART, kind(entry)))
            });
            found.parts = Some(parts.collect::<Result<_, _>>()?);
        }
        if let Some((field, list)) = list("weights")? {
            found.weights = Some(self.numbers(&field, list)?);
        }
        if let Some((field, list)) = list("importance")? {
            let values = self.numbers(&field, list)?;
            if let Some(i) = values.iter().position(|v| !(0.0..=1.0).contains(v)) {
                let at = format!("{field}[{i}]");
                return Err(self.wrong_type(at, "a number from 0 to 1", "another number"));
            }
            found.importance = Some(values);
        }
        let is_empty = found == Annotation::default();
        Ok((!is_empty).then(|| Box::new(found)))
    }
}
