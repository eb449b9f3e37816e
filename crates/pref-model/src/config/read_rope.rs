//! Rotary embeddings of a `config.json`, in the spelling of `transformers` 5 or 4.
//! In: the file's object. Out: the rope of the layers with a sliding window, and the rope of the other layers.

use serde_json::Value;

use super::architecture::Architecture;
use super::error::ModelConfigError;
use super::json::{DEFAULT_POSITIONS, Json};
use super::keys::{is_off, unknown};
use super::rope::{Rope, RopeScaling};

/// Keys of all rope types. Each type reads the keys that it needs.
const KNOWN: [&str; 15] = [
    "rope_theta",
    "rope_type",
    "type",
    "partial_rotary_factor",
    "factor",
    "original_max_position_embeddings",
    "low_freq_factor",
    "high_freq_factor",
    "beta_fast",
    "beta_slow",
    "attention_factor",
    "attn_factor",
    "mscale",
    "mscale_all_dim",
    "truncate",
];

pub(super) fn ropes(
    json: &Json<'_>,
    architecture: Architecture,
) -> Result<(Rope, Rope), ModelConfigError> {
    let is_gemma = architecture.is_gemma();
    // The key was checked when the file was read.
    let max_positions = json.optional_size("max_position_embeddings")?;
    let max_positions = max_positions.unwrap_or(DEFAULT_POSITIONS) as f64;
    let rope = |json: &Json<'_>, theta: f64| rope(json, theta, max_positions);
    let family = if is_gemma { 1e6 } else { 1e4 };
    let theta = json.positive("rope_theta")?.unwrap_or(family);
    let scaling = json.get("rope_scaling");
    if scaling.is_some_and(|scaling| json.get("rope_parameters").is_some_and(|p| p != scaling)) {
        return Err(json.unsupported("rope_scaling", " beside other rope_parameters; keep one"));
    }
    if let Some(parameters) = json.get("rope_parameters") {
        let parameters = json.inner("rope_parameters", parameters)?;
        if parameters.map.contains_key("full_attention") {
            let of = |key: &'static str, theta: f64| match parameters.get(key) {
                Some(value) => rope(&parameters.inner(key, value)?, theta),
                None => Err(parameters.missing(key, "the rope of these layers")),
            };
            return Ok((of("sliding_attention", 1e4)?, of("full_attention", theta)?));
        }
        let both = rope(&parameters, theta)?;
        return Ok((both, both));
    }
    // `transformers` 4 writes the base at the top level and the scaling in an object of its own
    let global = match scaling {
        Some(scaling) => rope(&json.inner("rope_scaling", scaling)?, theta)?,
        None => Rope {
            theta,
            scaling: RopeScaling::None,
        },
    };
    let local = match is_gemma {
        true => Rope {
            theta: json.positive("rope_local_base_freq")?.unwrap_or(1e4),
            scaling: RopeScaling::None,
        },
        false => global,
    };
    Ok((local, global))
}

fn rope(json: &Json<'_>, default_theta: f64, max_positions: f64) -> Result<Rope, ModelConfigError> {
    let theta = json.positive("rope_theta")?.unwrap_or(default_theta);
    if json.number("partial_rotary_factor")?.unwrap_or(1.0) != 1.0 {
        return Err(json.unsupported("partial_rotary_factor", "; supported is 1"));
    }
    let key = match json.get("rope_type") {
        Some(_) => "rope_type",
        None => "type",
    };
    let scaling = match json.text(key)?.as_deref() {
        None | Some("default") => RopeScaling::None,
        Some("linear") => RopeScaling::Linear {
            factor: required(json, "factor")?,
        },
        Some("llama3") => llama3(json)?,
        Some("yarn") => yarn(json, theta, max_positions)?,
        Some(_) => {
            return Err(json.unsupported(key, "; supported are default, linear, llama3, yarn"));
        }
    };
    let is_unknown = |(key, value): &(&String, &Value)| {
        !KNOWN.contains(&key.as_str()) && !is_off(key, value) && !json.is_ignored(key)
    };
    match json.map.iter().find(is_unknown) {
        Some((key, _)) => Err(json.unsupported(key, &unknown(json, key))),
        None => Ok(Rope { theta, scaling }),
    }
}

fn required(json: &Json<'_>, key: &str) -> Result<f64, ModelConfigError> {
    json.positive(key)?
        .ok_or_else(|| json.missing(key, "a number above 0"))
}

fn llama3(json: &Json<'_>) -> Result<RopeScaling, ModelConfigError> {
    let (low, high) = ("low_freq_factor", "high_freq_factor");
    let (low_freq_factor, high_freq_factor) = (required(json, low)?, required(json, high)?);
    if low_freq_factor >= high_freq_factor {
        return Err(json.wrong(high, format!("a number above {low}, {low_freq_factor}")));
    }
    Ok(RopeScaling::Llama3 {
        factor: required(json, "factor")?,
        low_freq_factor,
        high_freq_factor,
        original: required(json, "original_max_position_embeddings")?,
    })
}

/// YaRN, with the defaults and the attention factor of `transformers`, which does not read
/// `attn_factor`.
fn yarn(json: &Json<'_>, theta: f64, max_positions: f64) -> Result<RopeScaling, ModelConfigError> {
    if theta <= 1.0 {
        return Err(json.unsupported("rope_theta", " with yarn; it must be above 1"));
    }
    let factor = required(json, "factor")?;
    let original = json.positive("original_max_position_embeddings")?;
    // `transformers` treats 0 as not set
    let optional = |key: &str| Ok(json.number(key)?.filter(|&number| number != 0.0));
    let positive = |key: &str, default: f64| match optional(key)? {
        None => Ok(default),
        Some(_) => required(json, key),
    };
    let magnitude = |scale: f64| match factor <= 1.0 {
        true => 1.0,
        false => 0.1 * scale * factor.ln() + 1.0,
    };
    let scales = (optional("mscale")?, optional("mscale_all_dim")?);
    let attention_factor = match (json.positive("attention_factor")?, scales) {
        (Some(factor), _) => factor,
        (None, (Some(scale), Some(all))) => magnitude(scale) / magnitude(all),
        (None, _) => magnitude(1.0),
    };
    if !(attention_factor.is_finite() && attention_factor > 0.0) {
        return Err(json.wrong("mscale_all_dim", "a number above 0".to_owned()));
    }
    Ok(RopeScaling::Yarn {
        factor,
        original: original.unwrap_or(max_positions),
        beta_fast: positive("beta_fast", 32.0)?,
        beta_slow: positive("beta_slow", 1.0)?,
        attention_factor,
        truncates: json.flag("truncate")?.unwrap_or(true),
    })
}
