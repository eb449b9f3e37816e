//! The data of a case, as its JSON has it. In: JSON. Out: the columns of each answer, with checked
//! lengths and values.

use pref_core::{GradientMoments, N_ASPECTS};
use serde::Deserialize;

use super::error::CaseError;

/// The field `data` of a case. Each objective uses some of the lists; the others are empty.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Data {
    #[serde(default)]
    pub(super) pairs: Vec<Pair>,
    #[serde(default)]
    pub(super) trace: Vec<Pair>,
    #[serde(default)]
    pub(super) empty: Vec<Pair>,
    #[serde(default)]
    pub(super) examples: Vec<Answer>,
    #[serde(default)]
    pub(super) kl_examples: Vec<Answer>,
    pub(super) moments: Option<Moments>,
}

/// The moments from which BVPO's optimal `α` is computed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Moments {
    bias_trace: Vec<f64>,
    bias_empty: Vec<f64>,
    variance_trace: f64,
    variance_empty: f64,
    covariance: f64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pair {
    pub(super) chosen: Answer,
    pub(super) rejected: Answer,
}

/// The columns of one answer. All but `segments`, `scores` and `desirable` have one value for each
/// token.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Answer {
    pub(super) policy: Vec<f64>,
    pub(super) reference: Option<Vec<f64>>,
    pub(super) varied: Option<Vec<f64>>,
    pub(super) importance: Option<Vec<f64>>,
    pub(super) weights: Option<Vec<f64>>,
    pub(super) kl: Option<Vec<f64>>,
    pub(super) parts: Option<Vec<String>>,
    pub(super) segments: Option<Vec<[usize; 2]>>,
    pub(super) scores: Option<Vec<[f64; N_ASPECTS]>>,
    pub(super) desirable: Option<bool>,
}

impl Data {
    /// Checks lengths and values. It does not check whether the lists that the objective needs are
    /// there.
    pub(super) fn check(&self) -> Result<(), CaseError> {
        if let Some(moments) = &self.moments {
            moments.check()?;
        }
        for (list, pairs) in [
            ("pairs", &self.pairs),
            ("trace", &self.trace),
            ("empty", &self.empty),
        ] {
            for (i, pair) in pairs.iter().enumerate() {
                pair.chosen.check(&format!("data.{list}[{i}].chosen"))?;
                pair.rejected.check(&format!("data.{list}[{i}].rejected"))?;
            }
        }
        for (list, answers) in [
            ("examples", &self.examples),
            ("kl_examples", &self.kl_examples),
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
        let (n_empty, n_trace) = (self.bias_empty.len(), self.bias_trace.len());
        if n_empty != n_trace {
            return Err(CaseError::Schema {
                path: "data.moments.bias_empty".to_owned(),
                message: format!(
                    "it has {n_empty} entries, but `bias_trace` has {n_trace}; both need one for each parameter"
                ),
            });
        }
        for (name, value) in [
            ("variance_trace", self.variance_trace),
            ("variance_empty", self.variance_empty),
        ] {
            if value < 0.0 {
                return Err(CaseError::Schema {
                    path: format!("data.moments.{name}"),
                    message: format!("a variance must be at least 0, found {value}"),
                });
            }
        }
        Ok(())
    }

    pub(super) fn to_gradient_moments(&self) -> GradientMoments {
        GradientMoments::new(
            &self.bias_trace,
            &self.bias_empty,
            self.variance_trace,
            self.variance_empty,
            self.covariance,
        )
    }
}

impl Answer {
    fn check(&self, path: &str) -> Result<(), CaseError> {
        let tokens = self.policy.len();
        if tokens == 0 {
            return Err(CaseError::Empty {
                path: format!("{path}.policy"),
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
                let path = format!("{path}.{name}");
                return Err(CaseError::Length {
                    path,
                    found,
                    tokens,
                });
            }
        }
        check_values(path, "varied", &self.varied, "0 or 1", |v| {
            v == 0.0 || v == 1.0
        })?;
        check_values(path, "importance", &self.importance, "from 0 to 1", |v| {
            (0.0..=1.0).contains(&v)
        })?;
        check_values(path, "kl", &self.kl, "at least 0", |v| v >= 0.0)
    }
}

/// Refuses the first value of a column that is not `allowed`.
fn check_values(
    path: &str,
    name: &str,
    column: &Option<Vec<f64>>,
    expected: &'static str,
    allowed: fn(f64) -> bool,
) -> Result<(), CaseError> {
    let mut values = column.iter().flatten().enumerate();
    match values.find(|&(_, &value)| !allowed(value)) {
        None => Ok(()),
        Some((token, &value)) => Err(CaseError::Value {
            path: format!("{path}.{name}"),
            token,
            expected,
            value,
        }),
    }
}
