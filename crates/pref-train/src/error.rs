//! Why a run cannot start, continue or resume. In: errors of plans, data, models and files. Out: one error
//! type, whose messages say where, what was found, what was expected, and the way out.

use std::io;
use std::path::{Path, PathBuf};

use pref_data::Place;
use thiserror::Error;

use crate::plan::PlanError;
use crate::ranks::RanksError;

/// A run cannot start, continue or resume.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The plan has an error.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A file of pairs cannot be read.
    #[error(transparent)]
    Read(#[from] pref_data::ReadError),
    /// The tokenizer cannot be loaded.
    #[error(transparent)]
    Tokenizer(#[from] pref_data::TokenizerError),
    /// A row cannot be turned into token ids.
    #[error(transparent)]
    Tokenize(#[from] pref_data::TokenizeError),
    /// The model cannot be loaded.
    #[error(transparent)]
    Load(#[from] pref_model::LoadError),
    /// The adapter cannot be read, or does not fit the model.
    #[error("train.lora: {0}")]
    Lora(#[from] pref_model::LoraError),
    /// A pattern of `train.freeze` or `train.groups` fits no parameter.
    #[error("{key}: no parameter has a name that fits `{pattern}`; similar names are {similar}")]
    NoSuchParameter {
        /// The setting.
        key: String,
        /// The pattern.
        pattern: String,
        /// Names of parameters.
        similar: String,
    },
    /// No parameter is left to train.
    #[error("train.freeze: no parameter is left to train; leave a pattern out")]
    AllFrozen,
    /// All parameters of a group belong to earlier groups.
    #[error(
        "{key}: all parameters that fit `{pattern}` belong to earlier groups, so the group changes nothing; move it before them, or leave it out"
    )]
    EmptyGroup {
        /// The setting.
        key: String,
        /// The pattern.
        pattern: String,
    },
    /// The metric that evaluations are compared by does not exist.
    #[error(
        "train.best-metric: an evaluation does not measure `{metric}`; its metrics are {known}"
    )]
    NoSuchMetric {
        /// The metric.
        metric: String,
        /// The metrics of the evaluation.
        known: String,
    },
    /// The checkpoint of the best evaluation cannot be read.
    #[error(
        "the checkpoint of the best evaluation, {}, cannot be read: {message}; set train.load-best = false to keep the last weights",
        path.display()
    )]
    Best {
        /// The folder of the checkpoint.
        path: PathBuf,
        /// The cause.
        message: String,
    },
    /// A reference that follows the policy has other parameters.
    #[error(
        "model.sync-reference needs a reference with the parameters of the policy, but {difference}; choose another model.reference-path, or leave model.sync-reference out"
    )]
    OtherReference {
        /// The first parameter that differs.
        difference: String,
    },
    /// The policy of the caller cannot get an adapter.
    #[error(
        "train.lora adds an adapter to the model in model.path, but the caller gave a policy of its own; leave train.lora out, and add an adapter to the policy"
    )]
    LoraOfGivenPolicy,
    /// The reference is the policy without its adapter, and it has none.
    #[error(
        "model.reference = \"adapter-off\" needs a policy with an adapter, and this one has none; set train.lora = true, or model.reference = \"frozen-copy\""
    )]
    NoAdapter,
    /// The dropout of an adapter of the head would depend on the division of the positions.
    #[error(
        "an adapter of lm_head with a dropout needs all positions at the same time; set train.vocab-chunk = 0, or train.lora.dropout = 0"
    )]
    DropoutInChunks,
    /// The processes of the run cannot continue together.
    #[error(transparent)]
    Ranks(#[from] RanksError),
    /// The ranks of a run read different inputs.
    #[error(
        "rank {rank} reads other inputs than rank 0: {differences}; give every rank the same model, data and plan, as files of a shared disk do"
    )]
    RankInputs {
        /// The number of the process, from 0.
        rank: usize,
        /// The inputs that differ, each with its size and hash on rank 0 and on this rank.
        differences: String,
    },
    /// The resumed run has another number of processes.
    #[error(
        "the run in {} began with {then} {}, and now there {2}; sums over another number of processes have other last bits, so start {then} {1}, or a new run in another --output",
        folder.display(), processes(*then), are(*now)
    )]
    OtherProcesses {
        /// The run's folder.
        folder: PathBuf,
        /// Number of processes before.
        then: usize,
        /// Number of processes now.
        now: usize,
    },
    /// The model cannot be saved.
    #[error(transparent)]
    Save(#[from] pref_model::SaveError),
    /// A file differs from its checksum.
    #[error(transparent)]
    Checksum(#[from] pref_model::ChecksumError),
    /// The objective lacks an input.
    #[error(transparent)]
    Batch(#[from] pref_core::BatchError),
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A checkpoint could not be written.
    #[error(
        "could not write checkpoint {}: {message}; earlier checkpoints are untouched, free some space and continue with --resume",
        path.display()
    )]
    Checkpoint {
        /// The folder of the checkpoint.
        path: PathBuf,
        /// The cause.
        message: String,
    },
    /// The final weights could not be written.
    #[error(
        "could not write the final weights to {}: {message}; the checkpoints are untouched, free some space and continue with --resume",
        path.display()
    )]
    FinalWeights {
        /// The folder of the weights.
        path: PathBuf,
        /// The cause.
        message: String,
    },
    /// The range of rows exceeds the file.
    #[error("data.rows = [{start}, {end}] exceeds the {n} rows of {}", path.display())]
    Rows {
        /// The file of pairs.
        path: PathBuf,
        /// First row.
        start: usize,
        /// The row after the last one.
        end: usize,
        /// Number of rows in the file.
        n: usize,
    },
    /// No pair is left to train on.
    #[error("{}: no pair is left to train on; {held_out} pairs are held out for evaluation", path.display())]
    NoPairs {
        /// The file of pairs.
        path: PathBuf,
        /// Number of pairs in the evaluation set.
        held_out: usize,
    },
    /// All rows have the same prompt.
    #[error("{}: all rows have the same prompt, so none can be held out by data.eval-fraction; give evaluation pairs with data.eval, or set data.eval-fraction to 0", path.display())]
    NothingHeldOut {
        /// The file of pairs.
        path: PathBuf,
    },
    /// A pair lacks a field that the objective needs.
    #[error("{place}: the objective needs `{field}`, and the row does not have it; {remedy}")]
    MissingField {
        /// The row.
        place: Place,
        /// The field.
        field: String,
        /// How to produce the field.
        remedy: &'static str,
    },
    /// All single answers have the same prompt.
    #[error(
        "all answers have the same prompt, but kto estimates the KL to the reference from answers to other prompts; add answers to a second prompt"
    )]
    OnePrompt,
    /// The segments of an answer do not fit the answer.
    #[error("{place}: `{side}_segments`: {source}")]
    Segments {
        /// The row.
        place: Place,
        /// `chosen` or `rejected`.
        side: &'static str,
        /// The cause.
        #[source]
        source: pref_core::SegmentError,
    },
    /// A marker of parts is not a regular expression.
    #[error("data.parts: {0}")]
    PartRules(#[from] pref_data::PartRulesError),
    /// `data.max-length` exceeds the positions of the model.
    #[error(
        "data.max-length is {max_length}, but the model at {} has {positions} positions; set data.max-length to at most {positions}",
        path.display()
    )]
    TooLong {
        /// The model's folder.
        path: PathBuf,
        /// The value of `data.max-length`.
        max_length: usize,
        /// Number of positions of the model.
        positions: usize,
    },
    /// The folder already holds a run.
    #[error(
        "{} already holds a run at step {step}; continue it with --resume, or choose another --output",
        folder.display()
    )]
    Exists {
        /// The run's folder.
        folder: PathBuf,
        /// The step of its last checkpoint.
        step: usize,
    },
    /// The folder holds the final weights of a run without checkpoints.
    #[error(
        "{} already exists, and the run would replace it; move it away, or choose another --output",
        model.display()
    )]
    Finished {
        /// The final weights.
        model: PathBuf,
    },
    /// Another process is using the folder.
    #[error(
        "{} is in use by another run{}; wait for it to end, or choose another --output",
        folder.display(), of_process(process)
    )]
    Locked {
        /// The run's folder.
        folder: PathBuf,
        /// Id of the process that holds the lock, or empty.
        process: String,
    },
    /// The folder holds no checkpoint.
    #[error("{} holds no checkpoint to resume from; run without --resume to start there", folder.display())]
    NothingToResume {
        /// The folder.
        folder: PathBuf,
    },
    /// The plan differs from the plan of the run.
    #[error(
        "the run in {} began with another plan: {differences}; resume with the same settings, or choose another --output",
        folder.display()
    )]
    OtherPlan {
        /// The run's folder.
        folder: PathBuf,
        /// A list of `key: old value → new value`.
        differences: String,
    },
    /// Weights, tokenizer, template or rows differ from the inputs of the run.
    #[error(
        "the run in {} began with other inputs: {differences}; resume with the same inputs, or start a new run in another --output",
        folder.display()
    )]
    OtherInputs {
        /// The run's folder.
        folder: PathBuf,
        /// The inputs that differ, each with its size and hash at the start of the run and now.
        differences: String,
    },
    /// The resumed run would be shorter.
    #[error(
        "the run in {} has {then} steps, and the settings now say {now}; a resumed run can only get longer, set train.steps to at least {then}",
        folder.display()
    )]
    Shorter {
        /// The run's folder.
        folder: PathBuf,
        /// Number of steps before.
        then: usize,
        /// Number of steps now.
        now: usize,
    },
    /// `data.skip` names a row that does not exist.
    #[error(
        "data.skip names `{entry}`, but there is no such row; write rows as messages do, such as `{example}`"
    )]
    UnknownSkip {
        /// The entry of `data.skip`.
        entry: String,
        /// A row of the training set.
        example: Place,
    },
    /// The plan asks for shared prompts, and the policy cannot compute them.
    #[error(
        "train.share-prompts needs a policy that supports branches, and this one does not; set it to false"
    )]
    NoSharedPrompts,
    /// The objective is computed from scores, and the caller gives a policy.
    #[error(
        "{method} is computed from the scores of a reward model, and a policy of your own has none; train it with `train`, or set objective.method to a method on log-probs"
    )]
    NeedsRewardModel {
        /// The method.
        method: &'static str,
    },
    /// A line of the metrics cannot be written.
    #[error("the metrics could not be written: {message}; {kept}")]
    Metrics {
        /// The cause.
        message: String,
        /// The checkpoint that saves the run, or why there is none.
        kept: String,
    },
    /// No checkpoint of the run can be read.
    #[error("no checkpoint in {} can be read: {reasons}", folder.display())]
    Damaged {
        /// The folder of checkpoints.
        folder: PathBuf,
        /// The problem of each checkpoint.
        reasons: String,
    },
    /// A loss is NaN or infinite.
    #[error(
        "the loss of step {step} is not finite, on the pairs at {}; the weights before the step are in {}; look at these pairs, then continue with --resume and a lower train.learning-rate, or without them: {}",
        list(places), checkpoint.display(), skip(places)
    )]
    NotFinite {
        /// The step that was not taken.
        step: usize,
        /// The pairs.
        places: Vec<Place>,
        /// The checkpoint with the weights before the step.
        checkpoint: PathBuf,
    },
    /// A loss in the evaluation is NaN or infinite.
    #[error(
        "the evaluation after step {step} has a loss that is not finite, on the pairs at {}; the weights are in {}; look at these pairs, then continue with --resume, without them: {}",
        list(places), checkpoint.display(), skip(places)
    )]
    NotFiniteEvaluation {
        /// Number of steps so far.
        step: usize,
        /// The pairs.
        places: Vec<Place>,
        /// The checkpoint with the evaluated weights.
        checkpoint: PathBuf,
    },
    /// The device does not train in bfloat16.
    #[error(
        "train.precision is \"bf16\", but {reason}; leave it out to train in float32, or choose a GPU with --device"
    )]
    Bf16OnDevice {
        /// Why not.
        reason: &'static str,
    },
    /// A policy of the caller computes in float32 only.
    #[error(
        "train.precision is \"bf16\", but this policy computes in float32 only; leave the setting out, or implement Policy::in_precision"
    )]
    NoBf16,
    /// A gradient is NaN or infinite while all losses are finite.
    #[error(
        "the gradient of step {step} is not finite (of {}), on the pairs at {}; the weights before the step are in {}; look at these pairs, then continue with --resume and a lower train.learning-rate, or without them: {}",
        parameters.join(", "), list(places), checkpoint.display(), skip(places)
    )]
    NotFiniteGradient {
        /// The step that was not taken.
        step: usize,
        /// The first parameters whose gradients are not finite, in the order of their names.
        parameters: Vec<String>,
        /// The pairs of the step.
        places: Vec<Place>,
        /// The checkpoint with the weights before the step.
        checkpoint: PathBuf,
    },
}

impl TrainError {
    /// Adds the path to an I/O error.
    pub(crate) fn file(path: &Path) -> impl FnOnce(io::Error) -> TrainError {
        let path = path.to_owned();
        move |source| TrainError::File { path, source }
    }
}

/// The option that leaves these rows out.
fn skip(places: &[Place]) -> String {
    format!("--set 'data.skip={:?}'", names(places))
}

fn processes(n: usize) -> &'static str {
    match n {
        1 => "process",
        _ => "processes",
    }
}

fn are(n: usize) -> String {
    match n {
        1 => "is 1".to_owned(),
        n => format!("are {n}"),
    }
}

fn of_process(process: &str) -> String {
    match process.trim() {
        "" => String::new(),
        id => format!(" (process {id})"),
    }
}

fn list(places: &[Place]) -> String {
    names(places).join(", ")
}

fn names(places: &[Place]) -> Vec<String> {
    places.iter().map(ToString::to_string).collect()
}

/// The text of an error and of its causes, in one line.
pub(crate) fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
