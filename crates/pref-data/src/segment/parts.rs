//! Labelled parts of an answer, such as context, reasoning and answer (HiPO). In: text and rules.
//! Out: byte ranges with labels.

use std::ops::Range;

use regex::Regex;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::segmenter::Segmenter;

/// A labelled range of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Bytes of the text.
    pub range: Range<usize>,
    /// The label.
    pub label: String,
}

/// A rule that says where a part begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartMarker {
    /// A regular expression. The part begins at each match.
    pub pattern: String,
    /// The label of the part.
    pub label: String,
}

/// How an answer is divided into parts: it begins with one label, and changes to the label of a
/// marker wherever that marker matches.
#[derive(Clone, Debug)]
pub struct PartRules {
    first: String,
    markers: Vec<(Regex, String)>,
}

/// A pattern is not a regular expression.
#[derive(Debug, Error)]
#[error("`{pattern}` is not a regular expression: {message}")]
pub struct PartRulesError {
    /// The pattern.
    pub pattern: String,
    /// The parser's message.
    pub message: String,
}

impl PartRules {
    /// Rules with these markers. Text before the first match has the label `first`.
    ///
    /// # Errors
    /// [`PartRulesError`] names the pattern that is not a regular expression.
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

    /// Markers for reasoning models and for worked solutions. `<think>` begins the reasoning. The
    /// answer begins at `</think>`, `####`, `A:`, "The answer is" or a heading with "answer".
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

    /// The parts of a text, in order and without gaps. Neighbouring parts have different labels.
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
        // where two markers match at the same place, the later marker in the list applies: the sort
        // is stable, and the part of the earlier marker is empty
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

    /// The label of the text before the first match of a marker.
    pub fn first(&self) -> &str {
        &self.first
    }

    /// All labels, sorted, each once.
    pub fn labels(&self) -> Vec<String> {
        let markers = self.markers.iter().map(|(_, label)| label.clone());
        let mut all: Vec<String> = markers.chain([self.first.clone()]).collect();
        all.sort();
        all.dedup();
        all
    }
}

impl Segmenter for PartRules {
    /// The parts without their labels. With the default markers: the reasoning and the answer.
    fn segment(&self, text: &str) -> Vec<Range<usize>> {
        self.parts(text)
            .into_iter()
            .map(|part| part.range)
            .collect()
    }
}
