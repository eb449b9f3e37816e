//! The flags of `pref iterate`. In: words of a command line. Out: their values.

use std::path::PathBuf;

use crate::command_line::Words;
use crate::device::DeviceArgs;

/// Improve a model in rounds: sample answers, check or judge them, make pairs, train
///
/// Each round uses the model of the round before, which is also the reference of its training. A round runs
/// `pref sample`, `pref check` and `pref pairs` (with --judge: `pref annotate rank`), and `pref train`. Everything is in
/// OUTPUT/round-N. A run that was stopped or killed goes on with the same command; more --rounds continue a run that
/// has ended. With --eval, each model solves the problems of a file, greedily, before the first round and after each.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Rows with `prompt` and, without --judge, `answer`: a file, a folder, a pattern, or hub:OWNER/NAME
    #[arg(value_name = "DATA")]
    pub(super) data: PathBuf,
    /// Model to start from: a folder in Hugging Face's layout, hub:OWNER/NAME or hub:OWNER/NAME@REVISION
    #[arg(long, value_name = "FOLDER")]
    pub(super) model: PathBuf,
    /// Folder for everything that the run writes
    #[arg(long, value_name = "FOLDER")]
    pub(super) output: PathBuf,
    /// Number of rounds
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) rounds: u32,
    /// Rows with `prompt` and `answer` that every model solves, to compare the rounds
    #[arg(long, value_name = "FILE")]
    pub(super) eval: Option<PathBuf>,
    /// Judge of the answers, as in `pref annotate`: a URL, rules:gsm8k, … Without it the final answers are checked
    #[arg(long, value_name = "JUDGE")]
    pub(super) judge: Option<String>,
    /// Flags for `pref sample`, in quotes, such as '--n 8 --max-new-tokens 256'; those of the evaluation as well
    #[arg(
        long,
        value_name = "FLAGS",
        default_value = "--n 8",
        allow_hyphen_values = true
    )]
    pub(super) sample: Words,
    /// Flags for `pref check`, such as '--answers gsm8k'
    #[arg(
        long,
        value_name = "FLAGS",
        default_value = "",
        allow_hyphen_values = true
    )]
    pub(super) check: Words,
    /// Flags for `pref pairs`, such as '--choose nearest --per-prompt 2'
    #[arg(
        long,
        value_name = "FLAGS",
        default_value = "",
        allow_hyphen_values = true
    )]
    pub(super) pairs: Words,
    /// Flags for `pref annotate rank`, such as '--judge-model NAME --set work.by=rating'
    #[arg(
        long,
        value_name = "FLAGS",
        default_value = "",
        allow_hyphen_values = true
    )]
    pub(super) rank: Words,
    /// Flags for `pref train`, such as '--objective adpo --set train.epochs=1'; dpo with an SFT term of 1 by default
    #[arg(
        long,
        value_name = "FLAGS",
        default_value = "--objective dpo --set objective.sft-coefficient=1",
        allow_hyphen_values = true
    )]
    pub(super) train: Words,
    /// Seed of the sampling, the pairing and the training; round N adds N
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) seed: u32,
    /// Print the result as one JSON line
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) device: DeviceArgs,
}
