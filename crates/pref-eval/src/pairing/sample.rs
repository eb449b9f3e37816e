//! Samples of a question. In: texts with their grades. Out: the types, and why a question has no pair.

/// A response to a question.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample<'a> {
    /// The text of the response.
    pub text: &'a str,
    /// How good it is; a larger grade is better. A right answer is 1, a wrong one 0. None if it is not known.
    pub grade: Option<f64>,
}

/// A pair, as positions in the list of samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChosenPair {
    /// The sample with the larger grade.
    pub chosen: usize,
    /// The sample with the smaller grade.
    pub rejected: usize,
}

/// Why a question has no pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoPairs {
    /// There are fewer than two different texts with a grade.
    TooFew,
    /// All answers are right.
    AllRight,
    /// All answers are wrong.
    AllWrong,
    /// All grades are equal, or closer than the smallest difference.
    EqualGrades,
}

impl NoPairs {
    /// The reason in words.
    pub fn name(self) -> &'static str {
        match self {
            NoPairs::TooFew => "fewer than two different responses",
            NoPairs::AllRight => "all responses right",
            NoPairs::AllWrong => "all responses wrong",
            NoPairs::EqualGrades => "all scores equal",
        }
    }
}
