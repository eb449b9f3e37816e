//! Where a text can be cut so that its pieces have, tokenized one by one, the ids of the whole. A
//! prompt that two answers follow is then tokenized once.
//!
//! Known for byte-level BPE whose words are split by one of the common patterns: between a letter
//! and a space before another letter every one of them ends a word, whatever comes before and
//! after, and BPE merges nothing across words.

use serde_json::Value;
use tokenizers::{ModelWrapper, Tokenizer};

/// Bytes left behind a cut at the least, so that what follows the text changes nothing before it.
const MARGIN: usize = 64;

/// Patterns that end a word between a letter and a space before another letter, and look behind
/// nowhere: those of GPT-2, of Llama 3, of Qwen 2 and 3.
const PATTERNS: [&str; 3] = [
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
];

/// The cuts that a tokenizer allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WordCut {
    margin: usize,
}

impl WordCut {
    /// None for a tokenizer that is not known to allow any.
    pub(crate) fn of(tokenizer: &Tokenizer) -> Option<Self> {
        let part = |value: Result<Value, serde_json::Error>| value.unwrap_or(Value::Null);
        let normalizer = part(serde_json::to_value(tokenizer.get_normalizer()));
        let words = part(serde_json::to_value(tokenizer.get_pre_tokenizer()));
        // NFC joins letters and marks, and there are only letters at a cut
        let is_plain = normalizer.is_null() || normalizer["type"] == "NFC";
        let model = tokenizer.get_model();
        let is_bpe = matches!(model, ModelWrapper::BPE(bpe) if bpe.dropout.is_none());
        if !(is_plain && is_bpe && splits_words(&words) && !ends_texts(tokenizer)) {
            return None;
        }
        // an added token that begins before the cut must end before the text does
        let added = tokenizer.get_added_tokens_decoder();
        let longest = added.values().map(|token| token.content.len()).max();
        Some(Self {
            margin: MARGIN.max(longest.unwrap_or(0) + 1),
        })
    }

    /// The last place to cut a text, if there is one: what follows it begins with a space.
    pub(crate) fn place(self, text: &str) -> Option<usize> {
        let bytes = &text.as_bytes()[..text.len().saturating_sub(self.margin)];
        let is_cut = |around: &[u8]| {
            around[0].is_ascii_alphabetic() && around[1] == b' ' && around[2].is_ascii_alphabetic()
        };
        bytes.windows(3).rposition(is_cut).map(|at| at + 1)
    }
}

/// Whether the words are those of a known pattern.
fn splits_words(pre_tokenizer: &Value) -> bool {
    let is_bytes = |part: &Value, with_pattern: bool| {
        part["type"] == "ByteLevel" && part["use_regex"] == with_pattern
    };
    if is_bytes(pre_tokenizer, true) {
        return true;
    }
    let Some([split, bytes]) = pre_tokenizer["pretokenizers"].as_array().map(Vec::as_slice) else {
        return false;
    };
    let pattern = split["pattern"]["Regex"].as_str();
    split["type"] == "Split"
        && split["behavior"] == "Isolated"
        && split["invert"] == false
        && pattern.is_some_and(|pattern| PATTERNS.contains(&pattern))
        && is_bytes(bytes, false)
        && bytes["add_prefix_space"] == false
}

/// Whether a special token is put behind every text.
fn ends_texts(tokenizer: &Tokenizer) -> bool {
    let last = |add_special| {
        let encoding = tokenizer.encode_fast("a", add_special).ok()?;
        encoding.get_ids().last().copied()
    };
    last(true).is_none() || last(true) != last(false)
}
