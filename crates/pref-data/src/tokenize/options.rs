//! How rows become ids: where prompt and answer part, and what is cut.

use serde::{Deserialize, Serialize};

use crate::segment::PartRules;
use crate::template::TemplateKwargs;

/// How the tokens of prompt and answer meet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Boundary {
    /// Both are tokenized together, as TRL 1.16 does it. The answer begins where the ids of the
    /// prompt alone and those of prompt and answer part, for the earlier of the two answers. A token
    /// that holds the end of the prompt and the start of an answer belongs to the answer, and the
    /// prompt ends before it.
    #[default]
    Joint,
    /// The answer is tokenized by itself: what a model sees when it writes the answer. No token
    /// reaches across.
    Separate,
}

/// What is cut where prompt and answer together are longer than the limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Truncation {
    /// The end of the answer; the prompt stays. TRL's `keep_start`.
    #[default]
    #[serde(alias = "keep_start")]
    KeepStart,
    /// The start of the prompt, alike for both answers and down to one token; then the answer's
    /// end.
    CutPromptStart,
    /// The end of the prompt, as much as above; then the answer's end.
    CutPromptEnd,
}

/// What becomes of a prompt that fills the limit by itself, so that no answer fits behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LongPrompts {
    /// Its row is left out and counted, as TRL does it.
    #[default]
    Drop,
    /// It is an error.
    Refuse,
    /// It is cut: at its end with [`Truncation::CutPromptEnd`], otherwise at its start.
    Cut,
}

/// How pairs become ids.
#[derive(Clone, Debug, Default)]
pub struct TokenizeOptions {
    /// Longest prompt and answer together, in tokens, at least 2; no limit if absent.
    pub max_length: Option<usize>,
    /// What is cut where both together are longer.
    pub truncation: Truncation,
    /// What becomes of a prompt that fills the limit by itself.
    pub long_prompts: LongPrompts,
    /// How the tokens of prompt and answer meet.
    pub boundary: Boundary,
    /// Label every token of the answers by these rules, where the row names no parts.
    pub parts: Option<PartRules>,
    /// Settings of the chat template; a row's own come before them.
    pub template_kwargs: TemplateKwargs,
    /// Pass over rows that cannot be made ids, instead of stopping at the first.
    pub skip_bad_rows: bool,
    /// Rows of the model's embedding: an id from this on is an error of its row. A tokenizer may
    /// have such ids, as long as no text has their tokens. No limit if absent.
    pub embedding_rows: Option<usize>,
}
