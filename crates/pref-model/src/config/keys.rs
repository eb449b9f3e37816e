//! Which keys of `config.json` are accepted. In: the object of the file. Out: nothing, or an error that names
//! a key. Accepted are the keys that the decoder reads, and the keys that do not change what it computes.

use serde_json::Value;

use super::error::ModelConfigError;
use super::json::Json;

/// Keys that the decoder reads.
const READ: [&str; 34] = [
    "architectures",
    "attention_bias",
    "attn_logit_softcapping",
    "eos_token_id",
    "final_logit_softcapping",
    "head_dim",
    "hidden_act",
    "hidden_activation",
    "hidden_size",
    "initializer_range",
    "intermediate_size",
    "layer_types",
    "max_position_embeddings",
    "max_window_layers",
    "mlp_bias",
    "model_type",
    "num_attention_heads",
    "num_hidden_layers",
    "num_key_value_heads",
    "partial_rotary_factor",
    "query_pre_attn_scalar",
    "rms_norm_eps",
    "rope_local_base_freq",
    "rope_parameters",
    "rope_scaling",
    "rope_theta",
    "sliding_window",
    "sliding_window_pattern",
    "_sliding_window_pattern",
    "tie_word_embeddings",
    "use_sliding_window",
    "vocab_size",
    "dtype",
    "torch_dtype",
];

/// Keys that do not change what a forward pass computes.
const HARMLESS: [&str; 93] = [
    "attention_dropout",
    "attn_implementation",
    "auto_map",
    "bad_words_ids",
    "base_model",
    "begin_suppress_tokens",
    "bos_token_id",
    "cache_config",
    "cache_implementation",
    "chunk_size_feed_forward",
    "compile_config",
    "constraints",
    "decoder_start_token_id",
    "diversity_penalty",
    "do_sample",
    "dola_layers",
    "early_stopping",
    "encoder_no_repeat_ngram_size",
    "encoder_repetition_penalty",
    "epsilon_cutoff",
    "eta_cutoff",
    "exponential_decay_length_penalty",
    "finetuning_task",
    "force_words_ids",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "generation_config",
    "gradient_checkpointing",
    "guidance_scale",
    "id2label",
    "is_decoder",
    "is_llama_config",
    "keys_to_ignore_at_inference",
    "label2id",
    "language",
    "length_penalty",
    "license",
    "low_memory",
    "max_cache_len",
    "max_length",
    "max_new_tokens",
    "max_sequence_length",
    "max_time",
    "min_length",
    "min_new_tokens",
    "min_p",
    "model_max_length",
    "name_or_path",
    "neftune_noise_alpha",
    "no_repeat_ngram_size",
    "num_beam_groups",
    "num_beams",
    "num_labels",
    "num_return_sequences",
    "output_attentions",
    "output_hidden_states",
    "output_logits",
    "output_scores",
    "pad_token_id",
    "penalty_alpha",
    "prefix",
    "pretraining_tp",
    "problem_type",
    "prompt_lookup_num_tokens",
    "remove_invalid_values",
    "renormalize_logits",
    "repetition_penalty",
    "return_dict",
    "return_dict_in_generate",
    "sep_token_id",
    "sequence_bias",
    "stop_strings",
    "suppress_tokens",
    "tags",
    "task_specific_params",
    "temperature",
    "tf_legacy_loss",
    "token_healing",
    "tokenizer_class",
    "top_h",
    "top_k",
    "top_p",
    "torchscript",
    "transformers.js_config",
    "transformers_version",
    "typical_p",
    "unk_token_id",
    "unsloth_fixed",
    "unsloth_version",
    "use_bfloat16",
    "use_cache",
    "use_flash_attn",
    "watermarking_config",
];

/// Refuses a key that is in neither list, unless its value switches it off or the user asked to ignore
/// it. Pref does not know what such a key does, and wrong log-probs are worse than an error.
pub(super) fn refuse_unknown(json: &Json<'_>) -> Result<(), ModelConfigError> {
    for (key, value) in json.map {
        let name = key.as_str();
        // By convention, a name with a leading underscore is private to the program that wrote it.
        let is_private = name.starts_with('_');
        let is_known = is_private || READ.contains(&name) || HARMLESS.contains(&name);
        if !is_known && !is_off(name, value) && !json.is_ignored(name) {
            return Err(json.unsupported(name, &unknown(json, name)));
        }
    }
    let differs = |key: &str, from: f64| json.number(key).map(|n| n.is_some_and(|n| n != from));
    if differs("partial_rotary_factor", 1.0)? {
        return Err(json.unsupported("partial_rotary_factor", "; supported is 1"));
    }
    if differs("attention_dropout", 0.0)? && !json.is_ignored("attention_dropout") {
        let why =
            "; Pref trains without dropout. To accept that, name the key in model.ignore-config";
        return Err(json.unsupported("attention_dropout", why));
    }
    Ok(())
}

/// Whether a value switches its setting off.
pub(super) fn is_off(key: &str, value: &Value) -> bool {
    let is_dropout = key.contains("dropout") || key.ends_with("pdrop");
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Number(number) => is_dropout && number.as_f64() == Some(0.0),
        Value::Bool(true) | Value::String(_) => false,
    }
}

/// Why an unknown setting is refused, and how the user can accept it.
pub(super) fn unknown(json: &Json<'_>, key: &str) -> String {
    format!(
        "; it may change what the model computes. If it does not, ignore it: \
         model.ignore-config = [\"{0}\"] in a plan, --ignore-config {0} on the command line",
        json.path(key)
    )
}

/// Refuses a request to ignore a setting that decides what the decoder computes.
pub(super) fn refuse_ignored_settings(ignored: &[String]) -> Result<(), ModelConfigError> {
    let is_read = |key: &&String| READ.contains(&key.as_str());
    match ignored.iter().find(is_read) {
        Some(key) => Err(ModelConfigError::NotIgnorable { key: key.clone() }),
        None => Ok(()),
    }
}
