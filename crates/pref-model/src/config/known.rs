//! Keys of `config.json` by what they do to the mathematics.

use serde_json::{Map, Value};

use super::ConfigError;

/// Keys that the decoder honours.
const HONOURED: [&str; 34] = [
    "architectures",
    "attention_bias",
    "attention_dropout",
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

/// Keys that change nothing of what a forward pass computes.
const HARMLESS: [&str; 42] = [
    "_attn_implementation",
    "_flash_attn_2_enabled",
    "_name_or_path",
    "attn_implementation",
    "bos_token_id",
    "cache_implementation",
    "chunk_size_feed_forward",
    "decoder_start_token_id",
    "do_sample",
    "finetuning_task",
    "forced_eos_token_id",
    "gradient_checkpointing",
    "id2label",
    "is_decoder",
    "label2id",
    "length_penalty",
    "max_length",
    "min_length",
    "name_or_path",
    "num_beams",
    "num_labels",
    "output_attentions",
    "output_hidden_states",
    "pad_token_id",
    "prefix",
    "pretraining_tp",
    "problem_type",
    "repetition_penalty",
    "return_dict",
    "sep_token_id",
    "task_specific_params",
    "temperature",
    "tokenizer_class",
    "top_k",
    "top_p",
    "torchscript",
    "transformers_version",
    "unk_token_id",
    "unsloth_fixed",
    "unsloth_version",
    "use_bfloat16",
    "use_cache",
];

/// Refuses a key that is neither honoured nor harmless, unless it is switched off: what it does is
/// unknown, and a wrong number is worse than none.
pub(super) fn refuse_unknown(raw: &Map<String, Value>, origin: &str) -> Result<(), ConfigError> {
    for (key, value) in raw {
        let is_known = HONOURED.contains(&key.as_str()) || HARMLESS.contains(&key.as_str());
        let is_off = match value {
            Value::Null | Value::Bool(false) => true,
            Value::Array(list) => list.is_empty(),
            Value::Object(map) => map.is_empty(),
            Value::Bool(true) | Value::Number(_) | Value::String(_) => false,
        };
        if !is_known && !is_off {
            return Err(ConfigError::Unsupported {
                origin: origin.to_owned(),
                key: key.clone(),
                found: value.to_string(),
                reason: "; it may change what the model computes. If it does not, remove it \
                         from config.json"
                    .to_owned(),
            });
        }
    }
    Ok(())
}
