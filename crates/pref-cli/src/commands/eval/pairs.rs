//! Rewards of pairs, and the KL divergence from the reference. In: a model, a reference, and rows. Out: a value for each
//! row. The values are kept in files, because they take one pass of both models.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use pref_data::{
    Example, ReadOptions, Shape, TokenizeOptions, Tokenizer, read_with, tokenize, tokenize_examples,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::args::Args;
use super::files::write;
use crate::input::TextIds;
use crate::log_probs::Sums;
use crate::model::ModelSource;

/// A model and its reference.
pub(super) struct Pairs<'a> {
    pub(super) args: &'a Args,
    pub(super) folder: &'a Path,
    pub(super) source: &'a ModelSource,
    pub(super) reference: &'a ModelSource,
}

/// What is known of a pair.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Margin {
    /// `log(policy/reference)` of the chosen answer, nats.
    pub(super) chosen: f64,
    /// The same of the rejected answer.
    pub(super) rejected: f64,
    /// Log-probs under the policy.
    pub(super) chosen_logp: f64,
    pub(super) rejected_logp: f64,
}

/// The log-ratios of the samples of each problem, as an estimate of the KL divergence.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Divergence {
    /// For each problem the mean over its samples of `log(policy/reference)`, nats.
    pub(super) by_problem: Vec<f64>,
}

impl Pairs<'_> {
    /// The log-ratios of both answers of each pair.
    pub(super) fn margins(&self, data: &Path) -> Result<Vec<Margin>> {
        let path = self.folder.join("pairs.json");
        if let Some(found) = stored(&path)? {
            return Ok(found);
        }
        let pairs = read_with(data, &ReadOptions::default())?.rows;
        ensure!(!pairs.is_empty(), "{} has no pairs", data.display());
        let tokens = |source: &ModelSource| -> Result<Vec<TextIds>> {
            let tokenizer = Tokenizer::from_folder(&source.folder)?;
            let rows = tokenize(&pairs, &tokenizer, &TokenizeOptions::default())?.rows;
            let both = |row: &pref_data::TokenPair| {
                [&row.chosen, &row.rejected].map(|answer| text(&row.prompt, answer))
            };
            Ok(rows.iter().flat_map(both).collect())
        };
        let [policy, reference] = self.sums(&tokens, "answers")?;
        let margins: Vec<Margin> = policy
            .chunks(2)
            .zip(reference.chunks(2))
            .map(|(policy, reference)| Margin {
                chosen: policy[0] - reference[0],
                rejected: policy[1] - reference[1],
                chosen_logp: policy[0],
                rejected_logp: policy[1],
            })
            .collect();
        write(&path, &json!(margins))?;
        Ok(margins)
    }

    /// The log-ratios of the sampled answers. None if no samples were drawn from the model's own distribution.
    pub(super) fn divergence(&self) -> Result<Option<Divergence>> {
        let samples = self.folder.join("samples.jsonl");
        let is_own = self.args.sample.is_plain();
        if self.args.n == 0 || !is_own || !samples.exists() {
            return Ok(None);
        }
        let path = self.folder.join("divergence.json");
        if let Some(found) = stored(&path)? {
            return Ok(Some(found));
        }
        let options = ReadOptions {
            shape: Some(Shape::PromptCompletion),
            columns: [("completion".to_owned(), "response".to_owned())].into(),
            skip_bad_rows: false,
        };
        let mut answers: Vec<Example> = Vec::new();
        pref_data::Reader::open(&[&samples], &options)?
            .each_example(|rows| {
                answers.extend(rows);
                anyhow::Ok(())
            })
            .with_context(|| samples.display().to_string())?;
        let tokens = |source: &ModelSource| -> Result<Vec<TextIds>> {
            let tokenizer = Tokenizer::from_folder(&source.folder)?;
            let rows = tokenize_examples(&answers, &tokenizer, &TokenizeOptions::default())?.rows;
            let one = |(row, answer): (&pref_data::TokenExample, &Example)| {
                // An answer that was cut has no end token.
                let is_cut = answer.more.get("finish_reason") == Some(&Value::from("length"));
                let n = row.completion.len() - usize::from(is_cut && row.completion.len() > 1);
                text(&row.prompt, &row.completion[..n])
            };
            Ok(rows.iter().zip(&answers).map(one).collect())
        };
        let [policy, reference] = self.sums(&tokens, "samples")?;
        let ratios: Vec<f64> = policy.iter().zip(&reference).map(|(p, r)| p - r).collect();
        let mean = |ratios: &[f64]| ratios.iter().sum::<f64>() / ratios.len() as f64;
        let found = Divergence {
            by_problem: ratios.chunks(self.args.n as usize).map(mean).collect(),
        };
        write(&path, &json!(found))?;
        Ok(Some(found))
    }

    /// The log-probs of texts under the model and under the reference.
    fn sums(
        &self,
        tokens: &dyn Fn(&ModelSource) -> Result<Vec<TextIds>>,
        noun: &'static str,
    ) -> Result<[Vec<f64>; 2]> {
        let texts = tokens(self.source)?;
        if self.source.folder != self.reference.folder {
            ensure!(
                texts == tokens(self.reference)?,
                "the tokenizers of {} and {} give different tokens, so their log-probs cannot be compared; name another --reference",
                self.source.folder.display(),
                self.reference.folder.display()
            );
        }
        let sums = |source: &ModelSource| {
            self.args.device.device.run(Sums {
                source,
                texts: &texts,
                noun,
            })
        };
        Ok([sums(self.source)?, sums(self.reference)?])
    }
}

/// The values of an earlier start.
fn stored<T: for<'a> Deserialize<'a>>(path: &PathBuf) -> Result<Option<T>> {
    match fs::read_to_string(path) {
        Ok(text) => {
            let found = serde_json::from_str(&text);
            found.map(Some).with_context(|| path.display().to_string())
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| path.display().to_string()),
    }
}

fn text(prompt: &[u32], answer: &[u32]) -> TextIds {
    TextIds {
        side: None,
        ids: [prompt, answer].concat(),
        n_prompt: prompt.len(),
    }
}
