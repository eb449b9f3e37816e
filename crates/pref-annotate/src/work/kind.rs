//! The kinds of work. In: settings. Out: [`Work`], which is stored with a job, so that its output can be made from the
//! store alone.

use serde::{Deserialize, Serialize};

use super::bridge::Bridge;
use super::compare::Compare;
use super::parts::Parts;
use super::rank::Rank;
use super::samples::Samples;
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
    /// Which of two answers is better.
    Compare(Compare),
    /// Labelled parts (HiPO).
    Parts(Parts),
    /// Weights of tokens.
    Weights(Weights),
    /// Answers to prompts.
    Samples(Samples),
}

impl Work {
    /// The name of the command.
    pub fn command(&self) -> &'static str {
        match self {
            Self::Scores(_) => "scores",
            Self::Bridge(_) => "bridge",
            Self::Rank(_) => "rank",
            Self::Compare(_) => "compare",
            Self::Parts(_) => "parts",
            Self::Weights(_) => "weights",
            Self::Samples(_) => "samples",
        }
    }

    /// The kind of its template. None if the rows have the questions.
    pub fn template(&self) -> Option<TemplateKind> {
        Some(match self {
            Self::Scores(_) => TemplateKind::Scores,
            Self::Bridge(_) => TemplateKind::Bridge,
            Self::Rank(rank) => rank.by.template(),
            Self::Compare(_) => TemplateKind::Compare,
            Self::Parts(_) => TemplateKind::Parts,
            Self::Weights(_) => TemplateKind::Weights,
            Self::Samples(_) => return None,
        })
    }
}
