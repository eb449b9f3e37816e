//! The layers that get an adapter. In: targets as PEFT writes them, and the name of a layer. Out: whether it is
//! a target.

use regex::Regex;
use serde::{Deserialize, Serialize};

use super::error::LoraError;

/// Names of layers, as in PEFT's `target_modules`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Spelled", into = "Spelled")]
pub enum LoraTargets {
    /// All linear layers except the output head: `"all-linear"`.
    AllLinear,
    /// Whole names of layers, or their ends after a dot: `["q_proj", "v_proj"]`.
    Names(Vec<String>),
    /// A regular expression of the whole name: `".*mlp.*"`.
    Pattern(String),
}

impl LoraTargets {
    /// The targets that PEFT takes for the model families of this crate if none are named.
    pub fn attention() -> Self {
        Self::Names(["q_proj", "v_proj"].map(str::to_owned).to_vec())
    }

    /// Whether a layer is a target. Names of several layers are compared faster with a [`Matcher`].
    pub(crate) fn contain(&self, layer: &str) -> Result<bool, LoraError> {
        Ok(Matcher::new(self)?.fits(layer))
    }
}

/// The two spellings of targets.
#[derive(Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected a list of names, \"all-linear\" or a regular expression"
)]
enum Spelled {
    Text(String),
    List(Vec<String>),
}

const ALL_LINEAR: &str = "all-linear";

impl From<Spelled> for LoraTargets {
    fn from(spelled: Spelled) -> Self {
        match spelled {
            Spelled::Text(text) if text.eq_ignore_ascii_case(ALL_LINEAR) => Self::AllLinear,
            Spelled::Text(text) => Self::Pattern(text),
            Spelled::List(names) => Self::Names(names),
        }
    }
}

impl From<LoraTargets> for Spelled {
    fn from(targets: LoraTargets) -> Self {
        match targets {
            LoraTargets::AllLinear => Self::Text(ALL_LINEAR.to_owned()),
            LoraTargets::Pattern(text) => Self::Text(text),
            LoraTargets::Names(names) => Self::List(names),
        }
    }
}

/// Targets with their expression compiled.
pub(super) enum Matcher<'a> {
    AllLinear,
    Names(&'a [String]),
    Pattern(Regex),
}

impl<'a> Matcher<'a> {
    pub(super) fn new(targets: &'a LoraTargets) -> Result<Self, LoraError> {
        Ok(match targets {
            LoraTargets::AllLinear => Self::AllLinear,
            LoraTargets::Names(names) => Self::Names(names),
            LoraTargets::Pattern(text) => Self::Pattern(whole(text)?),
        })
    }

    /// Whether a layer is a target.
    pub(super) fn fits(&self, layer: &str) -> bool {
        match self {
            Self::AllLinear => layer != HEAD && layer != EMBEDDING,
            Self::Pattern(regex) => regex.is_match(layer),
            Self::Names(names) => names.iter().any(|name| {
                let rest = layer.strip_suffix(name.as_str());
                rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }),
        }
    }
}

/// The name of the output head.
pub(super) const HEAD: &str = "lm_head";

/// The name of the table of embeddings.
pub(super) const EMBEDDING: &str = "model.embed_tokens";

/// A regular expression that has to fit a whole name.
pub(super) fn whole(text: &str) -> Result<Regex, LoraError> {
    Regex::new(&format!("^(?:{text})$")).map_err(|error| {
        let message = error.to_string();
        // The lines before the last repeat the pattern.
        let last = message.lines().last().unwrap_or_default();
        LoraError::Pattern {
            pattern: text.to_owned(),
            message: last.trim_start_matches("error: ").to_owned(),
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(spelled: serde_json::Value, fitting: &[&str]) {
        let layers = [
            "model.embed_tokens",
            "model.layers.0.self_attn.q_proj",
            "model.layers.1.self_attn.q_proj",
            "model.layers.1.mlp.up_proj",
            "lm_head",
        ];
        let targets: LoraTargets = serde_json::from_value(spelled.clone()).unwrap();
        assert_eq!(json!(targets), spelled);
        let matcher = Matcher::new(&targets).unwrap();
        let found: Vec<&str> = layers.into_iter().filter(|l| matcher.fits(l)).collect();
        assert_eq!(found, fitting);
    }

    #[test]
    fn targets_are_names_ends_of_names_or_an_expression() {
        let [q0, q1, up] = [
            "model.layers.0.self_attn.q_proj",
            "model.layers.1.self_attn.q_proj",
            "model.layers.1.mlp.up_proj",
        ];
        check(json!(["q_proj"]), &[q0, q1]);
        check(json!(["1.self_attn.q_proj", "lm_head"]), &[q1, "lm_head"]);
        check(json!(["roj", "layers.1"]), &[]);
        check(json!("q_proj"), &[]);
        check(json!(".*q_proj"), &[q0, q1]);
        check(json!("model|.*up_proj"), &[up]);
        check(json!(r"model\.layers\.1\..*"), &[q1, up]);
        check(json!("all-linear"), &[q0, q1, up]);
    }
}
