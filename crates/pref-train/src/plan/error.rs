//! Errors in the settings of a plan. In: a setting and its value. Out: a message that names the setting, what
//! was found and what was expected.

use std::path::PathBuf;

use thiserror::Error;

/// The settings are not a valid plan.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PlanError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{}: {message}", path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// Line, column and what the parser expected there.
        message: String,
    },
    /// A setting that does not exist.
    #[error("unknown setting `{key}` in {origin}{suggestion}")]
    UnknownKey {
        /// The key, with its section.
        key: String,
        /// The file, or `--set`.
        origin: String,
        /// `; did you mean …?` or the list of settings.
        suggestion: String,
    },
    /// The same setting was given under two names.
    #[error("`{first}` and `{second}` in {origin} are the same setting; keep one")]
    Twice {
        /// One spelling.
        first: String,
        /// The other.
        second: String,
        /// The file, or `--set`.
        origin: String,
    },
    /// A number is not finite.
    #[error("`{key}` from {origin} must be a finite number, found nan or inf")]
    NotFinite {
        /// The setting.
        key: String,
        /// The file, or `--set`.
        origin: String,
    },
    /// The argument of `--set` has no `=`.
    #[error("`--set {0}` is not a `key=value`, such as `train.learning-rate=5e-7`")]
    NoPair(String),
    /// A required setting is missing.
    #[error("`{key}` is not set: {expected}; give {flag} or set it in the plan")]
    Required {
        /// The setting.
        key: &'static str,
        /// What was expected.
        expected: &'static str,
        /// The flag that sets it.
        flag: &'static str,
    },
    /// A value has the wrong type, or the objective does not exist.
    #[error("`{key}`: {message}")]
    Value {
        /// The setting.
        key: String,
        /// The problem.
        message: String,
    },
    /// A number is outside its range.
    #[error("`{key}` must be {expected}, found {value}")]
    OutOfRange {
        /// The setting.
        key: &'static str,
        /// The value found.
        value: String,
        /// What was expected.
        expected: &'static str,
    },
    /// The objective needs two sets, and only one is given.
    #[error(
        "{method} mixes pairs with reasoning traces and pairs with emptied traces; set `data.empty` to a file of pairs with emptied traces"
    )]
    NeedsEmptySet {
        /// The method.
        method: &'static str,
    },
    /// The objective does not use the second set.
    #[error(
        "{method} does not use pairs with emptied traces; leave `{key}` out, or set `objective.method` to \"bvpo\""
    )]
    IgnoredEmptySet {
        /// The method.
        method: &'static str,
        /// The setting that names the set.
        key: &'static str,
    },
    /// A setting of some objectives is true for another one.
    #[error("{method} does not use `{key}`; set it to false, or `objective.method` to {methods}")]
    UnusedSwitch {
        /// The method.
        method: &'static str,
        /// The setting.
        key: &'static str,
        /// The methods that use it.
        methods: &'static str,
    },
    /// Two settings give evaluation pairs.
    #[error(
        "`data.eval` and `data.eval-fraction` = {fraction} both give evaluation pairs; keep one of them"
    )]
    TwoEvaluations {
        /// The fraction.
        fraction: f64,
    },
    /// Evaluations are to be compared, and there are none during the run.
    #[error(
        "`train.best-metric`, `train.load-best` and `train.early-stopping-patience` compare the evaluations of a run, and there are none during it; set `train.eval-every`, and give evaluation pairs with `data.eval` or `data.eval-fraction`"
    )]
    NothingToCompare,
    /// A folder for event files is given, and none are written.
    #[error(
        "`output.tensorboard-folder` is set, but no event file is written; set `output.report-to` to \"tensorboard\", or leave the folder out"
    )]
    NoEventFile,
    /// The warm-up is longer than the run, so the learning rate would never reach its peak.
    #[error(
        "`train.warmup-steps` = {warmup} is longer than the run of {steps} steps; lower it, or train for more steps"
    )]
    LongWarmup {
        /// Number of steps of the warm-up.
        warmup: usize,
        /// Number of steps of the run.
        steps: usize,
    },
    /// Warm-up and decay overlap.
    #[error(
        "a warm-up of {warmup} steps and a decay of {decay} steps are longer than the run of {steps} steps; lower `train.decay-ratio` or the warm-up, or train for more steps"
    )]
    LongDecay {
        /// Number of steps of the warm-up.
        warmup: usize,
        /// Number of steps of the decay.
        decay: usize,
        /// Number of steps of the run.
        steps: usize,
    },
    /// The length of the warm-up is given twice.
    #[error(
        "`train.warmup-steps` = {warmup} and `train.warmup-ratio` = {ratio} both give the length of the warm-up; keep one of them"
    )]
    TwoWarmups {
        /// The number of steps.
        warmup: usize,
        /// The fraction of all steps.
        ratio: f64,
    },
    /// A setting of another schedule.
    #[error(
        "`{key}` belongs to the schedule {schedules}, and `train.schedule` is \"{schedule}\"; change the schedule, or leave the setting out"
    )]
    OtherSchedule {
        /// The setting.
        key: &'static str,
        /// The schedule of the plan.
        schedule: &'static str,
        /// The schedules that have the setting.
        schedules: &'static str,
    },
    /// The schedule would not fall.
    #[error(
        "the learning rate falls from `train.learning-rate` = {peak} to `train.min-learning-rate` = {end}, which must be at least 0 and lower; set a lower `train.min-learning-rate`"
    )]
    HighEnd {
        /// The rate at the end.
        end: f64,
        /// The highest rate.
        peak: f64,
    },
    /// A setting of another optimiser.
    #[error(
        "`{key}` belongs to the optimiser {optimizers}, and `train.optimizer` is \"{optimizer}\"; change the optimiser, or leave the setting out"
    )]
    OtherOptimizer {
        /// The setting.
        key: &'static str,
        /// The optimiser of the plan.
        optimizer: &'static str,
        /// The optimisers that have the setting.
        optimizers: &'static str,
    },
    /// Nesterov's momentum without a momentum.
    #[error(
        "`train.nesterov` = true needs a momentum, and `train.momentum` is 0; set `train.momentum`, such as 0.9, or leave `train.nesterov` out"
    )]
    NoMomentum,
    /// Only one of two sets has evaluation pairs.
    #[error(
        "`data.eval` and `data.empty-eval` go together: give both, or neither and `data.eval-fraction`"
    )]
    HalfEvaluation,
    /// The optimal α needs the variance of the gradients of a step, and a step has one pair.
    #[error(
        "`objective.alpha` = \"optimal\" needs the variance of the gradients within a step, and a step has one pair of each set; raise `train.batch-size` or `train.gradient-accumulation`"
    )]
    NoGradientEstimates,
    /// The objective needs a reference, and there is none.
    #[error(
        "{method} compares the policy with a reference; set `model.reference` to \"precomputed\", \"frozen-copy\" or, with an adapter, \"adapter-off\""
    )]
    NeedsReference {
        /// The method.
        method: &'static str,
    },
    /// The objective compares whole distributions, and only log-probs of tokens are available.
    #[error(
        "{method} compares the next-token distributions of policy and reference, which precomputed log-probs do not contain; set `model.reference` to \"frozen-copy\" or leave it out"
    )]
    NeedsDistributions {
        /// The method.
        method: &'static str,
    },
    /// A reference of its own, and the policy without its adapter, are both given as the reference.
    #[error(
        "`model.reference` = \"adapter-off\" takes the reference from the policy, and `model.reference-path` names another model; keep one of them"
    )]
    TwoReferences,
    /// The reference cannot follow the policy.
    #[error(
        "`model.sync-reference` changes the weights of a frozen copy of the model, but `model.reference` is \"{reference}\"{adapter}; set `model.reference` to \"frozen-copy\" and train without an adapter, or leave `model.sync-reference` out"
    )]
    FixedReference {
        /// The kind of the reference.
        reference: &'static str,
        /// A remark if an adapter is trained, or empty.
        adapter: &'static str,
    },
    /// Parameters are frozen in a run that trains an adapter.
    #[error(
        "`train.freeze` chooses weights that are not trained, and `train.lora` trains none of the weights; leave `train.freeze` out, and choose layers with `train.lora.targets` and `train.lora.exclude`"
    )]
    FrozenAnyway,
    /// A setting of the plan is not that of the adapter that training starts from.
    #[error(
        "`train.lora.{key}` = {given}, but the adapter in `train.lora.adapter` has {stored}; leave the setting out, or start a new adapter"
    )]
    OtherAdapter {
        /// The setting.
        key: &'static str,
        /// Its value in the plan.
        given: String,
        /// Its value in the adapter.
        stored: String,
    },
    /// The objective does not use a reference, and one is given.
    #[error(
        "{method} uses no reference; set `model.reference` to \"none\" or leave it out, and `model.reference-path` as well"
    )]
    IgnoredReference {
        /// The method.
        method: &'static str,
    },
}
