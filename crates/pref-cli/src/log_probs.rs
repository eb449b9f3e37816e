//! Log-probs of texts. In: a model, and texts as token ids. Out: the log-prob of each token that counts.

use std::ops::Range;

use anyhow::{Result, ensure};
use burn::tensor::{Int, Tensor, TensorData};
use pref_model::{Decoder, Kernels, response_log_probs};
use pref_train::TrainBackend;

use crate::device::Task;
use crate::input::TextIds;
use crate::model::ModelSource;
use crate::progress::Counter;

/// Texts that are scored between two updates of the progress.
const AT_A_TIME: usize = 64;

/// Log-probs of whole answers under a model.
pub(crate) struct Sums<'a> {
    pub(crate) source: &'a ModelSource,
    pub(crate) texts: &'a [TextIds],
    /// What is counted, for the progress.
    pub(crate) noun: &'static str,
}

impl Task for Sums<'_> {
    /// For each text, the sum of the log-probs of its answer, nats.
    type Output = Vec<f64>;

    fn run<B: TrainBackend>(self, device: &B::Device) -> Result<Vec<f64>> {
        let model = self.source.load::<B::InnerBackend>(&[], device)?;
        let (n_ids, limit) = (
            model.config().vocab_size(),
            model.config().max_position_embeddings(),
        );
        for text in self.texts {
            let highest = text.ids.iter().max().copied().unwrap_or(0);
            ensure!(
                (highest as usize) < n_ids && text.ids.len() <= limit,
                "{}: a text has {} tokens, the highest id is {highest}, and the model has {limit} positions and {n_ids} ids; shorten the text, or use a model with the same tokenizer",
                self.source.folder.display(),
                text.ids.len()
            );
        }
        let mut counter = Counter::new(self.noun);
        let mut sums = Vec::with_capacity(self.texts.len());
        for texts in self.texts.chunks(AT_A_TIME) {
            let texts: Vec<&TextIds> = texts.iter().collect();
            let scores = score(&model, &texts, device);
            let sum = |values: Vec<f32>| values.into_iter().map(f64::from).sum::<f64>();
            sums.extend(scores.into_iter().map(sum));
            counter.add(texts.len());
        }
        Ok(sums)
    }
}

/// The positions in `text.ids` whose log-probs are computed.
pub(crate) fn scored(text: &TextIds) -> Range<usize> {
    let is_prompt_only = text.n_prompt >= text.ids.len();
    let start = if is_prompt_only {
        1
    } else {
        text.n_prompt.max(1)
    };
    start..text.ids.len()
}

/// The log-probs of each text's [`scored`] tokens, in nats. Rows of similar length share a forward pass, of as many
/// tokens as the backend computes fastest.
pub(crate) fn score<B: Kernels>(
    model: &Decoder<B>,
    rows: &[&TextIds],
    device: &B::Device,
) -> Vec<Vec<f32>> {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by_key(|&i| std::cmp::Reverse(rows[i].ids.len()));
    let limit = B::TOKENS_OF_A_PASS.map_or(usize::MAX, |tokens| tokens.end);
    let mut scores = vec![Vec::new(); rows.len()];
    let mut rest = order.as_slice();
    while let Some(&longest) = rest.first() {
        let fitting = (limit / rows[longest].ids.len().max(1)).max(1);
        let (pass, remaining) = rest.split_at(fitting.min(rest.len()));
        let texts: Vec<&TextIds> = pass.iter().map(|&i| rows[i]).collect();
        for (&i, values) in pass.iter().zip(score_together(model, &texts, device)) {
            scores[i] = values;
        }
        rest = remaining;
    }
    scores
}

/// The log-probs of the scored tokens of rows in one forward pass.
fn score_together<B: Kernels>(
    model: &Decoder<B>,
    rows: &[&TextIds],
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
    let responses: Vec<Range<usize>> = rows.iter().map(|row| scored(row)).collect();
    let values = response_log_probs(model, tokens, &responses);
    let [_, width] = values.dims();
    let values: Vec<f32> = values.into_data().iter::<f32>().collect();
    let rows = values.chunks(width.max(1)).zip(&responses);
    rows.map(|(row, response)| row[..response.len()].to_vec())
        .collect()
}
