//! The commands of `pref`, one module for each. In: parsed flags. Out: results on stdout, and an exit
//! code.

pub(crate) mod annotate;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod data;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod eval;
pub(crate) mod generate;
pub(crate) mod inspect;
pub(crate) mod iterate;
pub(crate) mod lint;
pub(crate) mod logprobs;
pub(crate) mod loss;
pub(crate) mod man;
pub(crate) mod merge;
pub(crate) mod objectives;
pub(crate) mod pairs;
pub(crate) mod plan;
pub(crate) mod report;
pub(crate) mod reward_model;
pub(crate) mod rollouts;
pub(crate) mod sample;
pub(crate) mod score_tokens;
pub(crate) mod segment;
pub(crate) mod sft;
pub(crate) mod train;
pub(crate) mod win_rate;
