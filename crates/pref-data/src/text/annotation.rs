//! What a row says of an answer besides its text. In: the fields `chosen_segments`,
//! `rejected_scores` and so on. Out: one [`Annotation`] for each answer.

use serde::Serialize;

/// How many aspects a score row has: helpfulness, correctness, safety, completeness, clarity.
pub const ASPECTS: usize = 5;

/// What a row says of one answer. In a file the fields are `chosen_segments`, `rejected_scores`, ….
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Annotation {
    /// Segments of the answer, in order. Joined, they are the answer.
    pub segments: Option<Vec<String>>,
    /// Scores of each segment, `[segments, aspects]`, each from 0 to 4.
    pub scores: Option<Vec<[f64; ASPECTS]>>,
    /// Labelled parts of the answer, in order, as label and text. Joined, the texts are the answer.
    pub parts: Option<Vec<(String, String)>>,
    /// A weight for each token, `[tokens]`, including the end-of-sequence token.
    pub weights: Option<Vec<f64>>,
    /// How much each token contributes to the answer's failure, `[tokens]`, from 0 to 1.
    pub importance: Option<Vec<f64>>,
}

impl Annotation {
    /// Whether the annotation divides the answer into pieces, which must be located in its text.
    pub(crate) fn has_pieces(&self) -> bool {
        self.segments.is_some() || self.parts.is_some()
    }
}
