//! The kinds of work. In: settings. Out: [`Work`], which is stored with a job, so that its output can be made from the
//! store alone.

use pref_data::{ItemSentences, Lines, Segmenter, Sentences};
use serde::{Deserialize, Serialize};

use super::bridge::Bridge;
use super::parts::Parts;
use super::rank::Rank;
use super::scores::Scores;
use super::weights::Weights;
use crate::templates::TemplateKind;

/// What is annotated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case")]
pub enum Work {
    /// Score matrices (2D-DPO).
    Scores(Scores),
    /// Rewritten answers (BMC).
    Bridge(Bridge),
    /// The best and the worst of several answers.
    Rank(Rank),
    /// Labelled parts (HiPO).
    Parts(Parts),
    /// Weights of tokens.
    Weights(Weights),
}

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

impl Work {
    /// The name of the command.
    pub fn command(&self) -> &'static str {
        match self {
            Self::Scores(_) => "scores",
            Self::Bridge(_) => "bridge",
            Self::Rank(_) => "rank",
            Self::Parts(_) => "parts",
            Self::Weights(_) => "weights",
        }
    }

    /// The kind of its template.
    pub fn template(&self) -> TemplateKind {
        match self {
            Self::Scores(_) => TemplateKind::Scores,
            Self::Bridge(_) => TemplateKind::Bridge,
            Self::Rank(rank) => rank.by.template(),
            Self::Parts(_) => TemplateKind::Parts,
            Self::Weights(_) => TemplateKind::Weights,
        }
    }
}
