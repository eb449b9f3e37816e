//! Reads a `config.json`. In: its text. Out: a [`Config`] with the defaults of its family, or an error that
//! names a key.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

use super::architecture::{Activation, Architecture, Config, LayerKind};
use super::error::ModelConfigError;
use super::json::{DEFAULT_POSITIONS, Json};
use super::keys::{refuse_ignored_settings, refuse_unknown};
use super::read_rope::ropes;
use crate::number_format::Format;

/// Values of `model_type` that are implemented, for errors.
const SUPPORTED: &str = "llama, mistral, qwen2, qwen3, gemma3_text";

/// The largest number of layers that is accepted. No model has more. A larger number means that the file is
/// damaged, and it is refused before memory is allocated for it.
const MOST_LAYERS: usize = 10_000;

impl Config {
    /// Reads `config.json` of a model's folder.
    ///
    /// # Errors
    /// [`ModelConfigError`] names the file and the key.
    pub fn from_folder(folder: &Path) -> Result<Self, ModelConfigError> {
        Self::from_folder_ignoring(folder, &[])
    }

    /// Reads `config.json`, but ignores some settings that Pref does not know. `ignored` names
    /// keys of the file; a key of an object inside it is written `rope_scaling.key`.
    ///
    /// # Errors
    /// The errors of [`from_folder`](Self::from_folder), and [`ModelConfigError::NotIgnorable`] if `ignored` has
    /// a key that the decoder reads.
    pub fn from_folder_ignoring(
        folder: &Path,
        ignored: &[String],
    ) -> Result<Self, ModelConfigError> {
        let path = folder.join("config.json");
        let text = fs::read_to_string(&path).map_err(|source| ModelConfigError::Read {
            path: path.clone(),
            source,
        })?;
        Self::parse(&text, &path.display().to_string(), ignored)
    }

    /// Reads the text of a `config.json`; `origin` names it in errors.
    ///
    /// # Errors
    /// [`ModelConfigError`] names the key, what was found and what is supported.
    pub fn from_json(text: &str, origin: &str) -> Result<Self, ModelConfigError> {
        Self::parse(text, origin, &[])
    }

    fn parse(text: &str, origin: &str, ignored: &[String]) -> Result<Self, ModelConfigError> {
        let raw = serde_json::from_str(text).map_err(|error| ModelConfigError::Json {
            origin: origin.to_owned(),
            message: error.to_string(),
        })?;
        read(raw, origin, ignored)
    }
}

pub(super) fn read(
    raw: Map<String, Value>,
    origin: &str,
    ignored: &[String],
) -> Result<Config, ModelConfigError> {
    refuse_ignored_settings(ignored)?;
    let json = Json::new(&raw, origin, ignored);
    let architecture = match json.text("model_type")?.as_deref() {
        Some("llama") => Architecture::Llama,
        Some("mistral") => Architecture::Mistral,
        Some("qwen2") => Architecture::Qwen2,
        Some("qwen3") => Architecture::Qwen3,
        Some("gemma3_text") => Architecture::Gemma3,
        Some(other) => {
            return Err(ModelConfigError::Architecture {
                origin: origin.to_owned(),
                found: format!("\"{other}\""),
                supported: SUPPORTED,
            });
        }
        None => return Err(json.missing("model_type", "the decoder's family")),
    };
    refuse_unknown(&json)?;

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
    expect(
        json.number("rms_norm_eps")?.is_none_or(|eps| eps >= 0.0),
        "rms_norm_eps",
        "a number of at least 0",
    )?;

    let is_gemma = architecture.is_gemma();
    let has_attention_bias = json.flag("attention_bias")?.unwrap_or(false);
    let is_qwen2 = architecture == Architecture::Qwen2;
    let scalar = match is_gemma {
        true => json.positive("query_pre_attn_scalar")?.unwrap_or(256.0),
        false => head_dim as f64,
    };
    let n_layers = json.size("num_hidden_layers")?;
    expect(
        n_layers <= MOST_LAYERS,
        "num_hidden_layers",
        &format!("at most {MOST_LAYERS}"),
    )?;
    let dtype = ["dtype", "torch_dtype"].map(|key| json.get(key).and_then(Value::as_str));
    let stored = dtype.into_iter().flatten().find_map(Format::of_name);
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
            .unwrap_or(DEFAULT_POSITIONS),
        eos_token_ids: eos_token_ids(&json)?,
        initializer_range: json.positive("initializer_range")?.unwrap_or(0.02),
        has_tied_head: json.flag("tie_word_embeddings")?.unwrap_or(is_gemma),
        has_qkv_bias: is_qwen2 || has_attention_bias,
        has_output_bias: !is_qwen2 && has_attention_bias,
        has_mlp_bias: json.flag("mlp_bias")?.unwrap_or(false),
        activation: activation(&json, is_gemma)?,
        attention_scale: 1.0 / scalar.sqrt(),
        attention_softcap: json.positive("attn_logit_softcapping")?,
        logit_softcap: json.positive("final_logit_softcapping")?,
        layers: layers(&json, architecture, n_layers)?,
        stored,
        ignored: ignored.to_vec(),
        raw: raw.clone(),
    })
}

fn eos_token_ids(json: &Json<'_>) -> Result<Vec<u32>, ModelConfigError> {
    let wrong = || json.wrong("eos_token_id", "a token id or a list of them".to_owned());
    let id = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
    match json.get("eos_token_id") {
        None => Ok(Vec::new()),
        Some(Value::Array(list)) => list.iter().map(|v| id(v).ok_or_else(wrong)).collect(),
        Some(value) => Ok(vec![id(value).ok_or_else(wrong)?]),
    }
}

fn activation(json: &Json<'_>, is_gemma: bool) -> Result<Activation, ModelConfigError> {
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

/// The attention of each layer.
fn layers(
    json: &Json<'_>,
    architecture: Architecture,
    n_layers: usize,
) -> Result<Vec<LayerKind>, ModelConfigError> {
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
) -> Result<Vec<bool>, ModelConfigError> {
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
    let types = types.iter().map(is_sliding).collect::<Result<_, _>>()?;
    let is_by_family = matches!(architecture, Architecture::Llama | Architecture::Mistral);
    match is_by_family && types != by_family {
        true => Err(json.unsupported("layer_types", " for this model_type")),
        false => Ok(types),
    }
}
