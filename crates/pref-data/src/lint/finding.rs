//! The faults that a set of rows can have. In: a kind of fault, a place and a message. Out:
//! [`Finding`].

use std::fmt;

use serde::Serialize;

use crate::text::Place;

/// How serious a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// May be intended.
    Hint,
    /// Makes the trained model worse.
    Warning,
    /// Makes training or evaluation wrong.
    Error,
}

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// A row cannot be read or tokenized.
    BadRow,
    /// An answer holds only white space.
    Blank,
    /// A row has the same content as an earlier one, that is the same [content
    /// hash](crate::ContentHash).
    Duplicate,
    /// A row has the same texts as an earlier one, apart from case, punctuation and white space.
    NearDuplicate,
    /// A row prefers answer A to answer B, and an earlier row prefers B to A. Or two rows give the
    /// same answer different labels.
    Contradiction,
    /// An answer is chosen in one row and rejected in another row, against different answers.
    MixedLabel,
    /// A prompt of the evaluation set is in the training set.
    Overlap,
    /// The answers of a pair are the same, apart from case, punctuation and white space.
    NearlyIdentical,
    /// The prompt alone is at least as long as the limit.
    LongPrompt,
    /// Prompt and answer are longer than the limit, so that the answer is cut.
    Truncated,
    /// The prompt begins with two beginning-of-sequence tokens.
    DoubledBos,
    /// An answer has no end-of-sequence token, or more than one.
    MisplacedEos,
    /// One token holds the end of the prompt and the start of the answer.
    Boundary,
    /// The chat template changes the prompt when an answer follows.
    ChangedPrompt,
    /// Chosen answers are so often longer (or so often shorter) than rejected ones that length
    /// alone distinguishes them.
    LengthBias,
    /// There are far more wanted answers than unwanted ones, or far fewer.
    Imbalance,
}

impl Fault {
    /// How serious the fault is.
    pub fn severity(self) -> Severity {
        match self {
            Fault::BadRow | Fault::Contradiction | Fault::Overlap | Fault::DoubledBos => {
                Severity::Error
            }
            Fault::Blank
            | Fault::Duplicate
            | Fault::LongPrompt
            | Fault::Truncated
            | Fault::MisplacedEos
            | Fault::Boundary
            | Fault::ChangedPrompt
            | Fault::LengthBias
            | Fault::Imbalance => Severity::Warning,
            Fault::NearDuplicate | Fault::MixedLabel | Fault::NearlyIdentical => Severity::Hint,
        }
    }

    /// The name in messages, such as `near-duplicate`.
    pub fn name(self) -> &'static str {
        match self {
            Fault::BadRow => "bad-row",
            Fault::Blank => "blank",
            Fault::Duplicate => "duplicate",
            Fault::NearDuplicate => "near-duplicate",
            Fault::Contradiction => "contradiction",
            Fault::MixedLabel => "mixed-label",
            Fault::Overlap => "overlap",
            Fault::NearlyIdentical => "nearly-identical",
            Fault::LongPrompt => "long-prompt",
            Fault::Truncated => "truncated",
            Fault::DoubledBos => "doubled-bos",
            Fault::MisplacedEos => "misplaced-eos",
            Fault::Boundary => "boundary",
            Fault::ChangedPrompt => "changed-prompt",
            Fault::LengthBias => "length-bias",
            Fault::Imbalance => "imbalance",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One fault that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The position of the row. Absent if the fault concerns the whole set.
    pub place: Option<Place>,
    /// The kind of fault.
    pub fault: Fault,
    /// An explanation for the user.
    pub message: String,
}

impl Finding {
    pub(super) fn new(place: &Place, fault: Fault, message: impl Into<String>) -> Self {
        Self {
            place: Some(place.clone()),
            fault,
            message: message.into(),
        }
    }
}
