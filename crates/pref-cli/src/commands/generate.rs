//! `pref generate`: continues prompts. In: a model, and JSON Lines with prompts. Out: one JSON line
//! for each prompt, with the new tokens and their text.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, Result};
use pref_data::Tokenizer;
use pref_model::{Prompt, Sampler};
use pref_train::TrainBackend;
use serde_json::json;

use crate::device::{DeviceArgs, Task};
use crate::input::{InputArgs, Purpose, read_rows, shown};
use crate::model::ModelSource;
use crate::progress::Counter;
use crate::sampling::{MOST_TEXTS, SamplingArgs, text_of};

/// Continue prompts with a model
///
/// A prompt is a text, or a list of messages, which the model's chat template turns into a text.
/// Prints `line` (the prompt's line in the file), `output_ids` (the new tokens) and, if the model has
/// a tokenizer, `text`. For several answers to each prompt, and for long runs, see `pref sample`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    input: InputArgs,
    /// Temperature of the sampling; 0 always takes the most probable token
    #[arg(long, default_value_t = 0.0, value_name = "T")]
    temperature: f64,
    #[command(flatten)]
    sampling: SamplingArgs,
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
            temperature,
            sampling,
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
        let options = sampling.options::<B>(*temperature, &model, tokenizer.as_ref());
        let text = |ids: &[u32]| match &tokenizer {
            Some(tokenizer) => Ok(tokenizer.decode(ids, true)?),
            None => Err("the model has no tokenizer.json".into()),
        };
        let mut sampler = Sampler::with_text(&model, options.clone(), MOST_TEXTS, &text)?;
        let mut stdout = std::io::stdout().lock();
        let mut counter = Counter::new("rows");
        let mut left = rows.iter().enumerate();
        // Answers that wait for those of the rows before them.
        let mut finished = BTreeMap::new();
        let mut n_written = 0;
        while n_written < rows.len() {
            while sampler.has_room() {
                let Some((n, row)) = left.next() else { break };
                let prompt = row.texts.first().expect("every row has at least one text");
                let added = sampler.add(Prompt {
                    row: n as u64,
                    ids: prompt.ids.clone(),
                    samples: vec![0],
                });
                added.with_context(|| format!("{}:{}", shown(&input.input), row.line))?;
            }
            let answers = sampler.step()?;
            finished.extend(answers.into_iter().map(|answer| (answer.row, answer)));
            while let Some(answer) = finished.remove(&(n_written as u64)) {
                let row = &rows[n_written];
                let mut line = json!({"line": row.line, "output_ids": answer.ids});
                if let Some(tokenizer) = &tokenizer {
                    line["text"] = json!(text_of(&answer.ids, tokenizer, &options)?);
                }
                writeln!(stdout, "{line}")?;
                n_written += 1;
                counter.set_tokens(sampler.counts().new_tokens);
                counter.add(1);
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
