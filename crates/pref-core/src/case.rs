//! Reference cases: an objective, log-probs, and what they should give.
//! In: JSON in the schema of `fixtures/losses`. Out: loss and gradients in the form of the case's
//! `expect`, and how far they are from it.

mod compare;
mod evaluate;

pub use compare::Mismatch;
pub use evaluate::Evaluation;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use crate::bvpo::BvpoAlpha;
use crate::config::{ObjectiveConfig, ObjectiveKind};
use crate::error::{BatchError, SegmentError};

/// A case: what to compute, on what, and what should come out.
#[derive(Clone, Debug, Deserialize)]
pub struct Case {
    /// Family and name, such as `dpo/plain`.
    #[serde(default)]
    pub name: String,
    /// The objective under test.
    pub objective: ObjectiveConfig,
    data: Data,
    /// What should come out, if anyone knows.
    pub expect: Option<Expected>,
}

/// Expected values: numbers in nested lists and objects, in the form of
/// [`Evaluation::values`].
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(transparent)]
pub struct Expected(pub Value);

/// A case that cannot be evaluated.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CaseError {
    /// Not JSON, or not in the schema.
    #[error("{path}: {message}")]
    Schema {
        /// Where in the case, such as `data.pairs[1].chosen.policy`.
        path: String,
        /// What is wrong there.
        message: String,
    },
    /// The data is of another kind than the objective's.
    #[error("{method} needs `data.{needed}`, and the case has none")]
    Data {
        /// The objective's method.
        method: &'static str,
        /// The list it needs.
        needed: &'static str,
    },
    /// A list without an entry.
    #[error("{path} is empty")]
    Empty {
        /// Which list.
        path: String,
    },
    /// A column that does not have one value a token.
    #[error("{path} has {found} values for {tokens} policy log-probs; it needs one a token")]
    Length {
        /// Which column.
        path: String,
        /// Values found.
        found: usize,
        /// Tokens of the answer.
        tokens: usize,
    },
    /// A value outside its range.
    #[error("{path}[{token}] must be {expected}, found {value}")]
    Value {
        /// Which column.
        path: String,
        /// Which token.
        token: usize,
        /// What the column holds.
        expected: &'static str,
        /// What was there.
        value: f64,
    },
    /// A column that some answers have and others lack.
    #[error(
        "{path} is absent, but other answers of the batch have it; give it for all or for none"
    )]
    Ragged {
        /// The column that is missing.
        path: String,
    },
    /// Segments that do not describe the answer.
    #[error("{path}: {source}")]
    Segments {
        /// Which answer.
        path: String,
        /// What is wrong with them.
        #[source]
        source: SegmentError,
    },
    /// The objective found an input missing.
    #[error(transparent)]
    Batch(#[from] BatchError),
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Data {
    #[serde(default)]
    pairs: Vec<Pair>,
    #[serde(default)]
    trace: Vec<Pair>,
    #[serde(default)]
    empty: Vec<Pair>,
    #[serde(default)]
    examples: Vec<Answer>,
    #[serde(default)]
    kl_examples: Vec<Answer>,
    moments: Option<Moments>,
}

/// What BVPO's best mixture is computed from.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Moments {
    bias_trace: Vec<f64>,
    bias_empty: Vec<f64>,
    variance_trace: f64,
    variance_empty: f64,
    covariance: f64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    chosen: Answer,
    rejected: Answer,
}

/// One answer's columns, one value a token.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    policy: Vec<f64>,
    reference: Option<Vec<f64>>,
    varied: Option<Vec<f64>>,
    importance: Option<Vec<f64>>,
    weights: Option<Vec<f64>>,
    kl: Option<Vec<f64>>,
    parts: Option<Vec<String>>,
    segments: Option<Vec<[usize; 2]>>,
    scores: Option<Vec<[f64; crate::N_ASPECTS]>>,
    desirable: Option<bool>,
}

impl std::str::FromStr for Case {
    type Err = CaseError;

    fn from_str(text: &str) -> Result<Self, CaseError> {
        let mut json = serde_json::Deserializer::from_str(text);
        let schema = |path: String, message: String| CaseError::Schema { path, message };
        let case: Case = serde_path_to_error::deserialize(&mut json)
            .map_err(|e| schema(e.path().to_string(), e.inner().to_string()))?;
        json.end()
            .map_err(|e| schema("after the case".to_owned(), e.to_string()))?;
        case.check()?;
        Ok(case)
    }
}

impl Case {
    /// Everything that can be wrong with the data but not with the schema.
    fn check(&self) -> Result<(), CaseError> {
        let method = self.objective.method().name();
        let data = &self.data;
        let need = |needed, empty: bool| match empty {
            true => Err(CaseError::Data { method, needed }),
            false => Ok(()),
        };
        match self.objective.kind() {
            ObjectiveKind::Pairwise(_) | ObjectiveKind::Sum(_) => {
                need("pairs", data.pairs.is_empty())?;
            }
            ObjectiveKind::Bvpo(bvpo) => {
                need("trace", data.trace.is_empty())?;
                need("empty", data.empty.is_empty())?;
                if bvpo.alpha == BvpoAlpha::Optimal {
                    need("moments", data.moments.is_none())?;
                }
            }
            ObjectiveKind::Kto(_) => {
                need("examples", data.examples.is_empty())?;
                need("kl_examples", data.kl_examples.is_empty())?;
            }
        }
        if let Some(moments) = &data.moments {
            moments.check()?;
        }
        for (list, pairs) in [
            ("pairs", &data.pairs),
            ("trace", &data.trace),
            ("empty", &data.empty),
        ] {
            for (i, pair) in pairs.iter().enumerate() {
                pair.chosen.check(&format!("data.{list}[{i}].chosen"))?;
                pair.rejected.check(&format!("data.{list}[{i}].rejected"))?;
            }
        }
        for (list, answers) in [
            ("examples", &data.examples),
            ("kl_examples", &data.kl_examples),
        ] {
            for (i, answer) in answers.iter().enumerate() {
                answer.check(&format!("data.{list}[{i}]"))?;
            }
        }
        Ok(())
    }
}

impl Moments {
    fn check(&self) -> Result<(), CaseError> {
        let (found, tokens) = (self.bias_empty.len(), self.bias_trace.len());
        if found != tokens {
            return Err(CaseError::Schema {
                path: "data.moments.bias_empty".to_owned(),
                message: format!("{found} entries, and `bias_trace` has {tokens}"),
            });
        }
        for (name, value) in [
            ("variance_trace", self.variance_trace),
            ("variance_empty", self.variance_empty),
        ] {
            if value < 0.0 {
                return Err(CaseError::Schema {
                    path: format!("data.moments.{name}"),
                    message: format!("a variance is at least 0, found {value}"),
                });
            }
        }
        Ok(())
    }
}

impl Answer {
    fn check(&self, at: &str) -> Result<(), CaseError> {
        let tokens = self.policy.len();
        if tokens == 0 {
            return Err(CaseError::Empty {
                path: format!("{at}.policy"),
            });
        }
        let lengths = [
            ("reference", self.reference.as_ref().map(Vec::len)),
            ("varied", self.varied.as_ref().map(Vec::len)),
            ("importance", self.importance.as_ref().map(Vec::len)),
            ("weights", self.weights.as_ref().map(Vec::len)),
            ("kl", self.kl.as_ref().map(Vec::len)),
            ("parts", self.parts.as_ref().map(Vec::len)),
        ];
        for (name, found) in lengths {
            if let Some(found) = found.filter(|&n| n != tokens) {
                let path = format!("{at}.{name}");
                return Err(CaseError::Length {
                    path,
                    found,
                    tokens,
                });
            }
        }
        let within = |name: &str, column: &Option<Vec<f64>>, expected, holds: fn(f64) -> bool| {
            let wrong = column.iter().flatten().position(|&v| !holds(v));
            match (wrong, column) {
                (Some(token), Some(column)) => Err(CaseError::Value {
                    path: format!("{at}.{name}"),
                    token,
                    expected,
                    value: column[token],
                }),
                _ => Ok(()),
            }
        };
        within("varied", &self.varied, "0 or 1", |v| v == 0.0 || v == 1.0)?;
        within("importance", &self.importance, "from 0 to 1", |v| {
            (0.0..=1.0).contains(&v)
        })?;
        within("kl", &self.kl, "at least 0", |v| v >= 0.0)?;
        Ok(())
    }
}
