//! How an answer of a model is drawn. In: settings of sampling. Out: a part of a question, and of its key.

use pref_data::TemplateKwargs;
use serde::{Deserialize, Serialize};

/// How an answer is drawn, beside temperature and top-p. An answer that its limit cuts is an answer, so the limit is a
/// part of what is asked.
///
/// ```
/// use pref_annotate::Drawing;
///
/// let drawing = Drawing { max_tokens: 256, ..Drawing::default() };
/// assert_eq!(drawing.special(), None); // every chat server takes it
/// let top_k = Drawing { top_k: 20, ..drawing };
/// assert_eq!(top_k.special(), Some("top-k"));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Drawing {
    /// The most tokens of the answer, at least 1.
    pub max_tokens: u32,
    /// Texts before which an answer ends.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
    /// Number of the most probable tokens from which is drawn; 0 means all.
    #[serde(default)]
    pub top_k: u32,
    /// Least probability of a token, as a share of that of the most probable one; 0 means all.
    #[serde(default)]
    pub min_p: f64,
    /// Divides positive logits of tokens that are in the text, and multiplies negative ones; 1 changes nothing.
    #[serde(default = "one")]
    pub repetition_penalty: f64,
    /// Settings of the chat template.
    #[serde(default, skip_serializing_if = "TemplateKwargs::is_empty")]
    pub template_kwargs: TemplateKwargs,
}

fn one() -> f64 {
    1.0
}

impl Default for Drawing {
    /// At most 128 tokens, from the model's own distribution.
    fn default() -> Self {
        Self {
            max_tokens: 128,
            stop: Vec::new(),
            top_k: 0,
            min_p: 0.0,
            repetition_penalty: one(),
            template_kwargs: TemplateKwargs::default(),
        }
    }
}

impl Drawing {
    /// The name of a setting that OpenAI's interface lacks. None if there is none.
    pub fn special(&self) -> Option<&'static str> {
        [
            ("top-k", self.top_k != 0),
            ("min-p", self.min_p != 0.0),
            ("repetition-penalty", self.repetition_penalty != one()),
            ("chat-template-kwargs", !self.template_kwargs.is_empty()),
        ]
        .into_iter()
        .find_map(|(name, is_set)| is_set.then_some(name))
    }
}
