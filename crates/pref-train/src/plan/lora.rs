//! The section `train.lora` of a plan. In: settings. Out: the adapter that is trained, with every default that
//! does not depend on a stored adapter.

use std::path::PathBuf;

use pref_model::{LoraConfig, LoraTargets};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::error::PlanError;

/// The adapter that is trained in place of the weights. The defaults are those of TRL's command line.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct LoraPlan {
    /// Folder of an adapter to start from, as PEFT or Pref writes it. The settings below then have the
    /// values of the adapter. By default, a new adapter is trained.
    pub adapter: Option<PathBuf>,
    /// Rank of the update of a weight. Default: 16.
    pub rank: Option<usize>,
    /// The update is multiplied by `alpha / rank`. Default: 32.
    pub alpha: Option<f64>,
    /// The probability with which a value of an adapter's input is dropped in training, from 0 to below 1.
    /// Evaluations and the reference have no dropout. Default: 0.05.
    pub dropout: Option<f64>,
    /// The linear layers that get an adapter: ends of names, a regular expression of the whole name, or
    /// `all-linear`, which is all but the output head. Default: `["q_proj", "v_proj"]`.
    pub targets: Option<LoraTargets>,
    /// Layers that get no adapter although they are targets. Default: none.
    pub exclude: Option<LoraTargets>,
    /// Whether the update is multiplied by `alpha / √rank` (rsLoRA). Default: false.
    pub rslora: Option<bool>,
    /// Whether the length of each row of a weight is trained as well (DoRA). Default: false.
    pub dora: Option<bool>,
}

/// The name of the section, which is also the name of its switch.
pub(super) const SECTION: &str = "train.lora";

impl LoraPlan {
    /// The settings of a new adapter of the model `base`. Settings that are not given have their default.
    pub(crate) fn config(&self, base: String) -> LoraConfig {
        let default = LoraConfig::default();
        LoraConfig {
            rank: self.rank.unwrap_or(default.rank),
            alpha: self.alpha.unwrap_or(default.alpha),
            dropout: self.dropout.unwrap_or(default.dropout),
            targets: self.targets.clone().unwrap_or(default.targets),
            exclude: self.exclude.clone(),
            rslora: self.rslora.unwrap_or(default.rslora),
            dora: self.dora.unwrap_or(default.dora),
            base: Some(base),
            rank_pattern: Vec::new(),
            alpha_pattern: Vec::new(),
            layers: None,
        }
    }

    /// The settings of the stored adapter `stored`, which must be the given ones. Only the dropout may differ.
    ///
    /// # Errors
    /// [`PlanError::OtherAdapter`] names the setting that differs.
    pub(crate) fn config_of(
        &self,
        stored: LoraConfig,
        base: String,
    ) -> Result<LoraConfig, PlanError> {
        let check = |key: &'static str, given: Value, stored: Value| match given.is_null()
            || sorted(&given) == sorted(&stored)
        {
            true => Ok(()),
            false => Err(PlanError::OtherAdapter {
                key,
                given: given.to_string(),
                stored: stored.to_string(),
            }),
        };
        check("rank", json!(self.rank), json!(stored.rank))?;
        check("alpha", json!(self.alpha), json!(stored.alpha))?;
        check("targets", json!(self.targets), json!(stored.targets))?;
        check("exclude", json!(self.exclude), json!(stored.exclude))?;
        check("rslora", json!(self.rslora), json!(stored.rslora))?;
        check("dora", json!(self.dora), json!(stored.dora))?;
        Ok(LoraConfig {
            dropout: self.dropout.unwrap_or(stored.dropout),
            base: Some(base),
            ..stored
        })
    }

    /// Checks every value.
    pub(super) fn check(&self) -> Result<(), PlanError> {
        let wrong = |key, value: String, expected| {
            Err(PlanError::OutOfRange {
                key,
                value,
                expected,
            })
        };
        match (self.rank, self.alpha, self.dropout) {
            (Some(0), ..) => wrong("train.lora.rank", "0".to_owned(), "at least 1"),
            (_, Some(alpha), _) if !(alpha.is_finite() && alpha > 0.0) => {
                wrong("train.lora.alpha", alpha.to_string(), "above 0")
            }
            (.., Some(rate)) if !(0.0..1.0).contains(&rate) => {
                wrong("train.lora.dropout", rate.to_string(), "from 0 to below 1")
            }
            _ => Ok(()),
        }
    }
}

/// A list in a fixed order. Any other value stays as it is.
fn sorted(value: &Value) -> Value {
    let mut value = value.clone();
    if let Value::Array(list) = &mut value {
        list.sort_by_key(Value::to_string);
    }
    value
}
