//! `pref logprobs`: computes log-probs of texts. In: a model, and JSON Lines with texts. Out: one
//! JSON line for each row, with the log-prob of each token.

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Result, ensure};
use pref_model::{Decoder, Kernels};
use pref_train::{Ranks, TrainBackend};
use serde_json::{Value, json};

use crate::device::{DeviceArgs, Task};
use crate::input::{InputArgs, Purpose, Row, TextIds, parse_rows, read_text, shown};
use crate::log_probs::{score, scored};
use crate::model::ModelSource;
use crate::progress::Counter;

/// Compute the log-prob of each token of a text under a model
///
/// Which tokens count depends on the row. `input_ids` or `text`: all but the first token. `prompt`
/// with `response`: the response. `prompt` with `chosen` and `rejected`: both answers, each with the
/// end-of-sequence token that training adds. A prompt may be a list of messages, which the model's
/// chat template turns into a text. Prints `line`, `n_prompt`, `input_ids`, `log_probs` (nats) and
/// `sum`; for a pair, these are printed under `chosen` and `rejected`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    input: InputArgs,
    /// Rows computed together in one forward pass
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    batch_size: u16,
    #[command(flatten)]
    device: DeviceArgs,
}

pub(crate) fn run(args: &Args, ranks: &dyn Ranks) -> Result<ExitCode> {
    args.device.device.run(Score { args, ranks })
}

struct Score<'a> {
    args: &'a Args,
    ranks: &'a dyn Ranks,
}

impl Task for Score<'_> {
    type Output = ExitCode;

    fn run<B: TrainBackend>(self, device: &B::Device) -> Result<ExitCode> {
        let input = &self.args.input;
        let source = ModelSource::new(&input.model, input.adapter.as_deref())?;
        let model = source.load::<B::InnerBackend>(&input.ignore_config, device)?;
        let folder = source.folder;
        let n_ids = model.config().vocab_size();
        // `mpirun` gives stdin to rank 0 only.
        let text = self.ranks.of_first(|| read_text(&input.input))?;
        let rows = parse_rows(&text, &input.input, &folder, n_ids, Purpose::Score)?;
        for row in &rows {
            for text in &row.texts {
                ensure!(
                    !scored(text).is_empty(),
                    "{}:{}: no token has a log-prob: the row has {} tokens, {} of them in the prompt, and the first token of a text has none; give a longer text",
                    shown(&input.input),
                    row.line,
                    text.ids.len(),
                    text.n_prompt
                );
            }
        }
        let mut stdout = std::io::stdout().lock();
        let mut counter = Counter::new("rows");
        let n = usize::from(self.args.batch_size);
        // Each rank computes a batch, and rank 0 prints all.
        for round in rows.chunks(n * self.ranks.size()) {
            let own = round.chunks(n).nth(self.ranks.rank()).unwrap_or_default();
            for line in self.ranks.share(lines(&model, own, device))?.concat() {
                if self.ranks.is_first() {
                    writeln!(stdout, "{line}")?;
                }
            }
            counter.add(round.len());
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The line of each row with its log-probs.
fn lines<B: Kernels>(model: &Decoder<B>, rows: &[Row], device: &B::Device) -> Vec<String> {
    let texts: Vec<&TextIds> = rows.iter().flat_map(|row| &row.texts).collect();
    let mut scores = score(model, &texts, device).into_iter();
    let line = |row: &Row| {
        let mut line = json!({"line": row.line});
        for (text, values) in row.texts.iter().zip(&mut scores) {
            let sum: f64 = values.iter().map(|&v| f64::from(v)).sum();
            let entry = json!({
                "n_prompt": scored(text).start,
                "input_ids": text.ids,
                "log_probs": values,
                "sum": sum,
            });
            match text.side {
                Some(side) => line[side] = entry,
                None => extend(&mut line, entry),
            }
        }
        line.to_string()
    };
    rows.iter().map(line).collect()
}

/// Adds the fields of one object to another.
fn extend(line: &mut Value, entry: Value) {
    if let (Value::Object(line), Value::Object(entry)) = (line, entry) {
        line.extend(entry);
    }
}
