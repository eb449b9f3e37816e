//! The plan of a run: what to train, on which data, with which objective, and how.
//!
//! In: layers of settings (a TOML file, `--set` pairs, flags). Out: a [`Plan`] whose values are checked.
//! Training accepts nothing else, and the run's folder keeps the plan with every default spelled out.

mod auto;
mod check;
mod data;
mod error;
mod groups;
mod keys;
mod lora;
mod lora_table;
mod objective;
mod optimizer;
mod pattern;
mod report_to;
mod schedule;
mod sections;
mod settings;
mod train;

pub use auto::{Auto, AutoValue};
pub use data::{DataPlan, OnError};
pub use error::PlanError;
pub use groups::GroupPlan;
pub use lora::LoraPlan;
pub use optimizer::{MuonRate, OptimizerKind};
pub(crate) use pattern::name_pattern;
pub use report_to::ReportTo;
pub use schedule::ScheduleKind;
pub use sections::{ModelPlan, OutputPlan, Plan, ReferenceKind, WeightFormat};
pub use settings::Settings;
pub use train::TrainPlan;
