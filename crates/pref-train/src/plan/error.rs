//! What can be wrong with a plan.

use std::path::PathBuf;

use thiserror::Error;

/// Settings that make no plan.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PlanError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The file is no TOML.
    #[error("{}: {message}", path.display())]
    Toml {
        /// Which file.
        path: PathBuf,
        /// Line, column and what is wrong there.
        message: String,
    },
    /// A setting nobody knows.
    #[error("unknown setting `{key}` in {origin}{suggestion}")]
    UnknownKey {
        /// The key, with its section.
        key: String,
        /// The file, or `--set`.
        origin: String,
        /// `; did you mean …?` or the section's settings.
        suggestion: String,
    },
    /// The same setting under two names.
    #[error("`{first}` and `{second}` in {origin} are the same setting; keep one")]
    Twice {
        /// One spelling.
        first: String,
        /// The other.
        second: String,
        /// The file, or `--set`.
        origin: String,
    },
    /// A number that is none.
    #[error("`{key}` from {origin} must be a finite number, found nan or inf")]
    NotFinite {
        /// The setting.
        key: String,
        /// The file, or `--set`.
        origin: String,
    },
    /// A `--set` without `=`.
    #[error("`--set {0}` is no `key=value`, such as `train.learning-rate=5e-7`")]
    NoPair(String),
    /// A setting without a default is absent.
    #[error("`{key}` is not set: {expected}; give {flag} or set it in the plan")]
    Required {
        /// The setting.
        key: &'static str,
        /// What it takes.
        expected: &'static str,
        /// The flag that sets it.
        flag: &'static str,
    },
    /// A value of the wrong type, or an objective that is none.
    #[error("`{key}`: {message}")]
    Value {
        /// The setting.
        key: String,
        /// What is wrong with it.
        message: String,
    },
    /// A number outside its range.
    #[error("`{key}` must be {expected}, found {value}")]
    OutOfRange {
        /// The setting.
        key: &'static str,
        /// What was there.
        value: String,
        /// What it takes.
        expected: &'static str,
    },
    /// An objective on two sets, and one is given.
    #[error(
        "{method} mixes pairs with reasoning traces and pairs with emptied ones; set `data.empty` to a file of the latter"
    )]
    NeedsEmptySet {
        /// The method.
        method: &'static str,
    },
    /// A second set that nothing reads.
    #[error(
        "{method} has no use for pairs with emptied traces; leave `{key}` out, or set `objective.method` to \"bvpo\""
    )]
    IgnoredEmptySet {
        /// The method.
        method: &'static str,
        /// The setting that names them.
        key: &'static str,
    },
    /// Evaluation pairs from two places.
    #[error(
        "`data.eval` and `data.eval-fraction` = {fraction} both say what is held out for evaluation; give one of them"
    )]
    TwoEvaluations {
        /// The fraction.
        fraction: f64,
    },
    /// The learning rate would never reach its peak.
    #[error(
        "`train.warmup-steps` = {warmup} is longer than the run of {steps} steps; lower it, or train for more"
    )]
    LongWarmup {
        /// Steps of the warm-up.
        warmup: usize,
        /// Steps of the run.
        steps: usize,
    },
    /// One of two sets has evaluation pairs.
    #[error(
        "`data.eval` and `data.empty-eval` go together: give both, or neither and `data.eval-fraction`"
    )]
    HalfEvaluation,
    /// The best α of gradient estimates, which training does not take.
    #[error(
        "`objective.alpha` = \"optimal\" follows from estimates of both sets' gradients, which training does not take; `pref loss` computes it from them, set it to that number"
    )]
    NoMoments,
    /// No reference for an objective of log-ratios.
    #[error(
        "{method} compares the policy with a reference; set `model.reference` to \"precomputed\" or \"frozen-copy\""
    )]
    NeedsReference {
        /// The method.
        method: &'static str,
    },
    /// Precomputed log-probs of tokens, where whole distributions are compared.
    #[error(
        "{method} compares the next-token distributions of policy and reference, and log-probs of tokens do not hold them; set `model.reference` to \"frozen-copy\" or leave it out"
    )]
    NeedsDistributions {
        /// The method.
        method: &'static str,
    },
    /// A reference for an objective that has none.
    #[error(
        "{method} uses no reference; set `model.reference` to \"none\" or leave it out, and `model.reference-path` as well"
    )]
    IgnoredReference {
        /// The method.
        method: &'static str,
    },
}
