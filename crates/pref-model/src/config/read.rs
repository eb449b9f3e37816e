//! From the JSON of a `config.json` to a [`Config`]: defaults of each family, both spellings.

use serde_json::{Map, Value};

use super::known::refuse_unknown;
use super::{Activation, Architecture, Config, ConfigError, LayerKind, Rope, RopeScaling};

const SUPPORTED: &str = "llama, mistral, qwen2, qwen3, gemma3_text";

pub(super) fn read(raw: Map<String, Value>, origin: &str) -> Result<Config, ConfigError> {
    let json = Json {
        map: &raw,
        origin,
        prefix: "",
    };
    let architecture = match json.text("model_type")?.as_deref() {
        Some("llama") => Architecture::Llama,
        Some("mistral") => Architecture::Mistral,
        Some("qwen2") => Architecture::Qwen2,
        Some("qwen3") => Architecture::Qwen3,
        Some("gemma3_text") => Architecture::Gemma3,
        Some(other) => {
            return Err(ConfigError::Architecture {
                origin: origin.to_owned(),
                found: format!("\"{other}\""),
                supported: SUPPORTED,
            });
        }
        None => return Err(json.missing("model_type", "the decoder's family")),
    };
    refuse_unknown(&raw, origin)?;

    let hidden_size = json.size("hidden_size")?;
    let n_heads = json.size("num_attention_heads")?;
    let n_kv_heads = json
        .optional_size("num_key_value_heads")?
        .unwrap_or(n_heads);
    let head_dim = match json.optional_size("head_dim")? {
        Some(head_dim) => head_dim,
        None => hidden_size / n_heads,
    };
    let expect = |holds: bool, key: &str, expected: &str| match holds {
        true => Ok(()),
        false => Err(json.wrong(key, expected.to_owned())),
    };
    expect(
        n_heads % n_kv_heads == 0,
        "num_key_value_heads",
        "a divisor of num_attention_heads",
    )?;
    expect(
        head_dim % 2 == 0 && head_dim > 0,
        "head_dim",
        "an even number",
    )?;
    if json.number("attention_dropout")?.unwrap_or(0.0) != 0.0 {
        return Err(json.unsupported("attention_dropout", "; training is without dropout"));
    }

    let is_gemma = architecture.is_gemma();
    let has_attention_bias = json.flag("attention_bias")?.unwrap_or(false);
    let is_qwen2 = architecture == Architecture::Qwen2;
    let scalar = match is_gemma {
        true => json.number("query_pre_attn_scalar")?.unwrap_or(256.0),
        false => head_dim as f64,
    };
    let n_layers = json.size("num_hidden_layers")?;
    Ok(Config {
        architecture,
        vocab_size: json.size("vocab_size")?,
        hidden_size,
        intermediate_size: json.size("intermediate_size")?,
        n_heads,
        n_kv_heads,
        head_dim,
        norm_eps: json.number("rms_norm_eps")?.unwrap_or(1e-6),
        max_positions: json
            .optional_size("max_position_embeddings")?
            .unwrap_or(2048),
        eos_token_ids: eos_token_ids(&json)?,
        initializer_range: json.number("initializer_range")?.unwrap_or(0.02),
        has_tied_head: json.flag("tie_word_embeddings")?.unwrap_or(is_gemma),
        has_qkv_bias: is_qwen2 || has_attention_bias,
        has_output_bias: !is_qwen2 && has_attention_bias,
        has_mlp_bias: json.flag("mlp_bias")?.unwrap_or(false),
        activation: activation(&json, is_gemma)?,
        attention_scale: 1.0 / scalar.sqrt(),
        attention_softcap: json.number("attn_logit_softcapping")?,
        logit_softcap: json.number("final_logit_softcapping")?,
        layers: layers(&json, architecture, n_layers)?,
        raw: raw.clone(),
    })
}

fn eos_token_ids(json: &Json<'_>) -> Result<Vec<u32>, ConfigError> {
    let wrong = || json.wrong("eos_token_id", "a token id or a list of them".to_owned());
    let id = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
    match json.get("eos_token_id") {
        None => Ok(Vec::new()),
        Some(Value::Array(list)) => list.iter().map(|v| id(v).ok_or_else(wrong)).collect(),
        Some(value) => Ok(vec![id(value).ok_or_else(wrong)?]),
    }
}

fn activation(json: &Json<'_>, is_gemma: bool) -> Result<Activation, ConfigError> {
    let key = match json.get("hidden_activation") {
        Some(_) => "hidden_activation",
        None => "hidden_act",
    };
    match json.text(key)?.as_deref() {
        None if is_gemma => Ok(Activation::GeluTanh),
        None | Some("silu" | "swish") => Ok(Activation::Silu),
        Some("gelu_pytorch_tanh") => Ok(Activation::GeluTanh),
        Some(_) => Err(json.unsupported(key, "; supported are silu, gelu_pytorch_tanh")),
    }
}

/// Attention of each layer.
fn layers(
    json: &Json<'_>,
    architecture: Architecture,
    n_layers: usize,
) -> Result<Vec<LayerKind>, ConfigError> {
    let is_sliding = sliding_layers(json, architecture, n_layers)?;
    let window = json.optional_size("sliding_window")?;
    let (local, global) = ropes(json, architecture)?;
    let kind = |is_sliding: bool| match (is_sliding, window) {
        (true, None) => Err(json.missing("sliding_window", "the window of the sliding layers")),
        (true, Some(_)) => Ok(LayerKind {
            window,
            rope: local,
        }),
        (false, _) => Ok(LayerKind {
            window: None,
            rope: global,
        }),
    };
    is_sliding.into_iter().map(kind).collect()
}

fn sliding_layers(
    json: &Json<'_>,
    architecture: Architecture,
    n_layers: usize,
) -> Result<Vec<bool>, ConfigError> {
    let has_window = json.get("sliding_window").is_some();
    let by_family: Vec<bool> = match architecture {
        Architecture::Llama => vec![false; n_layers],
        Architecture::Mistral => vec![has_window; n_layers],
        Architecture::Qwen2 | Architecture::Qwen3 => {
            let is_used = json.flag("use_sliding_window")?.unwrap_or(false) && has_window;
            let first = json.optional_size("max_window_layers")?.unwrap_or(28);
            (0..n_layers).map(|i| is_used && i >= first).collect()
        }
        Architecture::Gemma3 => {
            let pattern = match json.optional_size("sliding_window_pattern")? {
                Some(pattern) => Some(pattern),
                None => json.optional_size("_sliding_window_pattern")?,
            };
            let pattern = pattern.unwrap_or(6);
            (0..n_layers).map(|i| (i + 1) % pattern != 0).collect()
        }
    };
    let Some(types) = json.get("layer_types") else {
        return Ok(by_family);
    };
    if matches!(architecture, Architecture::Llama | Architecture::Mistral) {
        return Err(json.unsupported("layer_types", " for this model_type"));
    }
    let wrong = || {
        json.wrong(
            "layer_types",
            format!("{n_layers} of \"full_attention\" and \"sliding_attention\""),
        )
    };
    let types = types.as_array().ok_or_else(wrong)?;
    if types.len() != n_layers {
        return Err(wrong());
    }
    let is_sliding = |kind: &Value| match kind.as_str() {
        Some("sliding_attention") => Ok(true),
        Some("full_attention") => Ok(false),
        _ => Err(wrong()),
    };
    types.iter().map(is_sliding).collect()
}

/// Rotary embeddings of the sliding layers and of the others.
fn ropes(json: &Json<'_>, architecture: Architecture) -> Result<(Rope, Rope), ConfigError> {
    let is_gemma = architecture.is_gemma();
    let default_theta = if is_gemma { 1e6 } else { 1e4 };
    if let Some(parameters) = json.get("rope_parameters") {
        let parameters = json.inner("rope_parameters", parameters)?;
        if parameters.map.contains_key("full_attention") {
            let of = |key: &'static str, theta: f64| match parameters.get(key) {
                Some(value) => rope(&parameters.inner(key, value)?, theta),
                None => Err(parameters.missing(key, "the rope of these layers")),
            };
            return Ok((
                of("sliding_attention", 1e4)?,
                of("full_attention", default_theta)?,
            ));
        }
        let rope = rope(&parameters, default_theta)?;
        return Ok((rope, rope));
    }
    // the spelling of 4.x: a base at the top, scaling in an object of its own
    let theta = json.number("rope_theta")?.unwrap_or(default_theta);
    let global = match json.get("rope_scaling") {
        Some(scaling) => rope(&json.inner("rope_scaling", scaling)?, theta)?,
        None => Rope {
            theta,
            scaling: RopeScaling::None,
        },
    };
    let local = match is_gemma {
        true => Rope {
            theta: json.number("rope_local_base_freq")?.unwrap_or(1e4),
            scaling: RopeScaling::None,
        },
        false => global,
    };
    Ok((local, global))
}

fn rope(json: &Json<'_>, default_theta: f64) -> Result<Rope, ConfigError> {
    const KNOWN: [&str; 8] = [
        "rope_theta",
        "rope_type",
        "type",
        "factor",
        "low_freq_factor",
        "high_freq_factor",
        "original_max_position_embeddings",
        "partial_rotary_factor",
    ];
    let unknown = json
        .map
        .iter()
        .find(|(key, value)| !KNOWN.contains(&key.as_str()) && !value.is_null());
    if let Some((key, _)) = unknown {
        return Err(json.unsupported(key, ""));
    }
    if json.number("partial_rotary_factor")?.unwrap_or(1.0) != 1.0 {
        return Err(json.unsupported("partial_rotary_factor", "; supported is 1"));
    }
    let theta = json.number("rope_theta")?.unwrap_or(default_theta);
    let key = match json.get("rope_type") {
        Some(_) => "rope_type",
        None => "type",
    };
    let required = |key: &str| {
        json.number(key)?
            .filter(|&x| x > 0.0)
            .ok_or_else(|| json.missing(key, "a number above 0"))
    };
    let scaling = match json.text(key)?.as_deref() {
        None | Some("default") => RopeScaling::None,
        Some("linear") => RopeScaling::Linear {
            factor: required("factor")?,
        },
        Some("llama3") => RopeScaling::Llama3 {
            factor: required("factor")?,
            low_freq_factor: required("low_freq_factor")?,
            high_freq_factor: required("high_freq_factor")?,
            original: required("original_max_position_embeddings")?,
        },
        Some(_) => {
            return Err(json.unsupported(key, "; supported are default, linear, llama3"));
        }
    };
    Ok(Rope { theta, scaling })
}

/// An object of the file, and where it is.
struct Json<'a> {
    map: &'a Map<String, Value>,
    origin: &'a str,
    prefix: &'a str,
}

impl<'a> Json<'a> {
    /// The value of a key; `null` is absent.
    fn get(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    fn inner(&self, key: &'a str, value: &'a Value) -> Result<Json<'a>, ConfigError> {
        let map = value
            .as_object()
            .ok_or_else(|| self.wrong(key, "an object".to_owned()))?;
        Ok(Json {
            map,
            origin: self.origin,
            prefix: key,
        })
    }

    fn size(&self, key: &str) -> Result<usize, ConfigError> {
        self.optional_size(key)?
            .ok_or_else(|| self.missing(key, "a whole number above 0"))
    }

    fn optional_size(&self, key: &str) -> Result<Option<usize>, ConfigError> {
        let size = |value: &Value| {
            value
                .as_u64()
                // no size of a model is near this; products of two fit a usize
                .filter(|n| (1..1 << 31).contains(n))
                .map(|n| n as usize)
                .ok_or_else(|| self.wrong(key, "a whole number above 0".to_owned()))
        };
        self.get(key).map(size).transpose()
    }

    fn number(&self, key: &str) -> Result<Option<f64>, ConfigError> {
        let number = |value: &Value| {
            value
                .as_f64()
                .ok_or_else(|| self.wrong(key, "a number".to_owned()))
        };
        self.get(key).map(number).transpose()
    }

    fn flag(&self, key: &str) -> Result<Option<bool>, ConfigError> {
        let flag = |value: &Value| {
            value
                .as_bool()
                .ok_or_else(|| self.wrong(key, "true or false".to_owned()))
        };
        self.get(key).map(flag).transpose()
    }

    fn text(&self, key: &str) -> Result<Option<String>, ConfigError> {
        let text = |value: &Value| {
            let text = value.as_str().map(str::to_owned);
            text.ok_or_else(|| self.wrong(key, "a string".to_owned()))
        };
        self.get(key).map(text).transpose()
    }

    fn path(&self, key: &str) -> String {
        match self.prefix {
            "" => key.to_owned(),
            prefix => format!("{prefix}.{key}"),
        }
    }

    fn found(&self, key: &str) -> String {
        self.map
            .get(key)
            .map_or("absent".to_owned(), Value::to_string)
    }

    fn missing(&self, key: &str, expected: &'static str) -> ConfigError {
        ConfigError::Missing {
            origin: self.origin.to_owned(),
            key: self.path(key),
            expected,
        }
    }

    fn wrong(&self, key: &str, expected: String) -> ConfigError {
        ConfigError::Value {
            origin: self.origin.to_owned(),
            key: self.path(key),
            found: self.found(key),
            expected,
        }
    }

    fn unsupported(&self, key: &str, reason: &str) -> ConfigError {
        ConfigError::Unsupported {
            origin: self.origin.to_owned(),
            key: self.path(key),
            found: self.found(key),
            reason: reason.to_owned(),
        }
    }
}
