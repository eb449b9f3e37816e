//! Reads an objective over pairs. In: the fields of an objective. Out: its method, and a checked
//! [`PairwiseConfig`].

use serde_json::{Value, json};

use super::combination::check_combination;
use super::divergence::read_divergence;
use super::error::{ObjectiveConfigError, suggestion};
use super::fields::{Domain, Fields};
use super::granularity::GranularityConfig;
use super::method::Method;
use super::pairwise::PairwiseConfig;
use super::preset::{PairwisePreset, Preset, Setting};
use super::weight::WeightConfig;

/// Reads `method`, and uses its name as the name of the fields in messages.
pub(super) fn read_method(fields: &mut Fields) -> Result<Method, ObjectiveConfigError> {
    let known = || Method::ALL.map(Method::name);
    let name = fields
        .text("method")?
        .ok_or_else(|| ObjectiveConfigError::NoMethod {
            known: known().join(", "),
        })?;
    let method = Method::from_name(&name).ok_or_else(|| ObjectiveConfigError::UnknownMethod {
        suggestion: suggestion(&name, &known()),
        found: name.clone(),
        known: known().join(", "),
    })?;
    fields.rename(method.name());
    fields.resolve("method", method.name());
    Ok(method)
}

/// Reads the settings that every objective over pairs has, and completes the preset with them.
pub(super) fn read_pairwise(
    method: Method,
    preset: PairwisePreset,
    fields: &mut Fields,
) -> Result<PairwiseConfig, ObjectiveConfigError> {
    let config = PairwiseConfig {
        weights: read_weights(preset.weights, fields)?,
        granularity: read_granularity(method, preset.granularity, fields)?,
        sft_coefficient: fields.number(
            "sft_coefficient",
            preset.sft_coefficient,
            Domain::NonNegative,
        )?,
        divergence: read_divergence(fields)?,
        reward: preset.reward,
        link: preset.link,
    };
    check_combination(method, &config)?;
    Ok(config)
}

/// Reads an objective over pairs that is a setting of `owner`, and also returns it as JSON with
/// every default spelled out. `path` is the name of that setting in messages. `place` and `why` are
/// words of the error if the objective is not over pairs.
pub(super) fn read_inner(
    value: &Value,
    owner: Method,
    path: &str,
    place: &str,
    why: &'static str,
) -> Result<(PairwiseConfig, Value), ObjectiveConfigError> {
    let mut fields = Fields::new(path, value)?;
    let method = read_method(&mut fields)?;
    match Preset::read(method, &mut fields)? {
        Preset::Pairwise(preset) | Preset::Sft(preset) => {
            let config = read_pairwise(method, preset, &mut fields)?;
            Ok((config, Value::Object(fields.finish()?)))
        }
        Preset::Kto(_)
        | Preset::Bvpo
        | Preset::Sum
        | Preset::BradleyTerry(_)
        | Preset::Segments => Err(ObjectiveConfigError::Meaningless {
            method: owner.name(),
            setting: format!("{place} of {}", method.name()),
            why,
        }),
    }
}

fn read_weights(
    preset: Setting<Vec<WeightConfig>>,
    fields: &mut Fields,
) -> Result<Vec<WeightConfig>, ObjectiveConfigError> {
    let given = match fields.take("token_weights") {
        None => None,
        Some(value) => Some(WeightConfig::read_all(&value)?),
    };
    let (mut weights, settable) = match preset {
        Setting::Fixed(weights) => (weights, given.unwrap_or_default()),
        Setting::Default(weights) => (Vec::new(), given.unwrap_or(weights)),
    };
    // fixed weights follow from the method's name, so they are not spelled out
    match settable.as_slice() {
        [] => {}
        [one] => fields.resolve("token_weights", one.to_value()),
        several => {
            let list: Vec<Value> = several.iter().map(|weight| weight.to_value()).collect();
            fields.resolve("token_weights", json!(list));
        }
    }
    weights.extend(settable);
    Ok(weights)
}

fn read_granularity(
    method: Method,
    preset: Setting<GranularityConfig>,
    fields: &mut Fields,
) -> Result<GranularityConfig, ObjectiveConfigError> {
    let value = fields.take("granularity");
    let given = value.as_ref().map(GranularityConfig::read).transpose()?;
    match (preset, given) {
        (Setting::Fixed(fixed), None) => Ok(fixed),
        (Setting::Fixed(fixed), Some(given)) if given == fixed => Ok(fixed),
        (Setting::Fixed(_), Some(_)) => Err(ObjectiveConfigError::Meaningless {
            method: method.name(),
            setting: format!("granularity {}", value.unwrap_or_default()),
            why: "the method defines its own granularity; leave `granularity` out",
        }),
        (Setting::Default(default), given) => {
            let granularity = given.unwrap_or(default);
            if granularity != GranularityConfig::Whole {
                fields.resolve("granularity", granularity.to_value());
            }
            Ok(granularity)
        }
    }
}
