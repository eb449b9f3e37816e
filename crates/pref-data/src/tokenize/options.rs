//! Options of tokenization. In: settings of a plan or of flags. Out: types that say where the
//! answer begins, what is cut, and which rows are dropped.

use serde::{Deserialize, Serialize};

use crate::segment::PartRules;
use crate::text::TemplateKwargs;

/// Where the tokens of the prompt end and those of the answer begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Boundary {
    /// Prompt and answer are tokenized together, as TRL 1.16 does it. The answer begins at the
    /// first id that differs from the ids of the prompt alone. Both answers of a pair begin at the
    /// same position: the first difference in either answer. A token that holds the end of the
    /// prompt and the start of an answer belongs to the answer.
    #[default]
    Joint,
    /// The answer is tokenized by itself, so no token holds characters of both. When a model
    /// generates text, prompt and answer are divided in the same way.
    Separate,
}

/// What is cut if prompt and answer together are longer than the limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Truncation {
    /// The end of the answer. The prompt stays whole. TRL calls this `keep_start`.
    #[default]
    #[serde(alias = "keep_start")]
    KeepStart,
    /// The start of the prompt, the same for both answers, until one token is left; after that the end
    /// of the answer.
    CutPromptStart,
    /// The end of the prompt, until one token is left; after that the end of the answer.
    CutPromptEnd,
}

/// What happens to a row whose prompt alone is at least as long as the limit, so that no answer
/// fits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LongPrompts {
    /// The row is dropped and counted, as TRL does it.
    #[default]
    Drop,
    /// The row is an error.
    Refuse,
    /// The prompt is cut: at its end with [`Truncation::CutPromptEnd`], otherwise at its start.
    Cut,
}

/// How pairs and single answers become ids.
#[derive(Clone, Debug, Default)]
pub struct TokenizeOptions {
    /// Maximum number of tokens of prompt and answer together, at least 2. No limit if absent.
    pub max_length: Option<usize>,
    /// What is cut if they have more.
    pub truncation: Truncation,
    /// What happens if the prompt alone is at least as long as the limit.
    pub long_prompts: LongPrompts,
    /// Where the answer begins.
    pub boundary: Boundary,
    /// Rules that label the tokens of answers whose row has no parts. No labels if absent.
    pub parts: Option<PartRules>,
    /// Whether the answer of a conversation is all turns of the assistant, and not only the last one. This
    /// concerns single answers.
    pub all_turns: bool,
    /// Whether segments without scores count as segments with scores of 0, and segments without a token of
    /// their own stay, with an empty range. A program that scores segments needs all of them.
    pub unscored_segments: bool,
    /// Settings of the chat template. A row's own settings replace them.
    pub template_kwargs: TemplateKwargs,
    /// Whether rows that cannot be tokenized are skipped. Otherwise the first one is an error.
    pub skip_bad_rows: bool,
    /// The number of rows of the model's embedding. A row with a larger id is an error. The tokenizer may
    /// have larger ids as long as no text contains them. No check if absent.
    pub embedding_rows: Option<usize>,
}
