//! `pref annotate`: asks judges about answers. In: rows, a judge, a store. Out: rows with scores, rewrites, ranks, parts
//! or weights, which training reads.

mod ask;
mod bar;
mod form;
mod inspect;
mod judge;
mod local;
mod output;
mod retry;
mod reward;

use std::process::ExitCode;

pub(crate) use ask::{ask_open, runtime, store_path, unfinished};
pub(crate) use judge::AnyJudge;
pub(crate) use output::write;

use anyhow::Result;
use clap::Subcommand;

/// Ask a judge for scores, rewrites, rankings, labelled parts or weights of answers
///
/// A judge is a model behind an OpenAI-compatible chat server, or a program. Every question and reply is kept in a
/// store, so a command that was stopped or killed continues where it was, and nothing is asked twice.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Score every sentence in five aspects; the rows are for 2d-dpo
    Scores(ask::Args),
    /// Rewrite the rejected answer into one that is as good as the chosen one (BMC)
    Bridge(ask::Args),
    /// Find the best and the worst of several answers to each prompt
    Rank(ask::Args),
    /// Say which answer of a pair is better; the rows get `preference`, from 0 to 1
    Compare(ask::Args),
    /// Label the parts of answers; the rows are for hipo
    Parts(ask::Args),
    /// Weigh the tokens of answers; the rows are for token weights of the kind given
    Weights(ask::Args),
    Status(inspect::StatusArgs),
    Retry(retry::Args),
    Export(inspect::ExportArgs),
    Agreement(inspect::AgreementArgs),
    Gc(inspect::GcArgs),
    Template(inspect::TemplateArgs),
}

/// The flags of `pref annotate compare`.
pub(crate) use ask::Args as CompareArgs;

/// Runs `pref annotate compare`.
pub(crate) fn compare(args: &CompareArgs) -> Result<ExitCode> {
    ask::run(ask::Kind::Compare, args)
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    match &args.command {
        Command::Scores(args) => ask::run(ask::Kind::Scores, args),
        Command::Bridge(args) => ask::run(ask::Kind::Bridge, args),
        Command::Rank(args) => ask::run(ask::Kind::Rank, args),
        Command::Compare(args) => compare(args),
        Command::Parts(args) => ask::run(ask::Kind::Parts, args),
        Command::Weights(args) => ask::run(ask::Kind::Weights, args),
        Command::Status(args) => inspect::status(args),
        Command::Retry(args) => retry::run(args),
        Command::Export(args) => inspect::export(args),
        Command::Agreement(args) => inspect::agreement(args),
        Command::Gc(args) => inspect::gc(args),
        Command::Template(args) => inspect::template(args),
    }
}
