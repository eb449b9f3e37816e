//! What a page shows. In: plain numbers and texts that the caller read. Out: the input of [`Report::to_html`].

use std::collections::BTreeMap;

use crate::statistics::Difference;

/// A page about one or several runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// The heading of the page.
    pub title: String,
    /// The runs, in the order of the legend.
    pub runs: Vec<Run>,
    /// Shares before and after training, such as the problems that a model solves.
    pub shares: Vec<ShareTable>,
    /// Held-out pairs by token.
    pub tokens: Vec<TokenView>,
    /// Pairs and samples.
    pub tables: Vec<RowTable>,
}

/// A run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Run {
    /// The name of the run's folder.
    pub name: String,
    /// The method, such as `dpo`.
    pub method: String,
    /// How far the run is, such as `finished` or `not finished`.
    pub state: String,
    /// Every setting by its name, such as `train.learning-rate`, in the order of the plan.
    pub settings: Vec<(String, String)>,
    /// Training steps, in the order of the file.
    pub steps: Vec<MetricsRow>,
    /// Evaluations, in the order of the file. Their metrics have no prefix `eval_`.
    pub evaluations: Vec<MetricsRow>,
    /// The values of each evaluated pair, by the step of the evaluation. The pairs of all evaluations are in the same
    /// order.
    pub pairs: BTreeMap<u64, Vec<EvaluatedPair>>,
    /// What a reader has to know, such as a damaged line.
    pub notes: Vec<String>,
}

/// The values of a pair in an evaluation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EvaluatedPair {
    /// The loss.
    pub loss: f64,
    /// The reward of the chosen answer.
    pub chosen: f64,
    /// The reward of the rejected answer.
    pub rejected: f64,
}

/// A line of metrics.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MetricsRow {
    /// Number of optimiser steps so far.
    pub step: u64,
    /// Number of evaluated rows; 0 for training steps.
    pub n_rows: u64,
    /// Finite values by the name of the metric, such as `rewards/margins`.
    pub values: BTreeMap<String, f64>,
}

/// Shares of the same things, before and after.
#[derive(Clone, Debug, PartialEq)]
pub struct ShareTable {
    /// What was counted.
    pub title: String,
    /// What a reader has to know about the counts.
    pub note: String,
    /// The shares. Two that belong together follow each other.
    pub rows: Vec<ShareRow>,
    /// Paired differences, if each thing was counted before and after.
    pub differences: Vec<DifferenceRow>,
}

/// How many of how many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareRow {
    /// What the share is of, such as `greedy, before`.
    pub label: String,
    /// Number of right ones.
    pub n_right: usize,
    /// Number of all.
    pub n: usize,
}

/// A difference of two shares of the same things.
#[derive(Clone, Debug, PartialEq)]
pub struct DifferenceRow {
    /// What is compared.
    pub label: String,
    /// The difference with its 95 % interval.
    pub difference: Difference,
    /// Number of things that only the second has right.
    pub gained: usize,
    /// Number of things that only the first has right.
    pub lost: usize,
    /// p-value of McNemar's exact test.
    pub p: f64,
}

/// Held-out pairs of one run by token.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenView {
    /// Index of the run in [`Report::runs`].
    pub run: usize,
    /// What the reward of a token is, such as `0.1 · log(π/π_ref)`.
    pub reward: String,
    /// The pairs.
    pub pairs: Vec<TokenPair>,
}

/// A pair by token.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenPair {
    /// The prompt as text.
    pub prompt: String,
    /// The tokens of the chosen answer.
    pub chosen: Vec<Token>,
    /// The tokens of the rejected answer.
    pub rejected: Vec<Token>,
}

/// A token of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    /// The token as text.
    pub text: String,
    /// Whether it differs from the other answer of the pair.
    pub is_critical: bool,
    /// Before training.
    pub before: TokenValues,
    /// After training.
    pub after: TokenValues,
}

/// Values of a token under one state of the model.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TokenValues {
    /// The reward.
    pub reward: f64,
    /// The weight that the objective gives the token, if the objective has one.
    pub weight: Option<f64>,
    /// The share of the token in the gradient of the pair's loss by the log-probs of its tokens, -1 to 1. It is above 0
    /// if a step against the gradient raises the log-prob of the token. The absolute values of a pair sum to 1.
    pub gradient: f64,
}

/// Rows of texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowTable {
    /// What the rows are.
    pub title: String,
    /// How many rows there are, and which of them are shown.
    pub note: String,
    /// The names of the columns.
    pub columns: Vec<String>,
    /// The cells of each row.
    pub rows: Vec<Vec<String>>,
}
