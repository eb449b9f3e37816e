//! The annotation of an answer: segments, scores, parts, and values per token. In: the fields
//! `chosen_segments`, `rejected_scores` and so on. Out: one [`Annotation`] for each answer.

use serde::Serialize;

/// Number of aspects in a row of scores: helpfulness, correctness, safety, completeness, clarity.
pub const ASPECTS: usize = 5;

/// Segments, scores, parts, weights and importance of one answer. In a file the fields are
/// `chosen_segments`, `rejected_scores`, …, and for a single answer `completion_segments`, ….
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Annotation {
    /// Segments of the answer, in order. Joined, they must equal the answer.
    pub segments: Option<Vec<String>>,
    /// Scores of each segment, `[segments, aspects]`, each from 0 to 4.
    pub scores: Option<Vec<[f64; ASPECTS]>>,
    /// Labelled parts of the answer, in order, as label and text. Joined, the texts must equal the
    /// answer.
    pub parts: Option<Vec<(String, String)>>,
    /// A weight for each token, `[tokens]`, including the end-of-sequence token.
    pub weights: Option<Vec<f64>>,
    /// How much each token contributes to the answer's failure, `[tokens]`, from 0 to 1.
    pub importance: Option<Vec<f64>>,
}

impl Annotation {
    /// The same annotation with scores of 0 for segments that have none.
    pub(crate) fn with_scores(&self) -> Self {
        let mut scored = self.clone();
        let n = self.segments.as_ref().map_or(0, Vec::len);
        if scored.scores.is_none() && scored.segments.is_some() {
            scored.scores = Some(vec![[0.0; ASPECTS]; n]);
        }
        scored
    }

    /// Whether the annotation divides the answer into pieces, which must be located in its text.
    pub(crate) fn has_pieces(&self) -> bool {
        self.segments.is_some() || self.parts.is_some()
    }
}
