//! `pref generate`: continues prompts. In: a model, and JSON Lines with prompts. Out: one JSON line
//! for each prompt, with the new tokens and their text.

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, Result};
use pref_data::Tokenizer;
use pref_model::{GenerateOptions, generate};
use pref_train::TrainBackend;
use serde_json::json;

use crate::device::{DeviceArgs, Task};
use crate::input::{InputArgs, Purpose, read_rows, shown};
use crate::model::ModelSource;
use crate::progress::Counter;

/// Continue prompts with a model
///
/// A prompt is a text, or a list of messages, which the model's chat template turns into a text.
/// Prints `line` (the prompt's line in the file), `output_ids` (the new tokens) and, if the model has
/// a tokenizer, `text`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    input: InputArgs,
    /// Most tokens to add to a prompt
    #[arg(long, default_value_t = 128, value_name = "N")]
    max_new_tokens: usize,
    /// Temperature of the sampling; 0 always takes the most probable token
    #[arg(long, default_value_t = 0.0, value_name = "T")]
    temperature: f64,
    /// Sample only from the most probable tokens that together have this probability
    #[arg(long, default_value_t = 1.0, value_name = "P")]
    top_p: f64,
    /// Sample only from this many of the most probable tokens; 0 means all
    #[arg(long, default_value_t = 0, value_name = "K")]
    top_k: usize,
    /// Seed of the sampling; the n-th prompt, counted from 0, uses SEED + n
    #[arg(long, default_value_t = 0, value_name = "SEED")]
    seed: u64,
    /// Continue after the end-of-sequence token
    #[arg(long)]
    ignore_eos: bool,
    #[command(flatten)]
    device: DeviceArgs,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    args.device.device.run(Continue { args })
}

struct Continue<'a> {
    args: &'a Args,
}

impl Task for Continue<'_> {
    type Output = ExitCode;

    fn run<B: TrainBackend>(self, device: &B::Device) -> Result<ExitCode> {
        let Args {
            input,
            max_new_tokens,
            temperature,
            top_p,
            top_k,
            seed,
            ignore_eos,
            ..
        } = self.args;
        let source = ModelSource::new(&input.model, input.adapter.as_deref())?;
        let model = source.load::<B::InnerBackend>(&input.ignore_config, device)?;
        // An adapter would be computed for every token. The merged model computes the same, and is faster.
        let model = model.merge_lora();
        let folder = source.folder;
        let n_ids = model.config().vocab_size();
        let rows = read_rows(&input.input, &folder, n_ids, Purpose::Continue)?;
        let has_tokenizer = folder.join("tokenizer.json").is_file();
        let tokenizer = has_tokenizer
            .then(|| Tokenizer::from_folder(&folder))
            .transpose()?;
        let mut stop_ids = model.config().eos_token_ids().to_vec();
        if let Some(eos) = tokenizer.as_ref().and_then(Tokenizer::eos_id) {
            stop_ids.push(eos);
        }
        if *ignore_eos {
            stop_ids.clear();
        }
        let mut stdout = std::io::stdout().lock();
        let mut counter = Counter::new("rows");
        for (n, row) in rows.iter().enumerate() {
            let options = GenerateOptions {
                max_new_tokens: *max_new_tokens,
                temperature: *temperature,
                top_p: *top_p,
                top_k: *top_k,
                seed: seed.wrapping_add(n as u64),
                stop_ids: stop_ids.clone(),
            };
            let prompt = row.texts.first().expect("every row has at least one text");
            let output = generate(&model, &prompt.ids, &options)
                .with_context(|| format!("{}:{}", shown(&input.input), row.line))?;
            let mut line = json!({"line": row.line, "output_ids": output});
            if let Some(tokenizer) = &tokenizer {
                line["text"] = json!(tokenizer.decode(&output, true)?);
            }
            writeln!(stdout, "{line}")?;
            counter.add(1);
        }
        Ok(ExitCode::SUCCESS)
    }
}
