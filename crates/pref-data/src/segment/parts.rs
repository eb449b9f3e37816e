//! Labelled parts: context, reasoning and answer (HiPO). In: text and rules. Out: ranges with
//! labels.

use std::ops::Range;

use regex::Regex;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Segmenter;

/// A stretch of text with a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Bytes of the text.
    pub range: Range<usize>,
    /// What it is.
    pub label: String,
}

/// Where a part begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartMarker {
    /// A regular expression; the part begins where it matches.
    pub pattern: String,
    /// Its label.
    pub label: String,
}

/// How an answer is divided into parts: it begins with one label, and takes another where a marker
/// matches.
#[derive(Clone, Debug)]
pub struct PartRules {
    first: String,
    markers: Vec<(Regex, String)>,
}

/// A pattern that is no regular expression.
#[derive(Debug, Error)]
#[error("`{pattern}` is no regular expression: {message}")]
pub struct PartRulesError {
    /// The pattern.
    pub pattern: String,
    /// What the parser says.
    pub message: String,
}

impl PartRules {
    /// Rules of some markers; text before the first match is labelled `first`.
    ///
    /// # Errors
    /// [`PartRulesError`] names a pattern that is no regular expression.
    pub fn new(first: &str, markers: &[PartMarker]) -> Result<Self, PartRulesError> {
        let compile = |marker: &PartMarker| {
            let regex = Regex::new(&marker.pattern).map_err(|error| PartRulesError {
                pattern: marker.pattern.clone(),
                message: error.to_string(),
            })?;
            Ok((regex, marker.label.clone()))
        };
        Ok(Self {
            first: first.to_owned(),
            markers: markers.iter().map(compile).collect::<Result<_, _>>()?,
        })
    }

    /// The markers of reasoning models and of worked solutions: `<think>` opens the reasoning,
    /// `</think>` and what announces a result (`####`, `A:`, "The answer is", a heading) the answer.
    pub fn default_markers() -> Vec<PartMarker> {
        [
            ("<think>", "reasoning"),
            ("</think>", "answer"),
            (
                r"(?m)^####|^A:|(?i)\bthe (?:final )?answer is\b|(?m)^#+ *(?:final )?answer\b",
                "answer",
            ),
        ]
        .map(|(pattern, label)| PartMarker {
            pattern: pattern.to_owned(),
            label: label.to_owned(),
        })
        .into()
    }

    /// The parts of a text, which join up to it; neighbours differ in label.
    ///
    /// ```
    /// use pref_data::PartRules;
    /// let rules = PartRules::new("reasoning", &PartRules::default_markers())?;
    /// let text = "2 + 2 = 4\n#### 4";
    /// let parts: Vec<_> = rules.parts(text).into_iter().map(|p| (&text[p.range], p.label)).collect();
    /// assert_eq!(parts, [("2 + 2 = 4\n", "reasoning".to_owned()), ("#### 4", "answer".to_owned())]);
    /// # Ok::<(), pref_data::PartRulesError>(())
    /// ```
    pub fn parts(&self, text: &str) -> Vec<Part> {
        let mut starts: Vec<(usize, &str)> = vec![(0, &self.first)];
        for (regex, label) in &self.markers {
            starts.extend(
                regex
                    .find_iter(text)
                    .map(|found| (found.start(), label.as_str())),
            );
        }
        // of two labels at one place the later rule's holds
        starts.sort_by_key(|&(at, _)| at);
        let mut parts: Vec<Part> = Vec::new();
        for (i, &(at, label)) in starts.iter().enumerate() {
            let end = starts.get(i + 1).map_or(text.len(), |&(next, _)| next);
            match parts.last_mut() {
                _ if at == end => {}
                Some(last) if last.label == label => last.range.end = end,
                _ => parts.push(Part {
                    range: at..end,
                    label: label.to_owned(),
                }),
            }
        }
        parts
    }

    /// The label that an answer begins with.
    pub fn first(&self) -> &str {
        &self.first
    }

    /// Every label there is, sorted.
    pub fn labels(&self) -> Vec<String> {
        let markers = self.markers.iter().map(|(_, label)| label.clone());
        let mut all: Vec<String> = markers.chain([self.first.clone()]).collect();
        all.sort();
        all.dedup();
        all
    }
}

impl Segmenter for PartRules {
    /// The parts, their labels aside: reasoning trace and answer with the default markers.
    fn segment(&self, text: &str) -> Vec<Range<usize>> {
        self.parts(text)
            .into_iter()
            .map(|part| part.range)
            .collect()
    }
}
