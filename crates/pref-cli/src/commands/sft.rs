//! `pref sft`: trains a model to write given answers. In: a plan file, flags and `--set`. Out: the run's folder,
//! and the result on stdout.

use std::process::ExitCode;
use std::rc::Rc;

use anyhow::{Result, ensure};
use pref_core::Method;
use pref_train::Ranks;

use crate::run_args::RunArgs;
use crate::signals;

/// Train a model to write given answers (supervised fine-tuning)
///
/// The rows have prompt and completion, messages, or text. The chosen answers of pairs are taken as well.
/// The loss is that of the answers, averaged over the tokens of a step. This is `pref train` with the
/// objective sft; plan, settings, run folder and --resume are the same.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    run: RunArgs,
}

pub(crate) fn run(args: Args, ranks: &Rc<dyn Ranks>) -> Result<ExitCode> {
    let stop = signals::stop_flag()?;
    let plan = args.run.plan(None, Some(Method::Sft.name()))?;
    ensure!(
        plan.objective.method() == Method::Sft,
        "`pref sft` trains with the objective sft, and objective.method is \"{}\"; leave it out, or use `pref train`",
        plan.objective.method().name()
    );
    args.run.run(plan, &stop, ranks)
}
