//! How answers become segments. In: a text. Out: segments, which joined are the text.

use pref_data::{ItemSentences, Lines, Segmenter, Sentences};
use serde::{Deserialize, Serialize};

/// How answers without segments are divided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Division {
    /// Sentences; list items stay whole.
    #[default]
    Sentences,
    /// Sentences, also within list items.
    ItemSentences,
    /// Lines.
    Lines,
}

impl Division {
    /// The segments of a text. Joined, they are the text.
    pub fn divide(self, text: &str) -> Vec<String> {
        let ranges = match self {
            Self::Sentences => Sentences.segment(text),
            Self::ItemSentences => ItemSentences.segment(text),
            Self::Lines => Lines.segment(text),
        };
        ranges
            .into_iter()
            .map(|range| text[range].to_owned())
            .collect()
    }
}
