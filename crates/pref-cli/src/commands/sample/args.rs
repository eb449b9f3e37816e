//! The flags of `pref sample`. In: words of a command line. Out: their values.

use std::path::PathBuf;

use clap::ValueEnum;
use pref_data::TemplateKwargs;

use crate::device::DeviceArgs;
use crate::rows::{RowArgs, parse_template_kwargs};
use crate::sampling::SamplingArgs;

/// Draw several answers to each prompt
///
/// A row has a `prompt` (a text, or messages, which the model's chat template turns into a text), or
/// `messages`. The output has a row for each answer: the fields of the input row, and `response`, `sample`
/// (from 0), `finish_reason` (stop or length) and `n_tokens`. The rows are in OUTPUT.part until all are
/// there; the same command continues a run that was stopped or killed, and the file ends with the same
/// bytes. An answer depends on the seed, its row and its sample, and not on the batch size.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Rows with prompts: a file (JSON Lines, JSON, CSV, Parquet, Arrow), a folder, a pattern, hub:OWNER/NAME, or - for stdin
    #[arg(value_name = "DATA")]
    pub(super) data: PathBuf,
    /// Model: a folder in Hugging Face's layout, hub:OWNER/NAME or hub:OWNER/NAME@REVISION
    #[arg(long, value_name = "FOLDER")]
    pub(super) model: PathBuf,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
