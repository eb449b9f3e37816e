//! Verdicts on answers. In: nothing. Out: the type, and how verdicts on parts become one on the whole.

use serde::{Deserialize, Serialize};

/// Whether two answers are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The answers have the same meaning.
    Equal,
    /// The answers differ.
    Different,
    /// Neither was shown: an answer is missing, or a limit on the work was reached.
    Unknown,
}

impl Verdict {
    pub(crate) fn of(is_equal: bool) -> Self {
        match is_equal {
            true => Verdict::Equal,
            false => Verdict::Different,
        }
    }

    /// Equal if both are equal.
    pub(crate) fn and(self, other: Verdict) -> Verdict {
        match (self, other) {
            (Verdict::Different, _) | (_, Verdict::Different) => Verdict::Different,
            (Verdict::Unknown, _) | (_, Verdict::Unknown) => Verdict::Unknown,
            (Verdict::Equal, Verdict::Equal) => Verdict::Equal,
        }
    }

    /// Equal if one is equal. `other` is computed only if it matters.
    pub(crate) fn or(self, other: impl FnOnce() -> Verdict) -> Verdict {
        match self {
            Verdict::Equal => Verdict::Equal,
            Verdict::Different => other(),
            Verdict::Unknown => match other() {
                Verdict::Equal => Verdict::Equal,
                Verdict::Different | Verdict::Unknown => Verdict::Unknown,
            },
        }
    }

    /// Equal if all are equal.
    pub(crate) fn all(verdicts: impl IntoIterator<Item = Verdict>) -> Verdict {
        let mut total = Verdict::Equal;
        for verdict in verdicts {
            total = total.and(verdict);
            if total == Verdict::Different {
                break;
            }
        }
        total
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Verdict::Equal => "equal",
            Verdict::Different => "different",
            Verdict::Unknown => "unknown",
        })
    }
}
