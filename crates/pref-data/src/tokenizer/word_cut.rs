//! Finds a position at which a text can be divided without changing its tokens. In: a tokenizer and
//! a text. Out: a byte position such that the ids of the two pieces, one after the other, are the
//! ids of the whole.
//!
//! A prompt with two answers is then tokenized once instead of three times. Such positions are
//! known for byte-level BPE whose words follow one of the common patterns: in these patterns a word
//! always ends between a letter and a space that another letter follows, whatever comes before and
//! after, and BPE never merges across words.

use serde_json::Value;
use tokenizers::{ModelWrapper, Tokenizer};

use super::patterns::{GPT2, LLAMA3, QWEN2};

/// Minimum number of bytes after the cut. They keep text that is appended later from changing the
/// tokens before the cut.
const MIN_REST: usize = 64;

/// Patterns that end a word between a letter and a space before another letter, and that have no
/// look-behind.
const PATTERNS: [&str; 3] = [GPT2, LLAMA3, QWEN2];

/// The cuts that a tokenizer allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WordCut {
    /// Minimum number of bytes after the cut.
    min_rest: usize,
}

impl WordCut {
    /// None for a tokenizer for which no such cuts are known.
    pub(super) fn of(tokenizer: &Tokenizer) -> Option<Self> {
        let part = |value: Result<Value, serde_json::Error>| value.unwrap_or(Value::Null);
        let normalizer = part(serde_json::to_value(tokenizer.get_normalizer()));
        let words = part(serde_json::to_value(tokenizer.get_pre_tokenizer()));
        // NFC changes nothing at a cut, because the letters there are ASCII
        let is_plain = normalizer.is_null() || normalizer["type"] == "NFC";
        let model = tokenizer.get_model();
        let is_bpe = matches!(model, ModelWrapper::BPE(bpe) if bpe.dropout.is_none());
        if !(is_plain && is_bpe && has_known_pattern(&words) && !ends_with_special(tokenizer)) {
            return None;
        }
        // an added token that begins before the cut must end inside the text
        let added = tokenizer.get_added_tokens_decoder();
        let longest = added.values().map(|token| token.content.len()).max();
        Some(Self {
            min_rest: MIN_REST.max(longest.unwrap_or(0) + 1),
        })
    }

    /// The last byte at which the text can be cut. The rest begins with a space. None if there is no
    /// such byte.
    pub(super) fn position(self, text: &str) -> Option<usize> {
        let bytes = &text.as_bytes()[..text.len().saturating_sub(self.min_rest)];
        let is_cut = |around: &[u8]| {
            around[0].is_ascii_alphabetic() && around[1] == b' ' && around[2].is_ascii_alphabetic()
        };
        bytes.windows(3).rposition(is_cut).map(|at| at + 1)
    }
}

/// Whether the pre-tokenizer uses one of the known patterns.
fn has_known_pattern(pre_tokenizer: &Value) -> bool {
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

/// Whether the tokenizer appends a special token to every text.
fn ends_with_special(tokenizer: &Tokenizer) -> bool {
    let last = |add_special| {
        let encoding = tokenizer.encode_fast("a", add_special).ok()?;
        encoding.get_ids().last().copied()
    };
    last(true).is_none() || last(true) != last(false)
}
