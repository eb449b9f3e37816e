//! The shapes of preference data: the fields of a row, and how they say which answer is preferred.
//! In: a name. Out: [`Shape`].

use std::fmt;

use serde::{Deserialize, Serialize};

/// How a row says which answer is preferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// `prompt`, `chosen`, `rejected`.
    Pairs,
    /// `chosen` and `rejected`, which both begin with the prompt.
    ImplicitPrompt,
    /// `conversations`, `chosen`, `rejected`, with messages of `from` and `value`.
    ShareGpt,
    /// `prompt`, a list of `responses`, a list of `ratings`. The pair consists of the best and the
    /// worst answer.
    Rated,
    /// `prompt`, `response`, `rating`. Consecutive rows with one prompt are one group, and the pair
    /// consists of the best and the worst answer of the group.
    RatedRows,
    /// `prompt`, `response`, `helpfulness`. Consecutive rows with one prompt are one group, and the
    /// pair consists of the most and the least helpful answer of the group.
    HelpSteer,
    /// `prompt`, `completion`, `label`: single answers, each wanted or not.
    Unpaired,
    /// `prompt`, `completion`: single answers without a label, for sft.
    PromptCompletion,
    /// `prompt` or `messages`, `response`: sampled answers, as `pref sample` writes them. The answer to a conversation is a
    /// turn of the assistant.
    Samples,
    /// `messages`, or `conversations` as in ShareGPT: a conversation that ends with a turn of the
    /// assistant, which is the answer.
    Messages,
    /// `text`: a whole text, which is the answer from its second token.
    Text,
}

impl Shape {
    /// Whether several rows are one pair.
    pub(super) fn is_grouped(self) -> bool {
        match self {
            Shape::RatedRows | Shape::HelpSteer => true,
            Shape::Pairs
            | Shape::ImplicitPrompt
            | Shape::ShareGpt
            | Shape::Rated
            | Shape::Unpaired
            | Shape::PromptCompletion
            | Shape::Samples
            | Shape::Messages
            | Shape::Text => false,
        }
    }

    /// Whether a row is a single answer, and not a pair.
    pub fn is_single(self) -> bool {
        match self {
            Shape::Unpaired
            | Shape::PromptCompletion
            | Shape::Samples
            | Shape::Messages
            | Shape::Text => true,
            Shape::Pairs
            | Shape::ImplicitPrompt
            | Shape::ShareGpt
            | Shape::Rated
            | Shape::RatedRows
            | Shape::HelpSteer => false,
        }
    }

    /// The name of the shape in settings, such as `implicit-prompt`.
    pub fn name(self) -> &'static str {
        match self {
            Shape::Pairs => "pairs",
            Shape::ImplicitPrompt => "implicit-prompt",
            Shape::ShareGpt => "share-gpt",
            Shape::Rated => "rated",
            Shape::RatedRows => "rated-rows",
            Shape::HelpSteer => "help-steer",
            Shape::Unpaired => "unpaired",
            Shape::PromptCompletion => "prompt-completion",
            Shape::Samples => "samples",
            Shape::Messages => "messages",
            Shape::Text => "text",
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Shape::Pairs => "pairs of `chosen` and `rejected` with a `prompt`",
            Shape::ImplicitPrompt => "`chosen` and `rejected` that begin with their prompt",
            Shape::ShareGpt => "ShareGPT `conversations` with `chosen` and `rejected`",
            Shape::Rated => "`responses` with `ratings`, the best against the worst",
            Shape::RatedRows => "rated `response` rows, the best of a prompt against the worst",
            Shape::HelpSteer => "`response` rows, the most helpful of a prompt against the least",
            Shape::Unpaired => "single answers, a `completion` with a `label`",
            Shape::PromptCompletion => "single answers, a `completion` without a label",
            Shape::Samples => "sampled answers, a `response` without a rating",
            Shape::Messages => "conversations, whose last turn is the answer",
            Shape::Text => "whole texts",
        })
    }
}
