//! Qwen2's way of splitting text, which `transformers` gives its tokenizer whatever
//! `tokenizer.json` says: NFC, and every digit apart. Published checkpoints say the same; one
//! written with another tokenizer is read here as it is read there.

use serde_json::Value;
use tokenizers::Tokenizer;
use tokenizers::normalizers::unicode::NFC;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::tokenizer::normalizer::SplitDelimiterBehavior;

/// How Qwen2 cuts a text into words.
const WORDS: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// Whether `transformers` reads this folder's tokenizer with its `Qwen2Tokenizer`.
pub(crate) fn is_qwen2(model_config: &Value, tokenizer_config: &Value) -> bool {
    let class = tokenizer_config["tokenizer_class"].as_str();
    model_config["model_type"] == "qwen2"
        || matches!(class, Some("Qwen2Tokenizer" | "Qwen2TokenizerFast"))
}

/// Splits text as Qwen2 does.
pub(crate) fn set_up(tokenizer: &mut Tokenizer) -> tokenizers::Result<()> {
    let words = Split::new(
        SplitPattern::Regex(WORDS.to_owned()),
        SplitDelimiterBehavior::Isolated,
        false,
    )?;
    let bytes = ByteLevel::new(false, true, false);
    tokenizer
        .with_normalizer(Some(NFC))?
        .with_pre_tokenizer(Some(Sequence::new(vec![words.into(), bytes.into()])));
    Ok(())
}
