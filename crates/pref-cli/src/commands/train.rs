//! `pref train`: runs a plan, or the embedded recipe. In: a plan file, flags and `--set`. Without any of these,
//! it runs the recipe. Out: the run's folder, and the result on stdout.

use std::process::ExitCode;
use std::rc::Rc;

use anyhow::Result;
use pref_train::Ranks;

use crate::recipe::Recipe;
use crate::run_args::RunArgs;
use crate::signals;

/// Train a model on preference pairs; without arguments, run the embedded recipe
///
/// A setting in --config is replaced by a flag, and a flag is replaced by --set. The names of TRL's
/// settings are accepted as well, such as --set per_device_train_batch_size=4.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Method, such as dpo, adpo or simpo; `pref objectives` lists them
    #[arg(long, value_name = "NAME")]
    objective: Option<String>,
    #[command(flatten)]
    run: RunArgs,
}

pub(crate) fn run(args: Args, ranks: &Rc<dyn Ranks>) -> Result<ExitCode> {
    let stop = signals::stop_flag()?;
    let Args { objective, run } = args;
    if objective.is_none() && run.is_empty() {
        return run.device.device.run(Recipe {
            folder: run.output.clone(),
            seed: run.seed.unwrap_or(0),
            json: run.json,
            device: run.device.device,
            stop: &stop,
            ranks,
        });
    }
    let plan = run.plan(objective.as_deref(), None)?;
    run.run(plan, &stop, ranks)
}
