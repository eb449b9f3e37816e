//! Distributions of scores. In: judged rows. Out: how often each score occurs, by aspect and answer.

use serde::Serialize;
use serde_json::Value;

use super::counts::CLASSES;
use crate::work::ASPECT_NAMES;

/// How often each score from 0 to 4 occurs in one aspect and one kind of answer. A mean of both orders is rounded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Distribution {
    /// The aspect.
    pub aspect: &'static str,
    /// `chosen`, `rejected` or `completion`.
    pub side: &'static str,
    /// Number of segments with each score, from 0 to 4.
    pub counts: [u64; CLASSES],
}

/// The scores of an answer in a row, rounded, `[segments, aspects]`.
pub(super) fn scores(row: &Value, side: &str) -> Option<Vec<Vec<usize>>> {
    let line = |line: &Value| -> Option<Vec<usize>> {
        let line = line.as_array()?.iter();
        let line: Option<Vec<f64>> = line.map(Value::as_f64).collect();
        let line = line.filter(|line| line.len() == ASPECT_NAMES.len())?;
        Some(line.into_iter().map(class).collect())
    };
    row.get(format!("{side}_scores"))?
        .as_array()?
        .iter()
        .map(line)
        .collect()
}

/// The class of a score.
pub(super) fn class(score: f64) -> usize {
    score.round().clamp(0.0, (CLASSES - 1) as f64) as usize
}

/// The distributions of rows, in the order of the aspects.
pub(super) fn distributions(rows: &[Value]) -> Vec<Distribution> {
    let mut all = Vec::new();
    for (a, aspect) in ASPECT_NAMES.into_iter().enumerate() {
        for side in ["chosen", "rejected", "completion"] {
            let mut counts = [0; CLASSES];
            for line in rows.iter().filter_map(|row| scores(row, side)).flatten() {
                counts[line[a]] += 1;
            }
            if counts.iter().any(|&n| n > 0) {
                all.push(Distribution {
                    aspect,
                    side,
                    counts,
                });
            }
        }
    }
    all
}
