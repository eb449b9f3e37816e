//! `pref logprobs`: scores texts. In: JSON Lines. Out: one JSON line a row, with the log-prob of
//! every token after the first, or of every token of the response.

use std::io::Write;
use std::ops::Range;
use std::process::ExitCode;

use anyhow::{Result, ensure};
use burn::tensor::backend::AutodiffBackend;
use burn::tensor::{Int, Tensor, TensorData};
use pref_model::{Decoder, response_log_probs};
use serde_json::json;

use crate::device::{DeviceArgs, Task};
use crate::input::{InputArgs, Row, read_rows, shown};

/// Log-probs of texts under a model
///
/// A row of `input_ids` or `text` is scored from its second token on; a row of `prompt` and
/// `response` on the response. Prints `line`, `n_prompt`, `input_ids`, `log_probs` (nats) and
/// `sum`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    input: InputArgs,
    /// Rows in one forward pass
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    batch_size: u16,
    #[command(flatten)]
    device: DeviceArgs,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    args.device.device.run(Score { args })
}

struct Score<'a> {
    args: &'a Args,
}

impl Task for Score<'_> {
    type Output = ExitCode;

    fn run<B: AutodiffBackend>(self, device: &B::Device) -> Result<ExitCode> {
        let input = &self.args.input;
        let model = Decoder::<B::InnerBackend>::load(&input.model, device)?;
        let rows = read_rows(input, model.config().vocab_size())?;
        for row in &rows {
            let scored = scored(row);
            ensure!(
                !scored.is_empty(),
                "{}:{}: nothing to score: {} tokens, of which {} are the prompt; a token needs one before it",
                shown(&input.input),
                row.line,
                row.ids.len(),
                row.n_prompt
            );
        }
        let mut stdout = std::io::stdout().lock();
        for rows in rows.chunks(usize::from(self.args.batch_size)) {
            for (row, values) in rows.iter().zip(score(&model, rows, device)) {
                let sum: f64 = values.iter().map(|&v| f64::from(v)).sum();
                let line = json!({
                    "line": row.line,
                    "n_prompt": scored(row).start,
                    "input_ids": row.ids,
                    "log_probs": values,
                    "sum": sum,
                });
                writeln!(stdout, "{line}")?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The tokens of a row that are scored.
fn scored(row: &Row) -> Range<usize> {
    let is_prompt_only = row.n_prompt >= row.ids.len();
    let start = if is_prompt_only {
        1
    } else {
        row.n_prompt.max(1)
    };
    start..row.ids.len()
}

fn score<B: burn::tensor::backend::Backend>(
    model: &Decoder<B>,
    rows: &[Row],
    device: &B::Device,
) -> Vec<Vec<f32>> {
    let width = rows.iter().map(|row| row.ids.len()).max().unwrap_or(0);
    let padded = rows.iter().flat_map(|row| {
        let padding = std::iter::repeat_n(0, width - row.ids.len());
        row.ids.iter().map(|&id| id as i32).chain(padding)
    });
    let tokens: Tensor<B, 2, Int> = Tensor::from_data(
        TensorData::new(padded.collect::<Vec<i32>>(), [rows.len(), width]),
        device,
    );
    let responses: Vec<Range<usize>> = rows.iter().map(scored).collect();
    let values = response_log_probs(model, tokens, &responses);
    let [_, width] = values.dims();
    let values: Vec<f32> = values.into_data().iter::<f32>().collect();
    let rows = values.chunks(width.max(1)).zip(&responses);
    rows.map(|(row, response)| row[..response.len()].to_vec())
        .collect()
}
