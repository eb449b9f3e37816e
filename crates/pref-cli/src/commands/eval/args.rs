//! The flags of `pref eval`. In: words of a command line. Out: their values.

use std::path::PathBuf;

use crate::command_line::Words;
use crate::device::DeviceArgs;

/// Evaluate models: problems solved, pass@k, maj@k, reward accuracy, KL to a reference, win rates
///
/// With --data, every model solves the problems, once greedily and --n times by sampling, and the final answers are
/// checked. With --pairs, the implicit rewards of both answers are computed, with --reference or else the first model
/// as reference. With --prompts, a judge compares the greedy answers of every model with those of the first model, or
/// with --baseline. Every share has a 95 % interval, and every model is compared with the first one on the same rows. The
/// answers are in OUTPUT; the same command continues a run that was stopped or killed.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Models: folders in Hugging Face's layout, adapter folders, hub:OWNER/NAME or hub:OWNER/NAME@REVISION. The others are compared with the first
    #[arg(value_name = "MODEL", required = true)]
    pub(super) models: Vec<PathBuf>,
    /// Problems: rows with `prompt` and `answer`
    #[arg(long, value_name = "FILE")]
    pub(super) data: Option<PathBuf>,
    /// Pairs: rows with `prompt`, `chosen` and `rejected`
    #[arg(long, value_name = "FILE")]
    pub(super) pairs: Option<PathBuf>,
    /// Prompts: rows with `prompt`, whose answers the judge compares
    #[arg(long, value_name = "FILE", requires = "judge")]
    pub(super) prompts: Option<PathBuf>,
    /// Judge of the win rates, as in `pref annotate`: a URL, local:FOLDER, model:FOLDER, rules:gsm8k, …
    #[arg(long, value_name = "JUDGE", requires = "prompts")]
    pub(super) judge: Option<String>,
    /// Answers that the win rates are against: rows with `prompt` and `response`, in the order of --prompts; the answers of the first model by default
    #[arg(long, value_name = "FILE", requires = "prompts")]
    pub(super) baseline: Option<PathBuf>,
    /// Flags for `pref annotate compare`, such as '--judge-model NAME --one-order'
    #[arg(
        long,
        value_name = "FLAGS",
        default_value = "",
        allow_hyphen_values = true
    )]
    pub(super) compare: Words,
    /// Folder for the answers and for result.json
    #[arg(long, value_name = "FOLDER")]
    pub(super) output: PathBuf,
    /// Sampled answers to each problem; with 0, the problems are solved greedily only
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub(super) n: u32,
    /// Numbers of samples for pass@k and maj@k; 1, 2, 4, … up to --n by default
    #[arg(long, value_name = "K", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) k: Vec<u32>,
    /// Reference of the rewards and of the KL divergence; the first model by default
    #[arg(long, value_name = "FOLDER")]
    pub(super) reference: Option<PathBuf>,
    /// Factor of the rewards, beta·log(policy/reference)
    #[arg(long, value_name = "X", default_value_t = 0.1)]
    pub(super) beta: f64,
    /// Flags for `pref sample`, in quotes, such as '--max-new-tokens 256 --temperature 0.7'
    #[arg(
        long,
        value_name = "FLAGS",
        default_value = "",
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
    /// Seed of the sampling and of the bootstrap
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) seed: u32,
    /// Print the result as one JSON line
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) device: DeviceArgs,
}

impl Args {
    /// The numbers of samples of pass@k and maj@k.
    pub(super) fn ks(&self) -> Vec<u32> {
        match self.k.is_empty() {
            false => self.k.clone(),
            true => (0..32)
                .map(|power| 1 << power)
                .take_while(|k| *k <= self.n)
                .collect(),
        }
    }
}
