//! The flags of `pref sample`. In: words of a command line. Out: their values.

use std::path::PathBuf;

use clap::ValueEnum;
use pref_data::TemplateKwargs;
use serde::{Deserialize, Serialize};

use crate::device::DeviceArgs;
use crate::rows::{RowArgs, parse_template_kwargs};
use crate::sampling::SamplingArgs;

/// Draw several answers to each prompt
///
/// A row has a `prompt` (a text, or messages, which the model's chat template turns into a text), or
/// `messages`. The output has a row for each answer: the fields of the input row, and `response`, `sample`
/// (from 0), `finish_reason` (stop or length) and `n_tokens`. The rows are in OUTPUT.part until all are
/// there; the same command continues a run that was stopped or killed, and the file ends with the same
/// bytes. An answer depends on the seed, its row and its sample, and not on the batch size. With --server, a
/// model behind a chat server answers, and every reply is in the store before anything else is done with it.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Rows with prompts: a file (JSON Lines, JSON, CSV, Parquet, Arrow), a folder, a pattern, hub:OWNER/NAME, or - for stdin
    #[arg(value_name = "DATA")]
    pub(super) data: PathBuf,
    /// Model: a folder in Hugging Face's layout, hub:OWNER/NAME or hub:OWNER/NAME@REVISION
    #[arg(long, value_name = "FOLDER")]
    pub(super) model: Option<PathBuf>,
    /// Adapter of the model: a folder that PEFT or `pref train` wrote
    #[arg(long, value_name = "FOLDER")]
    pub(super) adapter: Option<PathBuf>,
    /// Output file, JSON Lines
    #[arg(long, value_name = "FILE")]
    pub(super) output: PathBuf,
    /// Answers to each prompt
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) n: u32,
    /// Temperature of the sampling
    #[arg(
        long,
        default_value_t = 1.0,
        value_name = "T",
        conflicts_with = "greedy"
    )]
    pub(super) temperature: f64,
    /// Always take the most probable token
    #[arg(long)]
    pub(super) greedy: bool,
    /// off puts <think></think> after the prompt, so that the model answers without thinking; both draws answers with and without it. The rows then have the field `thinking`
    #[arg(long, value_name = "WHICH", value_enum)]
    pub(super) thinking: Option<Thinking>,
    /// Texts that are continued together: a number, or auto. Answers do not depend on it
    #[arg(long, default_value = "auto", value_name = "N", value_parser = parse_batch_size)]
    pub(super) batch_size: BatchSize,
    #[command(flatten)]
    pub(super) sampling: SamplingArgs,
    /// Settings for the chat template as a JSON object, such as '{"enable_thinking": false}'; those of a row count more
    #[arg(long, value_name = "JSON", value_parser = parse_template_kwargs)]
    pub(super) chat_template_kwargs: Option<TemplateKwargs>,
    /// A key of config.json to ignore, if Pref does not know it and it does not change the model; may be repeated
    #[arg(long, value_name = "KEY")]
    pub(super) ignore_config: Vec<String>,
    /// Print a summary as one JSON line
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) rows: RowArgs,
    #[command(flatten)]
    pub(super) device: DeviceArgs,
    #[command(flatten)]
    pub(super) server: ServerArgs,
}

/// The server that answers in place of a decoder.
#[derive(clap::Args)]
#[command(next_help_heading = "From a server")]
pub(super) struct ServerArgs {
    /// URL of an OpenAI-compatible chat server (http://localhost:8000/v1), in place of --model. The key comes from PREF_API_KEY or OPENAI_API_KEY
    #[arg(
        long,
        value_name = "URL",
        conflicts_with_all = ["model", "adapter", "thinking", "batch_size", "ignore_eos", "ignore_config", "device"]
    )]
    pub(super) server: Option<String>,
    /// Model of the server; may be left out if it has only one
    #[arg(long, value_name = "NAME")]
    pub(super) server_model: Option<String>,
    /// The store of questions and replies; annotations.sqlite beside the output by default
    #[arg(long, value_name = "FILE")]
    pub(super) store: Option<PathBuf>,
    /// Settings: a TOML file as for `pref annotate`, with the sections judge, concurrency, rate, retry, budget and price
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// One of these settings, such as budget.requests=1000 or judge.server=vllm; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub(super) set: Vec<String>,
    /// Show the number of questions and their expected cost, and stop
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Send the questions through the batch interface of the server, which answers later and often for less
    #[arg(long)]
    pub(super) batch: bool,
}

impl Args {
    /// The same with one answer to each prompt, of the most probable tokens.
    pub(crate) fn once_and_greedy(self) -> Self {
        Self {
            n: 1,
            greedy: true,
            ..self
        }
    }
}

impl ServerArgs {
    /// The name of a flag that is given and has no effect without `--server`.
    pub(super) fn without_server(&self) -> Option<&'static str> {
        [
            ("server-model", self.server_model.is_some()),
            ("store", self.store.is_some()),
            ("config", self.config.is_some()),
            ("set", !self.set.is_empty()),
            ("dry-run", self.dry_run),
            ("batch", self.batch),
        ]
        .into_iter()
        .find_map(|(name, is_given)| (is_given && self.server.is_none()).then_some(name))
    }
}

/// Which prompts are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Thinking {
    /// The prompt as the template gives it
    On,
    /// The prompt with an empty thought after it
    Off,
    /// Both, each with all samples
    Both,
}

/// How many texts are continued together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BatchSize {
    Auto,
    Texts(usize),
}

fn parse_batch_size(text: &str) -> Result<BatchSize, String> {
    match (text, text.parse()) {
        ("auto", _) => Ok(BatchSize::Auto),
        (_, Ok(n)) if n > 0 => Ok(BatchSize::Texts(n)),
        _ => Err("expected auto or a number above 0".to_owned()),
    }
}

/// Whether an answer's prompt ended with an empty thought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) enum Thought {
    On,
    Off,
}

impl Thought {
    pub(super) fn name(self) -> &'static str {
        match self {
            Thought::On => "on",
            Thought::Off => "off",
        }
    }
}
