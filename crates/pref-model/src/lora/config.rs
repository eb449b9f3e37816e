//! The settings of an adapter. In: ranks, factors and targets. Out: the layers that get an adapter, each with
//! its rank and factor, and the settings as PEFT's `adapter_config.json`.

use regex::Regex;
use serde_json::{Map, Value, json};

use super::adapter::AdapterShape;
use super::error::LoraError;
use super::targets::{EMBEDDING, HEAD, LoraTargets, Matcher, whole};

/// The settings of an adapter, with PEFT's meaning of each.
#[derive(Clone, Debug, PartialEq)]
pub struct LoraConfig {
    /// Rank of the update. PEFT's `r`.
    pub rank: usize,
    /// The factor of the update is `alpha / rank`. PEFT's `lora_alpha`.
    pub alpha: f64,
    /// The probability with which a value of an adapter's input is dropped in training, from 0 to below 1.
    pub dropout: f64,
    /// The layers that get an adapter.
    pub targets: LoraTargets,
    /// Layers that get none although they are targets.
    pub exclude: Option<LoraTargets>,
    /// Whether the factor is `alpha / √rank` (Kalajdzievski 2023, "rsLoRA").
    pub rslora: bool,
    /// Whether every output has a trained magnitude (Liu et al. 2024, "DoRA").
    pub dora: bool,
    /// Ranks of layers whose name ends in a pattern; the first pattern that fits counts.
    pub rank_pattern: Vec<(String, usize)>,
    /// The same for `alpha`.
    pub alpha_pattern: Vec<(String, f64)>,
    /// Numbers of the decoder layers that get adapters, if `targets` is a list of names. All by default.
    pub layers: Option<Vec<usize>>,
    /// The model that the adapter belongs to: a folder, or a name of the hub.
    pub base: Option<String>,
}

impl Default for LoraConfig {
    /// The defaults of TRL's command line: rank 16, alpha 32, a dropout of 0.05, on the query and value
    /// projections.
    fn default() -> Self {
        Self {
            rank: 16,
            alpha: 32.0,
            dropout: 0.05,
            targets: LoraTargets::attention(),
            exclude: None,
            rslora: false,
            dora: false,
            rank_pattern: Vec::new(),
            alpha_pattern: Vec::new(),
            layers: None,
            base: None,
        }
    }
}

impl LoraConfig {
    /// The shape of the adapter of each layer in `layers`, and `None` for a layer that is no target.
    /// `has_tied_head` says whether the head shares its weight with the embedding.
    ///
    /// # Errors
    /// [`LoraError`] for a number outside its range, for targets that fit no layer, and for a target that
    /// cannot have an adapter.
    pub(crate) fn shapes(
        &self,
        layers: &[String],
        has_tied_head: bool,
    ) -> Result<Vec<Option<AdapterShape>>, LoraError> {
        self.check()?;
        let targets = Matcher::new(&self.targets)?;
        let excluded = self.exclude.as_ref().map(Matcher::new).transpose()?;
        let is_target = |layer: &str| {
            let is_excluded = excluded.as_ref().is_some_and(|m| m.fits(layer));
            targets.fits(layer) && !is_excluded && self.has_layer(layer)
        };
        if is_target(EMBEDDING) {
            let name = EMBEDDING.to_owned();
            return Err(LoraError::Embedding { name });
        }
        if has_tied_head && is_target(HEAD) {
            return Err(LoraError::TiedHead);
        }
        let ranks = compiled(&self.rank_pattern)?;
        let alphas = compiled(&self.alpha_pattern)?;
        let shape = |layer: &String| {
            let rank = of_pattern(&ranks, layer).unwrap_or(self.rank);
            let alpha = of_pattern(&alphas, layer).unwrap_or(self.alpha);
            let size = match self.rslora {
                true => (rank as f64).sqrt(),
                false => rank as f64,
            };
            AdapterShape {
                rank,
                scale: alpha / size,
                dropout: self.dropout,
                dora: self.dora,
            }
        };
        let shapes = layers.iter().map(|l| is_target(l).then(|| shape(l)));
        let shapes: Vec<Option<AdapterShape>> = shapes.collect();
        match shapes.iter().any(Option::is_some) {
            true => Ok(shapes),
            false => Err(LoraError::NoTarget {
                targets: match &self.exclude {
                    Some(exclude) => format!("{} without {}", json!(self.targets), json!(exclude)),
                    None => json!(self.targets).to_string(),
                },
                names: ends(layers).join(", "),
            }),
        }
    }

    fn check(&self) -> Result<(), LoraError> {
        let ranks = self.rank_pattern.iter().map(|(_, rank)| *rank);
        let alphas = self.alpha_pattern.iter().map(|(_, alpha)| *alpha);
        // No layer has a size near this limit, and the product of two sizes fits a usize.
        if let Some(rank) = ranks.chain([self.rank]).find(|n| !(1..1 << 20).contains(n)) {
            return Err(LoraError::Range {
                key: "rank",
                found: rank.to_string(),
                expected: "at least 1, and below 2^20",
            });
        }
        if let Some(alpha) = alphas
            .chain([self.alpha])
            .find(|a| !(a.is_finite() && *a > 0.0))
        {
            return Err(LoraError::Range {
                key: "alpha",
                found: alpha.to_string(),
                expected: "above 0",
            });
        }
        match (0.0..1.0).contains(&self.dropout) {
            true => Ok(()),
            false => Err(LoraError::Range {
                key: "dropout",
                found: self.dropout.to_string(),
                expected: "from 0 to below 1",
            }),
        }
    }

    /// Whether the decoder layer of a name is one of `layers`.
    fn has_layer(&self, name: &str) -> bool {
        let (Some(layers), LoraTargets::Names(_)) = (&self.layers, &self.targets) else {
            return true;
        };
        let number = name.strip_prefix("model.layers.");
        let number = number.and_then(|rest| rest.split('.').next()?.parse().ok());
        number.is_some_and(|number: usize| layers.contains(&number))
    }

    /// The text of an `adapter_config.json` that PEFT reads. `adapted` are the layers with an adapter.
    ///
    /// A pattern is written as the names of the layers, because PEFT refuses a pattern that also fits a module
    /// which is not a linear layer, such as `model.layers.0.mlp`.
    pub(crate) fn to_json(&self, adapted: Vec<String>) -> String {
        let (targets, exclude) = match &self.targets {
            LoraTargets::Pattern(_) => (LoraTargets::Names(adapted), None),
            targets => (targets.clone(), self.exclude.clone()),
        };
        let list = |names: &Option<LoraTargets>| names.as_ref().map_or(Value::Null, |n| json!(n));
        let ranks = self.rank_pattern.iter().map(|(k, n)| (k.clone(), json!(n)));
        let alphas = self.alpha_pattern.iter();
        let alphas = alphas.map(|(k, a)| (k.clone(), number(*a)));
        let config = json!({
            "alpha_pattern": Map::from_iter(alphas),
            "base_model_name_or_path": self.base,
            "bias": "none",
            "exclude_modules": list(&exclude),
            "fan_in_fan_out": false,
            "inference_mode": true,
            "init_lora_weights": true,
            "layers_pattern": null,
            "layers_to_transform": self.layers,
            "lora_alpha": number(self.alpha),
            "lora_dropout": self.dropout,
            "modules_to_save": null,
            "peft_type": "LORA",
            "r": self.rank,
            "rank_pattern": Map::from_iter(ranks),
            "revision": null,
            "target_modules": targets,
            "task_type": "CAUSAL_LM",
            "use_dora": self.dora,
            "use_rslora": self.rslora,
        });
        format!("{config:#}\n")
    }
}

/// A number as JSON, without a fraction if it has none: PEFT's `lora_alpha` is a whole number.
fn number(value: f64) -> Value {
    match value.fract() == 0.0 && value < 1e15 {
        true => json!(value as u64),
        false => json!(value),
    }
}

/// Patterns of the ends of names, compiled as in PEFT.
fn compiled<T: Copy>(patterns: &[(String, T)]) -> Result<Vec<(Regex, T)>, LoraError> {
    let compile = |(pattern, value): &(String, T)| {
        let regex = whole(&format!(r"(.*\.)?({pattern})"))?;
        Ok((regex, *value))
    };
    patterns.iter().map(compile).collect()
}

/// The value of the first pattern that fits.
fn of_pattern<T: Copy>(patterns: &[(Regex, T)], name: &str) -> Option<T> {
    let mut patterns = patterns.iter();
    let (_, value) = patterns.find(|(regex, _)| regex.is_match(name))?;
    Some(*value)
}

/// The last parts of names, each once.
fn ends(names: &[String]) -> Vec<&str> {
    let mut ends: Vec<&str> = Vec::new();
    for name in names {
        let end = name.rsplit('.').next().unwrap_or(name);
        if !ends.contains(&end) {
            ends.push(end);
        }
    }
    ends
}
