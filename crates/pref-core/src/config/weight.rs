//! The setting `token_weights`. In: JSON. Out: [`WeightConfig`]s, the same as JSON with every
//! default spelled out, and the weights for a backend.

use burn::tensor::backend::Backend;
use serde_json::{Value, json};

use super::error::ObjectiveConfigError;
use super::fields::{Domain, Fields};
use crate::weight::{
    Confidence, Given, Importance, ReferenceConfidence, SharedLength, TemporalDecay, TokenWeight,
    Varied,
};

/// The token weights that a configuration can name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum WeightConfig {
    /// `{"kind": "confidence", "delta": 3.0, "reference": "policy"}`.
    Confidence(Confidence),
    /// `{"kind": "importance"}`: see [`Importance`].
    Importance,
    /// `{"kind": "temporal_decay", "gamma": 0.98}`.
    TemporalDecay(TemporalDecay),
    /// `{"kind": "shared_length", "alpha": 0.5}`.
    SharedLength(SharedLength),
    /// `{"kind": "varied"}`: see [`Varied`].
    Varied,
    /// `{"kind": "given"}`: see [`Given`].
    Given,
}

/// The words of `kind`.
#[derive(Clone, Copy)]
enum Kind {
    Confidence,
    Importance,
    TemporalDecay,
    SharedLength,
    Varied,
    Given,
}

const KINDS: [(&str, Kind); 6] = [
    ("confidence", Kind::Confidence),
    ("importance", Kind::Importance),
    ("temporal_decay", Kind::TemporalDecay),
    ("shared_length", Kind::SharedLength),
    ("varied", Kind::Varied),
    ("given", Kind::Given),
];

const REFERENCES: [(&str, ReferenceConfidence); 2] = [
    ("policy", ReferenceConfidence::Policy),
    ("own", ReferenceConfidence::Own),
];

impl WeightConfig {
    /// Reads one weight, or a list of weights that are multiplied.
    pub(super) fn read_all(value: &Value) -> Result<Vec<Self>, ObjectiveConfigError> {
        match value {
            Value::Array(list) => list.iter().map(Self::read).collect(),
            one => Ok(vec![Self::read(one)?]),
        }
    }

    fn read(value: &Value) -> Result<Self, ObjectiveConfigError> {
        let mut fields = Fields::new("token_weights", value)?;
        let Some(kind) = fields.choice("kind", "token_weights.kind", &KINDS)? else {
            return Err(ObjectiveConfigError::Required {
                owner: "token_weights",
                key: "kind",
                expected: "confidence, importance, temporal_decay, shared_length, varied or given",
            });
        };
        let weight = match kind {
            Kind::Confidence => WeightConfig::Confidence(Confidence {
                delta: fields.number("delta", 3.0, Domain::Positive)?,
                reference: fields
                    .choice("reference", "reference", &REFERENCES)?
                    .unwrap_or_default(),
            }),
            Kind::Importance => WeightConfig::Importance,
            Kind::TemporalDecay => WeightConfig::TemporalDecay(TemporalDecay {
                gamma: fields.number("gamma", 0.98, Domain::PositiveUnit)?,
            }),
            Kind::SharedLength => WeightConfig::SharedLength(SharedLength {
                alpha: fields.number("alpha", 0.5, Domain::Unit)?,
            }),
            Kind::Varied => WeightConfig::Varied,
            Kind::Given => WeightConfig::Given,
        };
        fields.rename(&format!("token_weights of kind {}", weight.kind()));
        fields.finish()?;
        Ok(weight)
    }

    /// The word of `kind`.
    fn kind(&self) -> &'static str {
        match self {
            WeightConfig::Confidence(_) => "confidence",
            WeightConfig::Importance => "importance",
            WeightConfig::TemporalDecay(_) => "temporal_decay",
            WeightConfig::SharedLength(_) => "shared_length",
            WeightConfig::Varied => "varied",
            WeightConfig::Given => "given",
        }
    }

    /// The weight as JSON, every default spelled out.
    pub(super) fn to_value(self) -> Value {
        let mut value = json!({"kind": self.kind()});
        match self {
            WeightConfig::Confidence(Confidence { delta, reference }) => {
                value["delta"] = json!(delta);
                value["reference"] = match reference {
                    ReferenceConfidence::Policy => json!("policy"),
                    ReferenceConfidence::Own => json!("own"),
                };
            }
            WeightConfig::TemporalDecay(TemporalDecay { gamma }) => value["gamma"] = json!(gamma),
            WeightConfig::SharedLength(SharedLength { alpha }) => value["alpha"] = json!(alpha),
            WeightConfig::Importance | WeightConfig::Varied | WeightConfig::Given => {}
        }
        value
    }

    /// The weight for a backend.
    pub(super) fn build<B: Backend>(self) -> Box<dyn TokenWeight<B>> {
        match self {
            WeightConfig::Confidence(weight) => Box::new(weight),
            WeightConfig::Importance => Box::new(Importance),
            WeightConfig::TemporalDecay(weight) => Box::new(weight),
            WeightConfig::SharedLength(weight) => Box::new(weight),
            WeightConfig::Varied => Box::new(Varied),
            WeightConfig::Given => Box::new(Given),
        }
    }
}
