//! An objective as configuration: a closed schema, checked when it is read.
//!
//! In: `{"method": "adpo", "beta": 0.1, "granularity": {"adaptive": 256}}` and the like. Out: an
//! [`ObjectiveConfig`] whose every value is known valid, and which spells out every default.

mod composed;
mod error;
mod fields;
mod meaning;
mod method;
mod modifiers;
mod pairwise;
mod preset;

pub use composed::TermConfig;
pub use error::ConfigError;
pub use method::{Method, MethodInfo};
pub use pairwise::{GranularityConfig, LinkConfig, PairwiseConfig, WeightConfig};

use burn::tensor::backend::Backend;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};

use crate::bvpo::BvpoConfig;
use crate::kto::Kto;
use crate::objective::{Objective, Term, WeightedSum};
use error::suggestion;
use fields::{Domain, Fields};

/// A checked objective: a method, its settings and its modifiers.
///
/// ```
/// use pref_core::ObjectiveConfig;
/// let objective: ObjectiveConfig = r#"{"method": "dpo", "beta": 0.2}"#.parse()?;
/// assert_eq!(objective.method().name(), "dpo");
/// let typo = r#"{"method": "dpo", "betta": 0.2}"#.parse::<ObjectiveConfig>().unwrap_err();
/// assert!(typo.to_string().contains("did you mean `beta`?"));
/// # Ok::<(), pref_core::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectiveConfig {
    method: Method,
    kind: ObjectiveKind,
    resolved: Map<String, Value>,
}

/// What an objective is computed over.
#[derive(Clone, Debug, PartialEq)]
pub enum ObjectiveKind {
    /// Pairs of answers to one prompt.
    Pairwise(PairwiseConfig),
    /// Single answers, desirable or not.
    Kto(Kto),
    /// Two sets of pairs, with reasoning traces and without.
    Bvpo(Box<BvpoConfig>),
    /// Several objectives on the same pairs, summed. At least one.
    Sum(Vec<TermConfig>),
}

/// What an objective needs besides the policy's log-probs and masks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Log-probs of a reference model.
    pub reference: bool,
    /// Which tokens differ between the answers.
    pub varied: bool,
    /// Importance of each rejected token.
    pub importance: bool,
    /// Weights in the data.
    pub weights: bool,
    /// A part label for each token.
    pub parts: bool,
    /// Segments with score rows.
    pub segments: bool,
    /// Per-token KL of reference to policy, so both vocabulary distributions.
    pub kl: bool,
    /// Unpaired examples with completions of other prompts.
    pub unpaired: bool,
    /// A second set of pairs, with emptied traces.
    pub traces: bool,
}

impl Needs {
    /// What either needs.
    fn or(self, other: Self) -> Self {
        Self {
            reference: self.reference || other.reference,
            varied: self.varied || other.varied,
            importance: self.importance || other.importance,
            weights: self.weights || other.weights,
            parts: self.parts || other.parts,
            segments: self.segments || other.segments,
            kl: self.kl || other.kl,
            unpaired: self.unpaired || other.unpaired,
            traces: self.traces || other.traces,
        }
    }

    /// The needs by name, for people: `reference`, `varied`, …
    pub fn names(&self) -> Vec<&'static str> {
        [
            ("reference", self.reference),
            ("varied", self.varied),
            ("importance", self.importance),
            ("weights", self.weights),
            ("parts", self.parts),
            ("segments", self.segments),
            ("kl", self.kl),
            ("unpaired", self.unpaired),
            ("traces", self.traces),
        ]
        .into_iter()
        .filter_map(|(name, needed)| needed.then_some(name))
        .collect()
    }
}

impl ObjectiveConfig {
    /// A method with the defaults of its source.
    ///
    /// # Errors
    /// [`ConfigError`] for an unknown name, or a method with a setting that has no default.
    pub fn preset(method: &str) -> Result<Self, ConfigError> {
        Self::from_value(&json!({ "method": method }))
    }

    /// Checks an object of the schema.
    ///
    /// # Errors
    /// [`ConfigError`], naming the setting, what was found and what it takes.
    pub fn from_value(value: &Value) -> Result<Self, ConfigError> {
        let mut fields = Fields::new("the objective", value)?;
        let name = fields
            .text("method")?
            .ok_or_else(|| ConfigError::NoMethod {
                known: known_methods(),
            })?;
        let method = Method::from_name(&name).ok_or_else(|| ConfigError::UnknownMethod {
            suggestion: suggestion(&name, &Method::ALL.map(Method::name)),
            found: name.clone(),
            known: known_methods(),
        })?;
        fields.rename(method.name());
        fields.resolve("method", method.name());
        let kind = match method {
            Method::Kto => ObjectiveKind::Kto(Kto {
                beta: fields.number("beta", 0.1, Domain::Positive)?,
                desirable_weight: fields.number("desirable_weight", 1.0, Domain::NonNegative)?,
                undesirable_weight: fields.number(
                    "undesirable_weight",
                    1.0,
                    Domain::NonNegative,
                )?,
            }),
            Method::Bvpo => ObjectiveKind::Bvpo(Box::new(composed::bvpo(&mut fields)?)),
            Method::Sum => ObjectiveKind::Sum(composed::sum(&mut fields)?),
            pairwise => ObjectiveKind::Pairwise(PairwiseConfig::read(pairwise, &mut fields)?),
        };
        Ok(Self {
            method,
            kind,
            resolved: fields.finish()?,
        })
    }

    /// Which method.
    pub fn method(&self) -> Method {
        self.method
    }

    /// The checked parts, to match on.
    pub fn kind(&self) -> &ObjectiveKind {
        &self.kind
    }

    /// The algebra's choices, if the objective is one choice of each.
    pub fn pairwise(&self) -> Option<&PairwiseConfig> {
        match &self.kind {
            ObjectiveKind::Pairwise(pairwise) => Some(pairwise),
            ObjectiveKind::Kto(_) | ObjectiveKind::Bvpo(_) | ObjectiveKind::Sum(_) => None,
        }
    }

    /// The objective for a backend, if it is one over pairs: a pairwise method, or a sum of them.
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
            ObjectiveKind::Kto(_) | ObjectiveKind::Bvpo(_) => None,
        }
    }

    /// What the data must hold.
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
        }
    }

    /// The object with every default spelled out.
    pub fn to_value(&self) -> Value {
        Value::Object(self.resolved.clone())
    }
}

fn known_methods() -> String {
    Method::ALL.map(Method::name).join(", ")
}

impl std::str::FromStr for ObjectiveConfig {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let value = serde_json::from_str(text).map_err(|e| ConfigError::Json(e.to_string()))?;
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
