//! The configuration of an objective of any method. In: JSON. Out: a checked [`ObjectiveConfig`],
//! and the objective for a backend.

use std::str::FromStr;

use burn::tensor::backend::Backend;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::bvpo::{BvpoConfig, read_bvpo};
use super::error::ObjectiveConfigError;
use super::fields::Fields;
use super::method::Method;
use super::needs::Needs;
use super::pairwise::PairwiseConfig;
use super::preset::Preset;
use super::reading::{read_method, read_pairwise};
use super::sum::{TermConfig, read_sum};
use crate::objective::{BradleyTerry, Kto, Objective, SegmentScores, Sft, Term, WeightedSum};

/// A checked objective: a method with all its settings.
///
/// ```
/// use pref_core::ObjectiveConfig;
/// let objective: ObjectiveConfig = r#"{"method": "dpo", "beta": 0.2}"#.parse()?;
/// assert_eq!(objective.method().name(), "dpo");
/// let typo = r#"{"method": "dpo", "betta": 0.2}"#.parse::<ObjectiveConfig>().unwrap_err();
/// assert!(typo.to_string().contains("did you mean `beta`?"));
/// # Ok::<(), pref_core::ObjectiveConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectiveConfig {
    method: Method,
    kind: ObjectiveKind,
    /// The JSON object with every default spelled out.
    resolved: Map<String, Value>,
}

/// The checked settings of an objective, by the kind of data that it is computed on.
#[derive(Clone, Debug, PartialEq)]
pub enum ObjectiveKind {
    /// An objective over pairs of answers to one prompt.
    Pairwise(PairwiseConfig),
    /// KTO, over single answers that are desirable or not.
    Kto(Kto),
    /// BVPO, over two sets of pairs, with reasoning traces and without.
    Bvpo(Box<BvpoConfig>),
    /// Several objectives over the same pairs, whose losses are added up. At least one.
    Sum(Vec<TermConfig>),
    /// SFT, over single answers.
    Sft(Sft),
    /// Bradley-Terry, over the scores that a reward model gives to both answers of pairs.
    BradleyTerry(BradleyTerry),
    /// The scores that a reward model gives to segments.
    Segments(SegmentScores),
}

impl ObjectiveConfig {
    /// A method with the defaults of its source.
    ///
    /// # Errors
    /// [`ObjectiveConfigError`] if there is no method of that name, or if one of its settings has no default.
    pub fn preset(method: &str) -> Result<Self, ObjectiveConfigError> {
        Self::from_value(&json!({ "method": method }))
    }

    /// Reads and checks a JSON object.
    ///
    /// # Errors
    /// [`ObjectiveConfigError`], which names the setting, what was found and what is expected.
    pub fn from_value(value: &Value) -> Result<Self, ObjectiveConfigError> {
        let mut fields = Fields::new("objective", value)?;
        let method = read_method(&mut fields)?;
        let kind = match Preset::read(method, &mut fields)? {
            Preset::Pairwise(preset) => {
                ObjectiveKind::Pairwise(read_pairwise(method, preset, &mut fields)?)
            }
            Preset::Kto(kto) => ObjectiveKind::Kto(kto),
            Preset::Bvpo => ObjectiveKind::Bvpo(Box::new(read_bvpo(&mut fields)?)),
            Preset::Sum => ObjectiveKind::Sum(read_sum(&mut fields)?),
            Preset::Sft(_) => ObjectiveKind::Sft(Sft),
            Preset::BradleyTerry(objective) => ObjectiveKind::BradleyTerry(objective),
            Preset::Segments => ObjectiveKind::Segments(SegmentScores),
        };
        Ok(Self {
            method,
            kind,
            resolved: fields.finish()?,
        })
    }

    /// The method.
    pub fn method(&self) -> Method {
        self.method
    }

    /// The checked settings.
    pub fn kind(&self) -> &ObjectiveKind {
        &self.kind
    }

    /// The checked settings of a single objective over pairs; `None` for every other kind.
    pub fn pairwise(&self) -> Option<&PairwiseConfig> {
        match &self.kind {
            ObjectiveKind::Pairwise(pairwise) => Some(pairwise),
            ObjectiveKind::Kto(_)
            | ObjectiveKind::Bvpo(_)
            | ObjectiveKind::Sum(_)
            | ObjectiveKind::Sft(_)
            | ObjectiveKind::BradleyTerry(_)
            | ObjectiveKind::Segments(_) => None,
        }
    }

    /// The objective for a backend, if it compares log-probs of one set of pairs; `None` for kto, bvpo,
    /// sft and the objectives of reward models.
    pub fn over_pairs<B: Backend>(&self) -> Option<Box<dyn Objective<B>>> {
        match &self.kind {
            ObjectiveKind::Pairwise(pairwise) => Some(Box::new(pairwise.build())),
            ObjectiveKind::Sum(terms) => {
                let mut terms = terms.iter().map(|term| Term {
                    weight: term.weight,
                    objective: term.objective.build(),
                });
                let first = terms.next()?;
                let rest = terms.collect();
                Some(Box::new(WeightedSum { first, rest }))
            }
            ObjectiveKind::Kto(_)
            | ObjectiveKind::Bvpo(_)
            | ObjectiveKind::Sft(_)
            | ObjectiveKind::BradleyTerry(_)
            | ObjectiveKind::Segments(_) => None,
        }
    }

    /// The data that the objective needs.
    pub fn needs(&self) -> Needs {
        match &self.kind {
            ObjectiveKind::Pairwise(pairwise) => pairwise.needs(),
            ObjectiveKind::Kto(_) => Needs {
                reference: true,
                unpaired: true,
                ..Needs::default()
            },
            ObjectiveKind::Bvpo(bvpo) => Needs {
                traces: true,
                ..bvpo.inner.needs()
            },
            ObjectiveKind::Sum(terms) => {
                let needs = terms.iter().map(|term| term.objective.needs());
                needs.fold(Needs::default(), Needs::or)
            }
            ObjectiveKind::Sft(_) => Needs {
                demonstrations: true,
                ..Needs::default()
            },
            ObjectiveKind::BradleyTerry(_) => Needs {
                reward_model: true,
                ..Needs::default()
            },
            ObjectiveKind::Segments(_) => Needs {
                reward_model: true,
                segments: true,
                ..Needs::default()
            },
        }
    }

    /// The JSON object with every default spelled out. Reading it again gives an equal objective.
    pub fn to_value(&self) -> Value {
        Value::Object(self.resolved.clone())
    }
}

impl FromStr for ObjectiveConfig {
    type Err = ObjectiveConfigError;

    fn from_str(text: &str) -> Result<Self, ObjectiveConfigError> {
        let value =
            serde_json::from_str(text).map_err(|e| ObjectiveConfigError::Json(e.to_string()))?;
        Self::from_value(&value)
    }
}

impl<'de> Deserialize<'de> for ObjectiveConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Self::from_value(&value).map_err(serde::de::Error::custom)
    }
}

impl Serialize for ObjectiveConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.resolved.serialize(serializer)
    }
}
