//! What can go wrong in a run.

use std::io;
use std::path::{Path, PathBuf};

use pref_data::Place;
use thiserror::Error;

use crate::plan::PlanError;

/// A run that cannot start, go on or be resumed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The plan.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A file of pairs cannot be read.
    #[error(transparent)]
    Read(#[from] pref_data::ReadError),
    /// The tokenizer.
    #[error(transparent)]
    Tokenizer(#[from] pref_data::TokenizerError),
    /// Pairs cannot be made tokens.
    #[error(transparent)]
    Tokenize(#[from] pref_data::TokenizeError),
    /// The model cannot be loaded.
    #[error(transparent)]
    Load(#[from] pref_model::LoadError),
    /// The model cannot be saved.
    #[error(transparent)]
    Save(#[from] pref_model::SaveError),
    /// A file of a checkpoint is not what was written.
    #[error(transparent)]
    Checksum(#[from] pref_model::ChecksumError),
    /// The objective lacks data.
    #[error(transparent)]
    Batch(#[from] pref_core::BatchError),
    /// A file of the run.
    #[error("{}: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the file system said.
        #[source]
        source: io::Error,
    },
    /// A checkpoint could not be written.
    #[error(
        "could not write checkpoint {}: {message}; earlier checkpoints are untouched, free some space and continue with --resume",
        path.display()
    )]
    Checkpoint {
        /// Where it was to be.
        path: PathBuf,
        /// Why not.
        message: String,
    },
    /// The row range leaves the file.
    #[error("data.rows = [{start}, {end}] reaches past the {n} rows of {}", path.display())]
    Rows {
        /// The file of pairs.
        path: PathBuf,
        /// First row.
        start: usize,
        /// One past the last row.
        end: usize,
        /// Rows in the file.
        n: usize,
    },
    /// No pair is left to train on.
    #[error("{}: no pair is left to train on; {held_out} are held out for evaluation", path.display())]
    NoPairs {
        /// The file of pairs.
        path: PathBuf,
        /// Pairs in the evaluation set.
        held_out: usize,
    },
    /// All rows have one prompt.
    #[error("{}: all rows have the same prompt, so none can be held out by data.eval-fraction; give evaluation pairs with data.eval, or set data.eval-fraction to 0", path.display())]
    NothingHeldOut {
        /// The file of pairs.
        path: PathBuf,
    },
    /// A pair lacks what the objective looks at.
    #[error("{place}: the objective needs `{field}`, and the row has none; {remedy}")]
    Lacks {
        /// The row.
        place: Place,
        /// The field.
        field: String,
        /// What makes it.
        remedy: &'static str,
    },
    /// Single answers to one prompt.
    #[error(
        "all answers are to the same prompt, and kto estimates the KL to the reference from answers to other prompts; add answers to a second prompt"
    )]
    OnePrompt,
    /// Segments that do not describe their answer.
    #[error("{place}: `{side}_segments`: {source}")]
    Segments {
        /// The row.
        place: Place,
        /// `chosen` or `rejected`.
        side: &'static str,
        /// Why not.
        #[source]
        source: pref_core::SegmentError,
    },
    /// Markers of parts that are no regular expressions.
    #[error("data.parts: {0}")]
    PartRules(#[from] pref_data::PartRulesError),
    /// Prompts and responses do not fit the model's positions.
    #[error(
        "data.max-length is {max_length}, but the model at {} has {positions} positions; set data.max-length to at most {positions}",
        path.display()
    )]
    TooLong {
        /// The model's folder.
        path: PathBuf,
        /// The plan's limit.
        max_length: usize,
        /// The model's.
        positions: usize,
    },
    /// The folder holds a run already.
    #[error(
        "{} already holds a run at step {step}; continue it with --resume, or choose another --output",
        folder.display()
    )]
    Exists {
        /// The run's folder.
        folder: PathBuf,
        /// Steps of its last checkpoint.
        step: usize,
    },
    /// The folder holds the model of a run whose checkpoints are gone.
    #[error(
        "{} is there already, and a run would replace it; move it away, or choose another --output",
        model.display()
    )]
    Finished {
        /// The final weights.
        model: PathBuf,
    },
    /// Another process writes into the folder.
    #[error(
        "{} is in use by another run{}; wait for it to end, or choose another --output",
        folder.display(), of_process(process)
    )]
    Locked {
        /// The run's folder.
        folder: PathBuf,
        /// Number of the process that holds the lock, if it could be read.
        process: String,
    },
    /// The folder holds no run.
    #[error("{} holds no checkpoint to resume from; run without --resume to start there", folder.display())]
    NothingToResume {
        /// The folder.
        folder: PathBuf,
    },
    /// The plan differs from the one the run began with.
    #[error(
        "the run in {} began with another plan: {differences}; resume with the same settings, or choose another --output",
        folder.display()
    )]
    OtherPlan {
        /// The run's folder.
        folder: PathBuf,
        /// `key: then → now`, a list.
        differences: String,
    },
    /// Weights, tokenizer, template or rows are not those that the run began with.
    #[error(
        "the run in {} began with other inputs: {differences}; resume with what it began with, or start a new run in another --output",
        folder.display()
    )]
    OtherInputs {
        /// The run's folder.
        folder: PathBuf,
        /// The inputs that differ, with size and digest then and now.
        differences: String,
    },
    /// A resumed run would end earlier.
    #[error(
        "the run in {} has {then} steps, and the settings now say {now}; a resumed run can only get longer, set train.steps to at least {then}",
        folder.display()
    )]
    Shorter {
        /// The run's folder.
        folder: PathBuf,
        /// Steps that it had.
        then: usize,
        /// Steps that it would have.
        now: usize,
    },
    /// A row to leave out that is not there.
    #[error(
        "data.skip names `{entry}`, and no row is there; rows are written as in messages, such as `{example}`"
    )]
    UnknownSkip {
        /// What was given.
        entry: String,
        /// A row of the training set.
        example: Place,
    },
    /// A line of the metrics cannot be written.
    #[error("the metrics could not be written: {message}; {kept}")]
    Metrics {
        /// Why not.
        message: String,
        /// Where the run is kept all the same, or why it is not.
        kept: String,
    },
    /// No checkpoint of the run can be read.
    #[error("no checkpoint in {} can be read: {reasons}", folder.display())]
    Damaged {
        /// The folder of checkpoints.
        folder: PathBuf,
        /// What is wrong with each.
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
        /// Weights from before.
        checkpoint: PathBuf,
    },
    /// A loss of the evaluation is NaN or infinite.
    #[error(
        "the evaluation after step {step} has a loss that is not finite, on the pairs at {}; the weights are in {}; look at these pairs, then continue with --resume, without them: {}",
        list(places), checkpoint.display(), skip(places)
    )]
    NotFiniteEvaluation {
        /// Steps taken.
        step: usize,
        /// The pairs.
        places: Vec<Place>,
        /// Weights that were evaluated.
        checkpoint: PathBuf,
    },
    /// A gradient is NaN or infinite while all losses are finite.
    #[error(
        "the gradient of step {step} is not finite, on the pairs at {}; the weights before the step are in {}; look at these pairs, then continue with --resume and a lower train.learning-rate, or without them: {}",
        list(places), checkpoint.display(), skip(places)
    )]
    NotFiniteGradient {
        /// The step that was not taken.
        step: usize,
        /// The step's pairs.
        places: Vec<Place>,
        /// Weights from before.
        checkpoint: PathBuf,
    },
}

impl TrainError {
    pub(crate) fn file(path: &Path) -> impl FnOnce(io::Error) -> TrainError {
        let path = path.to_owned();
        move |source| TrainError::File { path, source }
    }
}

/// The setting that leaves these rows out.
fn skip(places: &[Place]) -> String {
    format!("--set 'data.skip={:?}'", names(places))
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
