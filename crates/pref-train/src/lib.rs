//! Preference training: from a plan to a better model on disk.
//!
//! A [`Plan`] says what is trained, on which pairs, with which objective, and how. [`train`] runs it. The
//! run's folder then has
//! - `plan.toml`, the plan with every default spelled out,
//! - `metrics.jsonl`, one line for each log step and each evaluation, with TRL's names,
//! - `tensorboard/`, the same as an event file, if the plan asks for it; [`write_event_file`] makes it later,
//! - `checkpoints/`, from which a killed run resumes; on a CPU it ends with the same bytes as a run that
//!   was never killed,
//! - `model/`, the trained model in Hugging Face's layout.
//!
//! ```no_run
//! use std::sync::atomic::AtomicBool;
//! use burn::backend::{Autodiff, Flex};
//! use pref_train::{Plan, Settings, Silent, train};
//!
//! let mut settings = Settings::default();
//! settings.put("model.path", "models/llama")?;
//! settings.put("data.train", "pairs.jsonl")?;
//! settings.put("output.folder", "runs/first")?;
//! settings.set("objective.method=adpo")?;
//! settings.set("train.learning-rate=5e-7")?;
//! let plan = Plan::from_settings(settings)?;
//!
//! let never = AtomicBool::new(false);
//! let outcome = train::<Autodiff<Flex>>(&plan, false, &Default::default(), &mut Silent, &never)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The objective decides what is trained: most objectives compare pairs, `sft` takes answers alone, and
//! `bradley-terry` and `segments` train a [`RewardModel`](pref_model::RewardModel).
//!
//! # Several processes
//!
//! [`train_together`] divides the forward passes of each step among processes, which a [`Ranks`] connects:
//! `MpiRanks` with the feature `mpi`, or an implementation of your own. [`train`] is the same with one process,
//! [`Alone`].
//!
//! # A model of your own
//!
//! [`train_policy`] trains any Burn module that is a [`Policy`](pref_model::Policy). Data, objectives,
//! reference, checkpoints, metrics and evaluation are the same as with [`train`].
//!
//! ```no_run
#![doc = include_str!("../examples/own_policy.rs")]
//! ```

mod autodiff_lock;
mod batch;
mod digest;
mod durable;
mod error;
mod evaluate;
mod forecast;
mod metrics;
mod patterns;
mod plan;
mod ranks;
mod reference;
mod run;
mod sets;
mod step;
mod tensorboard;
mod tracker;

pub use error::TrainError;
pub use forecast::{Forecast, Machine, MemoryForecast, TimeForecast, Workload};
pub use metrics::{
    EvalRecord, Means, MetricsLine, MixtureRecord, PairMeans, PairSums, RewardMeans, SegmentMeans,
    StepRecord, TokenMeans,
};
pub use plan::{
    Auto, AutoValue, DataPlan, GroupPlan, LoraPlan, ModelPlan, MuonRate, OnError, OptimizerKind,
    OutputPlan, Plan, PlanError, ReferenceKind, ReportTo, ScheduleKind, Settings, TrainPlan,
    WeightFormat,
};
#[cfg(feature = "mpi")]
pub use ranks::MpiRanks;
pub use ranks::{Alone, Launch, Ranks, RanksError};
pub use run::{
    AnswerToken, Outcome, PairTokens, TokenState, copy_tokenizer, has_checkpoint, model_hash,
    reward_scale, token_values, train, train_policy, train_policy_together, train_together,
};
pub use step::{NamedGradients, Optimizer, Schedule, TrainBackend, TrainablePolicy};
pub use tensorboard::{EventFileSummary, write_event_file};
pub use tracker::{Silent, Tracker};
