//! `pref reward-model`: trains reward models, and scores answers with them. In: flags and files. Out: a run's
//! folder, or rows with scores.

mod score;

use std::process::ExitCode;
use std::rc::Rc;

use anyhow::{Result, ensure};
use clap::{Subcommand, ValueEnum};
use pref_train::Ranks;

use crate::run_args::RunArgs;
use crate::signals;

/// Train a reward model, or score answers with one
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Train(TrainArgs),
    Score(score::Args),
}

/// Train a reward model on scored segments or on pairs
///
/// The model to start from is a reward model, or a language model, whose head is replaced. This is `pref
/// train` with the objective segments or bradley-terry; plan, settings, run folder and --resume are the
/// same.
#[derive(clap::Args)]
struct TrainArgs {
    /// What the model scores; a plan may name it as objective.method
    #[arg(long, value_name = "KIND", value_enum)]
    kind: Option<Kind>,
    #[command(flatten)]
    run: RunArgs,
}

/// What a reward model scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Segments in five aspects, from rows with segments and scores
    Segments,
    /// Whole answers, from pairs
    BradleyTerry,
}

impl Kind {
    /// The objective's name.
    fn method(self) -> &'static str {
        match self {
            Kind::Segments => "segments",
            Kind::BradleyTerry => "bradley-terry",
        }
    }
}

pub(crate) fn run(args: Args, ranks: &Rc<dyn Ranks>) -> Result<ExitCode> {
    match args.command {
        Command::Train(args) => train(args, ranks),
        Command::Score(args) => score::run(&args, &**ranks),
    }
}

fn train(args: TrainArgs, ranks: &Rc<dyn Ranks>) -> Result<ExitCode> {
    let stop = signals::stop_flag()?;
    let plan = args.run.plan(args.kind.map(Kind::method), None)?;
    ensure!(
        plan.objective.needs().reward_model,
        "`pref reward-model train` trains with the objective segments or bradley-terry, and objective.method is \"{}\"; give --kind segments or --kind bradley-terry",
        plan.objective.method().name()
    );
    args.run.run(plan, &stop, ranks)
}
