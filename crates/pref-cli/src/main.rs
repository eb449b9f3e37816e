//! The `pref` command. In: arguments and files. Out: results on stdout, messages and progress on
//! stderr, and an exit code.
//!
//! Exit codes: 0 success; 1 an error, or a check that failed; 2 wrong arguments; 130 interrupted.

mod command_line;
mod commands;
mod device;
mod input;
mod json_file;
mod log_probs;
mod model;
mod numbers;
mod outcome;
mod panics;
mod partial;
mod progress;
mod ranks;
mod recipe;
mod report;
mod rows;
mod run_args;
mod sampling;
mod scoring;
mod segmenting;
mod signals;
mod solving;
mod thought;
mod win_rates;

use std::process::ExitCode;
use std::rc::Rc;

use anyhow::Result;
use clap::{CommandFactory, Parser, Subcommand};
use pref_train::Ranks;

use ranks::Use;

/// Every step allocates and frees tensors of megabytes. The system's allocator returns such memory to
/// the kernel each time. To map it again costs a run on a CPU a third of its speed.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The number of mimalloc's option `purge_delay`, for which its Rust bindings have no name.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// Value of `purge_delay` with which freed memory stays with the process, for the next step.
const NEVER: std::ffi::c_long = -1;

/// Printed below the list of commands.
const EXIT_CODES: &str = "\
Results go to stdout, messages and progress to stderr.
Exit codes: 0 success; 1 an error, or a check that failed; 2 wrong arguments; 130 interrupted.";

/// Fine-tune language models on human preferences
#[derive(Parser)]
#[command(name = "pref", version, arg_required_else_help = true, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Train(commands::train::Args),
    Sft(commands::sft::Args),
    RewardModel(commands::reward_model::Args),
    Loss(commands::loss::Args),
    Logprobs(commands::logprobs::Args),
    Generate(commands::generate::Args),
    Check(commands::check::Args),
    Pairs(commands::pairs::Args),
    Sample(commands::sample::Args),
    ScoreTokens(commands::score_tokens::Args),
    Rollouts(commands::rollouts::Args),
    Iterate(commands::iterate::Args),
    Eval(commands::eval::Args),
    WinRate(commands::win_rate::Args),
    Merge(commands::merge::Args),
    Report(commands::report::Args),
    Objectives(commands::objectives::Args),
    Plan(commands::plan::Args),
    Annotate(commands::annotate::Args),
    Diff(commands::diff::Args),
    Segment(commands::segment::Args),
    Inspect(commands::inspect::Args),
    Lint(commands::lint::Args),
    Data(commands::data::Args),
    Doctor(commands::doctor::Args),
    Completions(commands::completions::Args),
    Man(commands::man::Args),
}

fn main() -> ExitCode {
    // SAFETY: no other thread runs yet. The option has the same number in mimalloc 2 and 3, and its
    // value is a duration.
    #[expect(unsafe_code, reason = "mimalloc's options are C functions")]
    unsafe {
        libmimalloc_sys::mi_option_set(PURGE_DELAY, NEVER);
    }
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !pref_data::is_caught_panic(info) {
            default(info);
        }
    }));
    let command = Cli::parse().command;
    let ranks = match ranks::start(command.ranks()) {
        Ok(ranks) => ranks,
        // If another rank ended with a failure, `mpirun` would end rank 0 before it prints the error.
        Err(_) if progress::is_silent() => return ExitCode::SUCCESS,
        Err(error) => {
            progress::error(&error);
            return ExitCode::FAILURE;
        }
    };
    ranks::finish(command.run(&ranks), &*ranks)
}

impl Command {
    /// How the command runs on several processes.
    fn ranks(&self) -> Use {
        match self {
            Command::Train(_) | Command::Sft(_) | Command::Logprobs(_) => Use::Divided,
            Command::RewardModel(_) | Command::ScoreTokens(_) | Command::Sample(_) => Use::Divided,
            Command::Doctor(_) => Use::Each,
            Command::Loss(_)
            | Command::Generate(_)
            | Command::Check(_)
            | Command::Pairs(_)
            | Command::Iterate(_)
            | Command::Rollouts(_)
            | Command::Eval(_)
            | Command::WinRate(_)
            | Command::Merge(_)
            | Command::Report(_)
            | Command::Objectives(_)
            | Command::Plan(_)
            | Command::Annotate(_)
            | Command::Diff(_)
            | Command::Segment(_)
            | Command::Inspect(_)
            | Command::Lint(_)
            | Command::Data(_)
            | Command::Completions(_)
            | Command::Man(_) => Use::Single,
        }
    }

    fn run(self, ranks: &Rc<dyn Ranks>) -> Result<ExitCode> {
        match self {
            Command::Train(args) => commands::train::run(args, ranks),
            Command::Sft(args) => commands::sft::run(args, ranks),
            Command::RewardModel(args) => commands::reward_model::run(args, ranks),
            Command::Loss(args) => commands::loss::run(&args),
            Command::Logprobs(args) => commands::logprobs::run(&args, &**ranks),
            Command::Generate(args) => commands::generate::run(&args),
            Command::Check(args) => commands::check::run(&args),
            Command::Pairs(args) => commands::pairs::run(&args),
            Command::Sample(args) => commands::sample::run(&args, &**ranks),
            Command::ScoreTokens(args) => commands::score_tokens::run(&args, &**ranks),
            Command::Eval(args) => commands::eval::run(&args),
            Command::WinRate(args) => commands::win_rate::run(&args),
            Command::Rollouts(args) => commands::rollouts::run(&args),
            Command::Iterate(args) => commands::iterate::run(&args, ranks),
            Command::Merge(args) => commands::merge::run(&args),
            Command::Report(args) => commands::report::run(&args),
            Command::Objectives(args) => commands::objectives::run(&args),
            Command::Annotate(args) => commands::annotate::run(&args),
            Command::Plan(args) => commands::plan::run(&args),
            Command::Diff(args) => commands::diff::run(&args),
            Command::Segment(args) => commands::segment::run(&args),
            Command::Inspect(args) => commands::inspect::run(&args),
            Command::Lint(args) => commands::lint::run(&args),
            Command::Data(args) => commands::data::run(&args),
            Command::Doctor(args) => commands::doctor::run(&args),
            Command::Completions(args) => commands::completions::run(&args, Cli::command()),
            Command::Man(args) => commands::man::run(&args, Cli::command()),
        }
    }
}
