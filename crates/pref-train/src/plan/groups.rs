//! Groups of parameters, the tables `[[train.groups]]` of a plan. In: settings. Out: for each group, a pattern of
//! names with a learning rate and a weight decay of its own.

use serde::{Deserialize, Serialize};

use super::error::PlanError;
use super::pattern::name_pattern;

/// Parameters with a learning rate or a weight decay of their own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct GroupPlan {
    /// Pattern of the names of the parameters, such as `"model.embed_tokens.*"`. `*` stands for any text, `?` for
    /// any character and `[0-3]` for one of these.
    #[serde(rename = "match")]
    pub pattern: String,
    /// The learning rate of the run is multiplied by this factor, above 0. Default: 1.
    pub learning_rate_factor: Option<f64>,
    /// Peak learning rate of these parameters, above 0, in place of `train.learning-rate`. It follows the same
    /// schedule.
    pub learning_rate: Option<f64>,
    /// Weight decay of all these parameters, at least 0, in place of `train.weight-decay`. It also applies to norms
    /// and biases.
    pub weight_decay: Option<f64>,
}

impl GroupPlan {
    /// The setting that has a group's pattern. Groups are counted from 0.
    pub(crate) fn key(index: usize) -> String {
        format!("train.groups[{index}].match")
    }

    /// Checks the values of a group.
    pub(super) fn check(&self, index: usize) -> Result<(), PlanError> {
        name_pattern(&Self::key(index), &self.pattern)?;
        let error = |message: String| {
            let key = format!("train.groups[{index}]");
            Err(PlanError::Value { key, message })
        };
        for (name, value, is_fit, expected) in [
            (
                "learning-rate-factor",
                self.learning_rate_factor,
                self.learning_rate_factor.is_none_or(|x| x > 0.0),
                "above 0; to leave weights as they are, use `train.freeze`",
            ),
            (
                "learning-rate",
                self.learning_rate,
                self.learning_rate.is_none_or(|x| x > 0.0),
                "above 0; to leave weights as they are, use `train.freeze`",
            ),
            (
                "weight-decay",
                self.weight_decay,
                self.weight_decay.is_none_or(|x| x >= 0.0),
                "at least 0",
            ),
        ] {
            if let Some(value) = value
                && !(is_fit && value.is_finite())
            {
                return error(format!("`{name}` must be {expected}, found {value}"));
            }
        }
        match (
            self.learning_rate_factor,
            self.learning_rate,
            self.weight_decay,
        ) {
            (Some(_), Some(_), _) => error(
                "`learning-rate-factor` and `learning-rate` both give the learning rate; keep one of them"
                    .to_owned(),
            ),
            (None, None, None) => error(
                "expected `learning-rate-factor`, `learning-rate` or `weight-decay` beside `match`, found none of them"
                    .to_owned(),
            ),
            _ => Ok(()),
        }
    }
}
