//! Scores of answers by a reward model. In: a model's folder, and answers. Out: a score for each answer, or five for each
//! segment.

use std::ops::Range;
use std::path::Path;

use anyhow::{Context, Result, bail};
use burn::tensor::{Tensor, TensorData};
use pref_data::{
    ASPECTS, BatchLayout, Example, TokenExample, TokenizeOptions, Tokenizer, tokenize_examples,
};
use pref_model::{Kernels, Policy, RewardModel, hidden_at};

/// What a model scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Whole answers.
    Answers,
    /// Segments in every aspect.
    Segments,
}

impl Kind {
    fn of<B: Kernels>(model: &RewardModel<B>, folder: &Path) -> Result<Self> {
        match model.labels().len() {
            1 => Ok(Kind::Answers),
            ASPECTS => Ok(Kind::Segments),
            n => bail!(
                "{}: the model gives {n} scores; expected 1, for whole answers, or {ASPECTS}, for segments in as many aspects",
                folder.display()
            ),
        }
    }
}

/// A reward model with everything that turns answers into its input.
pub(crate) struct AnswerScorer<B: Kernels> {
    pub(crate) kind: Kind,
    pub(crate) tokenizer: Tokenizer,
    options: TokenizeOptions,
    /// A text's score is read at its last token with another id.
    pad_id: Option<u32>,
    model: RewardModel<B>,
    device: B::Device,
}

impl<B: Kernels> AnswerScorer<B> {
    /// Loads the model of a folder.
    pub(crate) fn load(
        folder: &Path,
        ignored: &[String],
        options: TokenizeOptions,
        device: &B::Device,
    ) -> Result<Self> {
        let tokenizer = Tokenizer::from_folder(folder)?;
        let model = RewardModel::<B>::load(folder, ignored, device)
            .with_context(|| format!("{} is no reward model", folder.display()))?;
        Ok(Self {
            kind: Kind::of(&model, folder)?,
            options: TokenizeOptions {
                embedding_rows: Some(model.vocab_size()),
                unscored_segments: true,
                ..options
            },
            pad_id: model.pad_id().or(tokenizer.pad_id()).or(tokenizer.eos_id()),
            tokenizer,
            model,
            device: device.clone(),
        })
    }

    /// The scores of each answer: one row for the whole answer, or one for each segment.
    pub(crate) fn scores(&self, answers: &[Example]) -> Result<Vec<Vec<Vec<f64>>>> {
        let tokens = tokenize_examples(answers, &self.tokenizer, &self.options)?.rows;
        self.forward(&tokens)
    }

    fn forward(&self, answers: &[TokenExample]) -> Result<Vec<Vec<Vec<f64>>>> {
        let ids: Vec<[&[u32]; 2]> = answers
            .iter()
            .map(|a| [&a.prompt[..], &a.completion])
            .collect();
        let layout = BatchLayout {
            pad_id: self.pad_id.unwrap_or(0),
            ..BatchLayout::default()
        };
        let batch = layout.of_one_answer(&ids);
        let limit = self.model.max_positions();
        if let Some(long) = answers
            .iter()
            .find(|a| a.prompt.len() + a.completion.len() > limit)
        {
            bail!(
                "{}: prompt and answer have {} tokens, and the model has {limit} positions; shorten them",
                long.place,
                long.prompt.len() + long.completion.len()
            );
        }
        let mut places = Vec::new();
        let mut counts = Vec::new();
        for (row, answer) in answers.iter().enumerate() {
            let start = answer.prompt.len();
            let before = places.len();
            match self.kind {
                Kind::Answers => {
                    let all = [&answer.prompt[..], &answer.completion].concat();
                    let is_text = |&t: &usize| Some(all[t]) != self.pad_id;
                    let last = (0..all.len()).rev().find(is_text);
                    places.push((row, last.unwrap_or(0)));
                }
                Kind::Segments => {
                    let segments = answer.features.iter().flat_map(|f| &f.segments);
                    let last = |range: &Range<usize>| (row, start + range.end.max(1) - 1);
                    places.extend(segments.map(last));
                }
            }
            counts.push(places.len() - before);
        }
        if places.is_empty() {
            return Ok(vec![Vec::new(); answers.len()]);
        }
        let tokens: Vec<i32> = batch.tokens.iter().map(|&id| id as i32).collect();
        let tokens = TensorData::new(tokens, [batch.rows, batch.width]);
        let tokens = Tensor::from_data(tokens, &self.device);
        let scores = self
            .model
            .logits(hidden_at(&self.model, tokens, &[], &places));
        let [_, n_labels] = scores.dims();
        let scores: Vec<f64> = scores.into_data().iter::<f64>().collect();
        if let Some(bad) = scores.iter().position(|score| !score.is_finite()) {
            let (row, _) = places[bad / n_labels];
            bail!(
                "{}: the score is not finite; check the model's weights",
                answers[row].place
            );
        }
        let mut rows = scores
            .chunks(n_labels)
            .map(|row| row.iter().map(|&s| rounded(s)).collect());
        let of_answer = |n: usize| rows.by_ref().take(n).collect();
        Ok(counts.into_iter().map(of_answer).collect())
    }
}

/// A score with six decimals, which is about the precision of float32.
fn rounded(score: f64) -> f64 {
    (score * 1e6).round() / 1e6
}
