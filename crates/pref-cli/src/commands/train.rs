//! `pref train`: runs a plan, or the embedded recipe. In: a plan file, flags and `--set`. Without any of these,
//! it runs the recipe. Out: the run's folder, and the result on stdout.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result};
use pref_train::TrainBackend;
use pref_train::{Outcome, Plan, Settings, Tracker};

use crate::device::{DeviceArgs, Task};
use crate::model::model_folder;
use crate::outcome::report;
use crate::progress::Progress;
use crate::recipe::Recipe;
use crate::signals;

/// Train a model on preference pairs; without arguments, run the embedded recipe
///
/// A setting in --config is replaced by a flag, and a flag is replaced by --set. The names of TRL's
/// settings are accepted as well, such as --set per_device_train_batch_size=4.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Plan: a TOML file with the sections model, data, objective, train and output
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// File of pairs (JSON Lines, JSON, CSV, Parquet, Arrow), a folder, a pattern, or hub:OWNER/NAME
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// File of pairs for evaluation
    #[arg(long, value_name = "FILE")]
    eval: Option<PathBuf>,
    /// Model to start from: a folder in Hugging Face's layout, hub:OWNER/NAME or hub:OWNER/NAME@REVISION
    #[arg(long, value_name = "FOLDER")]
    model: Option<PathBuf>,
    /// Folder for everything that the run writes
    #[arg(long, value_name = "FOLDER")]
    output: Option<PathBuf>,
    /// Method, such as dpo, adpo or simpo; `pref objectives` lists them
    #[arg(long, value_name = "NAME")]
    objective: Option<String>,
    /// Any setting, such as train.learning-rate=5e-7 or objective.beta=0.1; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Continue from the newest undamaged checkpoint in the run's folder
    #[arg(long)]
    resume: bool,
    /// Check the plan, print it as TOML with every default, and stop
    #[arg(long)]
    dry_run: bool,
    /// Print the result as one JSON line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    device: DeviceArgs,
}

pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let stop = signals::stop_flag()?;
    if args.is_recipe() {
        return args.device.device.run(Recipe {
            folder: args.output.clone(),
            resume: args.resume,
            json: args.json,
            stop: &stop,
        });
    }
    let mut plan = args.plan()?;
    if args.dry_run {
        write!(std::io::stdout(), "{}", plan.to_toml())?;
        return Ok(ExitCode::SUCCESS);
    }
    // The plan in the run's folder records the folder that the model was downloaded to, so a resumed run
    // reads the same commit of the model.
    plan.model.path = model_folder(&plan.model.path)?;
    if let Some(path) = &mut plan.model.reference_path {
        *path = model_folder(path)?;
    }
    let outcome = args.device.device.run(Training {
        plan: &plan,
        resume: args.resume,
        tracker: &mut Progress::new(),
        stop: &stop,
    })?;
    report(&outcome, args.json)
}

impl Args {
    /// Whether no flag says what to train on.
    fn is_recipe(&self) -> bool {
        self.config.is_none()
            && self.data.is_none()
            && self.eval.is_none()
            && self.model.is_none()
            && self.objective.is_none()
            && self.set.is_empty()
            && !self.dry_run
    }

    fn plan(&self) -> Result<Plan> {
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
        if let Some(method) = &self.objective {
            settings.put("objective.method", method.as_str())?;
        }
        for pair in &self.set {
            settings.set(pair)?;
        }
        Ok(Plan::from_settings(settings)?)
    }
}

/// A plan that runs on any backend.
pub(crate) struct Training<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) resume: bool,
    pub(crate) tracker: &'a mut dyn Tracker,
    pub(crate) stop: &'a AtomicBool,
}

impl Task for Training<'_> {
    type Output = Outcome;

    fn run<B: TrainBackend>(self, device: &B::Device) -> Result<Outcome> {
        let Training {
            plan,
            resume,
            tracker,
            stop,
        } = self;
        Ok(pref_train::train::<B>(plan, resume, device, tracker, stop)?)
    }
}
