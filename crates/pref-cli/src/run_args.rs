//! Flags of every command that runs a plan. In: a plan file, flags and `--set`. Out: a checked plan, and a run of
//! it.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result};
use pref_train::TrainBackend;
use pref_train::{Outcome, Plan, Ranks, Settings, Tracker};

use crate::device::{DeviceArgs, Task};
use crate::model::whole_model;
use crate::outcome::report;
use crate::progress::Progress;

/// What is trained, on which data, and how.
#[derive(clap::Args)]
pub(crate) struct RunArgs {
    /// Plan: a TOML file with the sections model, data, objective, train and output
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Training rows: a file (JSON Lines, JSON, CSV, Parquet, Arrow), a folder, a pattern, or hub:OWNER/NAME
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Rows for evaluation
    #[arg(long, value_name = "FILE")]
    eval: Option<PathBuf>,
    /// Model to start from: a folder in Hugging Face's layout, hub:OWNER/NAME or hub:OWNER/NAME@REVISION
    #[arg(long, value_name = "FOLDER")]
    model: Option<PathBuf>,
    /// Folder for everything that the run writes
    #[arg(long, value_name = "FOLDER")]
    pub(crate) output: Option<PathBuf>,
    /// Seed of everything random in the run (train.seed)
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    pub(crate) seed: Option<u64>,
    /// Any setting, such as train.learning-rate=5e-7 or objective.beta=0.1; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Continue from the newest undamaged checkpoint in the run's folder
    #[arg(long)]
    pub(crate) resume: bool,
    /// Check the plan, print it as TOML with every default, and stop
    #[arg(long)]
    dry_run: bool,
    /// Print the result as one JSON line
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) device: DeviceArgs,
}

impl RunArgs {
    /// Whether no flag says what to train on.
    pub(crate) fn is_empty(&self) -> bool {
        self.config.is_none()
            && self.data.is_none()
            && self.eval.is_none()
            && self.model.is_none()
            && self.set.is_empty()
            && !self.dry_run
    }

    /// The plan of these flags. `method` is the objective that the command line names; a plan file without an
    /// objective gets `default`.
    pub(crate) fn plan(&self, method: Option<&str>, default: Option<&str>) -> Result<Plan> {
        let mut settings = match &self.config {
            Some(path) => Settings::from_file(path)?,
            None => Settings::default(),
        };
        let mut put = |key: &str, value: &Option<PathBuf>| -> Result<()> {
            if let Some(path) = value {
                let text = path.to_str().with_context(|| {
                    format!("{}: a path in a plan must be UTF-8", path.display())
                })?;
                settings.put(key, text)?;
            }
            Ok(())
        };
        put("data.train", &self.data)?;
        put("data.eval", &self.eval)?;
        put("model.path", &self.model)?;
        put("output.folder", &self.output)?;
        if let Some(seed) = self.seed {
            settings.put("train.seed", seed)?;
        }
        if let Some(method) = method {
            settings.put("objective.method", method)?;
        }
        for pair in &self.set {
            settings.set(pair)?;
        }
        if let Some(method) = default
            && !settings.has("objective.method")
        {
            settings.put("objective.method", method)?;
        }
        Ok(Plan::from_settings(settings)?)
    }

    /// Runs a plan and reports its outcome, or prints the plan with `--dry-run`. Rank 0 prints.
    pub(crate) fn run(
        self,
        mut plan: Plan,
        stop: &AtomicBool,
        ranks: &Rc<dyn Ranks>,
    ) -> Result<ExitCode> {
        if self.dry_run {
            if ranks.is_first() {
                write!(std::io::stdout(), "{}", plan.to_toml())?;
            }
            return Ok(ExitCode::SUCCESS);
        }
        // The plan in the run's folder records the folder that the model was downloaded to, so a resumed
        // run reads the same commit of the model.
        plan.model.path = whole_model(&plan.model.path)?;
        if let Some(path) = &mut plan.model.reference_path {
            *path = whole_model(path)?;
        }
        let outcome = self.device.device.run(Training {
            plan: &plan,
            resume: self.resume,
            tracker: &mut Progress::new(),
            stop,
            ranks,
        })?;
        report(&outcome, self.json, &**ranks)
    }
}

/// A plan that runs on any backend.
struct Training<'a> {
    plan: &'a Plan,
    resume: bool,
    tracker: &'a mut dyn Tracker,
    stop: &'a AtomicBool,
    ranks: &'a Rc<dyn Ranks>,
}

impl Task for Training<'_> {
    type Output = Outcome;

    fn run<B: TrainBackend>(self, device: &B::Device) -> Result<Outcome> {
        let Training {
            plan,
            resume,
            tracker,
            stop,
            ranks,
        } = self;
        let outcome = pref_train::train_together::<B>(plan, resume, device, tracker, stop, ranks)?;
        Ok(outcome)
    }
}
