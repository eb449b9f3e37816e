//! Rewards of pairs, and the KL divergence from the reference. In: a model, a reference, and rows. Out: a value for each
//! row. The values are kept in files, because they take one pass of both models.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use pref_data::{
    Example, PromptRow, ReadOptions, Text, TokenizeOptions, Tokenizer, read_prompts, read_with,
    tokenize, tokenize_examples,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::args::Args;
use crate::input::TextIds;
use crate::json_file;
use crate::log_probs::Sums;
use crate::model::ModelSource;

/// The reference of all models.
pub(super) struct Reference {
    pub(super) source: ModelSource,
    /// The log-probs of the answers of the pairs, which are the same for every model.
    of_pairs: Option<Vec<f64>>,
}

impl Reference {
    pub(super) fn new(source: ModelSource) -> Self {
        let of_pairs = None;
        Self { source, of_pairs }
    }
}

/// A model and its reference.
pub(super) struct Pairs<'a> {
    pub(super) args: &'a Args,
    pub(super) folder: &'a Path,
    pub(super) source: &'a ModelSource,
    pub(super) reference: &'a mut Reference,
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
    pub(super) fn margins(&mut self, data: &Path) -> Result<Vec<Margin>> {
        let path = self.folder.join("pairs.json");
        if let Some(found) = json_file::read(&path)? {
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
        let texts = self.texts(&tokens)?;
        let policy = self.sums(self.source, &texts, "answers")?;
        let reference = match self.reference.of_pairs.take() {
            Some(known) => known,
            None => self.of_reference(&policy, &texts, "answers")?,
        };
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
        self.reference.of_pairs = Some(reference);
        json_file::write(&path, &margins)?;
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
        if let Some(found) = json_file::read(&path)? {
            return Ok(Some(found));
        }
        let rows = read_prompts(std::slice::from_ref(&samples), &Default::default())?;
        let answers: Result<Vec<Example>> = rows.map(|row| answered(row?)).collect();
        let answers = answers?;
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
        let texts = self.texts(&tokens)?;
        let policy = self.sums(self.source, &texts, "samples")?;
        let reference = self.of_reference(&policy, &texts, "samples")?;
        let ratios: Vec<f64> = policy.iter().zip(&reference).map(|(p, r)| p - r).collect();
        let mean = |ratios: &[f64]| ratios.iter().sum::<f64>() / ratios.len() as f64;
        let found = Divergence {
            by_problem: ratios.chunks(self.args.n as usize).map(mean).collect(),
        };
        json_file::write(&path, &found)?;
        Ok(Some(found))
    }

    /// The texts as the model and the reference read them.
    fn texts(&self, tokens: &dyn Fn(&ModelSource) -> Result<Vec<TextIds>>) -> Result<Vec<TextIds>> {
        let (source, reference) = (self.source, &self.reference.source);
        let texts = tokens(source)?;
        if source.folder != reference.folder {
            ensure!(
                texts == tokens(reference)?,
                "the tokenizers of {} and {} give different tokens, so their log-probs cannot be compared; name another --reference",
                source.folder.display(),
                reference.folder.display()
            );
        }
        Ok(texts)
    }

    /// The log-probs of texts under the reference. `policy` are those under the model.
    fn of_reference(
        &self,
        policy: &[f64],
        texts: &[TextIds],
        noun: &'static str,
    ) -> Result<Vec<f64>> {
        match *self.source == self.reference.source {
            true => Ok(policy.to_vec()),
            false => self.sums(&self.reference.source, texts, noun),
        }
    }

    fn sums(
        &self,
        source: &ModelSource,
        texts: &[TextIds],
        noun: &'static str,
    ) -> Result<Vec<f64>> {
        self.args.device.device.run(Sums {
            source,
            texts,
            noun,
        })
    }
}

fn text(prompt: &[u32], answer: &[u32]) -> TextIds {
    TextIds {
        side: None,
        ids: [prompt, answer].concat(),
        n_prompt: prompt.len(),
    }
}

/// A sample as an answer to its prompt. It may be empty: then only its end token counts.
fn answered(row: PromptRow) -> Result<Example> {
    let response = row.fields.get("response").and_then(Value::as_str);
    let response = response.with_context(|| format!("{}: `response` is missing", row.place))?;
    let completion = match row.prompt {
        Text::Plain(_) => Text::Plain(response.to_owned()),
        Text::Conversation(_) => {
            serde_json::from_value(json!([{"role": "assistant", "content": response}]))?
        }
    };
    Ok(Example {
        prompt: row.prompt,
        completion,
        label: None,
        tools: row.tools,
        template_kwargs: row.template_kwargs,
        place: row.place,
        annotation: None,
        more: row.fields,
    })
}
