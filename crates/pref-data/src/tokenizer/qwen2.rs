//! Qwen2's normalizer and word pattern. In: a tokenizer. Out: the same tokenizer, changed as
//! `transformers` changes it.
//!
//! `transformers` gives a Qwen2 model this normalizer (NFC) and this pattern (one word for each
//! digit) whatever `tokenizer.json` says. Published checkpoints have the same in their
//! `tokenizer.json`; a checkpoint that was written with another tokenizer does not.

use serde_json::Value;
use tokenizers::Tokenizer;
use tokenizers::normalizers::unicode::NFC;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::tokenizer::normalizer::SplitDelimiterBehavior;

use super::patterns::QWEN2;

/// Whether `transformers` loads this folder's tokenizer as its `Qwen2Tokenizer`.
pub(super) fn is_qwen2(model_config: &Value, tokenizer_config: &Value) -> bool {
    let class = tokenizer_config["tokenizer_class"].as_str();
    model_config["model_type"] == "qwen2"
        || matches!(class, Some("Qwen2Tokenizer" | "Qwen2TokenizerFast"))
}

/// Gives a tokenizer Qwen2's normalizer and word pattern.
pub(super) fn apply(tokenizer: &mut Tokenizer) -> tokenizers::Result<()> {
    let words = Split::new(
        SplitPattern::Regex(QWEN2.to_owned()),
        SplitDelimiterBehavior::Isolated,
        false,
    )?;
    let bytes = ByteLevel::new(false, true, false);
    tokenizer
        .with_normalizer(Some(NFC))?
        .with_pre_tokenizer(Some(Sequence::new(vec![words.into(), bytes.into()])));
    Ok(())
}
