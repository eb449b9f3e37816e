//! The section `data` of a plan. In: settings. Out: where the pairs come from, and how they become tokens.

use std::collections::BTreeMap;
use std::path::PathBuf;

use pref_data::{
    Boundary, DiffAlgorithm, LongPrompts, PartMarker, PartRules, Shape, TemplateKwargs, Truncation,
};
use serde::{Deserialize, Serialize};

/// Where the pairs come from, and how they become tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct DataPlan {
    /// Training pairs: a file of JSON Lines, JSON, CSV, Parquet or Arrow, plain or compressed, a folder
    /// of such files, a pattern, or `hub:OWNER/NAME`. Required.
    pub train: PathBuf,
    /// Training pairs with emptied reasoning traces, for an objective that mixes both sets. Default:
    /// none.
    pub empty: Option<PathBuf>,
    /// The shape of the rows. By default, the first rows of the file decide, and the run reports it.
    pub shape: Option<Shape>,
    /// The names that the file uses for Pref's fields, such as `prompt = "question"`. Default: none.
    pub columns: BTreeMap<String, String>,
    /// What happens with rows that cannot be read as pairs. Default: `stop`.
    pub on_error: OnError,
    /// The rows `[start, end)` of the training file to use, counted from 0. Rows that cannot be read are
    /// not counted. A row that is read as two answers is one row. Default: all rows.
    pub rows: Option<[usize; 2]>,
    /// Evaluation pairs, in the same formats as the training pairs. Default: none.
    pub eval: Option<PathBuf>,
    /// Evaluation pairs with emptied traces. Default: none.
    pub empty_eval: Option<PathBuf>,
    /// Fraction of the training prompts to hold out for evaluation, from 0 to below 1. It is refused
    /// together with `eval`. Default: 0.
    pub eval_fraction: f64,
    /// Largest number of tokens of prompt and response together. Default: 1024, or the number of
    /// positions of the model if that is smaller.
    pub max_length: Option<usize>,
    /// What is cut if a pair is longer than `max_length`. Default: `keep-start`, which cuts the end of the
    /// response.
    pub truncation: Truncation,
    /// Whether prompt and response are tokenized together (`joint`) or each by itself (`separate`).
    /// Default: `joint`.
    pub boundary: Boundary,
    /// What happens with a prompt so long that `max_length` leaves no room for a response. Default: `drop`.
    pub long_prompts: LongPrompts,
    /// Settings of the chat template, such as `enable_thinking = false`. The `chat_template_kwargs` of a
    /// row take precedence. Default: none.
    pub chat_template_kwargs: TemplateKwargs,
    /// For sft: whether all turns of the assistant in a conversation are the answer, and not only the last
    /// one. Default: false.
    pub all_turns: bool,
    /// The algorithm that finds the tokens that vary between two answers, for objectives that use them.
    /// Default: `levenshtein`.
    pub diff: DiffAlgorithm,
    /// Whether English stop words never count as varied, as in the code of the BMC authors. Default:
    /// false.
    pub ignore_stop_words: bool,
    /// Label of the first part of an answer, for objectives that use parts. Default: `reasoning`.
    pub first_part: String,
    /// Where the other parts begin, in rows that do not name their parts. Default: `<think>` begins the
    /// reasoning; `</think>` and the usual markers of a final answer begin the answer.
    pub parts: Vec<PartMarker>,
    /// Whether to shuffle the pairs for each epoch; otherwise they keep the order of the file. Default:
    /// true.
    pub shuffle: bool,
    /// The time that the chat template writes, RFC 3339. By default it is the time at the start of the run.
    /// The plan in the run's folder records this time, so that a resumed run makes the same tokens.
    pub template_time: Option<String>,
    /// Rows to leave out of training and evaluation, in the form that messages use: `pairs.jsonl:12`.
    /// Default: none.
    pub skip: Vec<String>,
}

impl Default for DataPlan {
    fn default() -> Self {
        Self {
            train: PathBuf::new(),
            empty: None,
            shape: None,
            columns: BTreeMap::new(),
            on_error: OnError::Stop,
            rows: None,
            eval: None,
            empty_eval: None,
            eval_fraction: 0.0,
            max_length: None,
            truncation: Truncation::KeepStart,
            boundary: Boundary::Joint,
            long_prompts: LongPrompts::Drop,
            chat_template_kwargs: TemplateKwargs::default(),
            all_turns: false,
            diff: DiffAlgorithm::Levenshtein,
            ignore_stop_words: false,
            first_part: "reasoning".to_owned(),
            parts: PartRules::default_markers(),
            shuffle: true,
            template_time: None,
            skip: Vec::new(),
        }
    }
}

/// What happens with rows that cannot be read as pairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnError {
    /// The run stops at the first such row, before training begins.
    Stop,
    /// The rows are left out, counted, and listed in `rejects.txt` in the run's folder.
    Skip,
}
