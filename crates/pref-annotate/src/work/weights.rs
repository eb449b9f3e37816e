//! Weights of tokens. In: answers as segments. Out: one question for each answer, and a weight for each token.

use std::ops::Range;
use std::path::PathBuf;

use minijinja::context;
use pref_data::{
    Annotation, Example, Pair, Place, Text, TokenFeatures, TokenizeOptions, Tokenizer, tokenize,
    tokenize_examples,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::error::WorkError;
use super::produced::strings;
use super::questions::Questions;
use super::rows::Prepared;
use crate::request::Request;
use crate::store::Outcome;
use crate::task::{Judgement, Task};
use crate::templates::{fenced, numbered};

/// Weights of tokens. The judge weighs segments from 0 to `most`; a token gets its segment's weight divided by
/// `most`, and the end-of-sequence token that of the last segment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Weights {
    /// The highest weight that the judge may give, at least 1.
    pub most: i64,
    /// The folder of the model whose tokens are weighed.
    pub model: PathBuf,
}

impl Weights {
    pub(super) fn slots(
        &self,
        maker: &Questions<'_>,
        row: &Prepared,
    ) -> Result<Vec<(String, Request)>, WorkError> {
        let slot = |(side, answer): (&String, &Vec<String>)| {
            let task = Task::Weights {
                max: self.most,
                n_segments: answer.len(),
            };
            let request = maker.request(row, vec![answer.clone()], task, |_| {
                maker.template.messages(
                    context! { max => self.most },
                    context! {
                        question => fenced(&row.question),
                        answer => numbered(answer),
                        n => answer.len(),
                    },
                )
            });
            Ok((side.clone(), request?))
        };
        row.sides.iter().zip(&row.answers).map(slot).collect()
    }

    /// The row with weights of its tokens. None if a judgement is missing.
    pub(super) fn row(
        &self,
        mut row: Value,
        place: &str,
        outcomes: &[(String, Outcome)],
        tokenizer: &Tokenizer,
    ) -> Result<Option<Value>, WorkError> {
        let wrong = |message: String| WorkError::Row {
            place: place.to_owned(),
            message,
        };
        for (side, tokens) in tokens(&row, tokenizer, &wrong)? {
            let outcome = outcomes.iter().find(|(name, _)| name == side);
            let Some((_, Outcome::Judged(Judgement::Weights(weights)))) = outcome else {
                return Ok(None);
            };
            row[format!("{side}_weights")] = json!(self.of_tokens(weights, &tokens));
        }
        Ok(Some(row))
    }

    /// The weight of each token, from the weights of the segments.
    fn of_tokens(&self, weights: &[f64], tokens: &AnswerTokens) -> Vec<f64> {
        let mut of_tokens = vec![None; tokens.n];
        for (range, weight) in tokens.segments.iter().zip(weights) {
            for place in &mut of_tokens[range.clone()] {
                *place = Some(weight / self.most as f64);
            }
        }
        // The end-of-sequence token follows the last segment.
        let mut last = 1.0;
        let weight = |weight: Option<f64>| {
            last = weight.unwrap_or(last);
            last
        };
        of_tokens.into_iter().map(weight).collect()
    }
}

/// The number of an answer's tokens, and the tokens of its segments.
struct AnswerTokens {
    n: usize,
    segments: Vec<Range<usize>>,
}

impl AnswerTokens {
    fn new(ids: &[u32], features: Option<&TokenFeatures>) -> Self {
        Self {
            n: ids.len(),
            segments: features
                .map(|features| features.segments.clone())
                .unwrap_or_default(),
        }
    }
}

/// The tokens of the answers of a row, as training makes them.
fn tokens(
    row: &Value,
    tokenizer: &Tokenizer,
    wrong: &impl Fn(String) -> WorkError,
) -> Result<Vec<(&'static str, AnswerTokens)>, WorkError> {
    let options = TokenizeOptions {
        unscored_segments: true,
        ..TokenizeOptions::default()
    };
    let text = |field: &str| -> Result<Text, WorkError> {
        serde_json::from_value(row[field].clone())
            .map_err(|error| wrong(format!("`{field}`: {error}")))
    };
    let annotation = |side: &str| {
        Some(Box::new(Annotation {
            segments: Some(strings(&row[format!("{side}_segments")])),
            ..Annotation::default()
        }))
    };
    let tools = row["tools"].as_array().cloned().unwrap_or_default();
    let kwargs = serde_json::from_value(row["chat_template_kwargs"].clone()).unwrap_or_default();
    let none = || wrong("an answer has no tokens".to_owned());
    if row.get("chosen").is_some() {
        let mut pair = Pair::new(text("prompt")?, text("chosen")?, text("rejected")?, 0);
        pair.annotations = ["chosen", "rejected"].map(annotation);
        pair.tools = tools;
        pair.template_kwargs = kwargs;
        let rows = tokenize(&[pair], tokenizer, &options)?.rows;
        let pair = rows.first().ok_or_else(none)?;
        let [chosen, rejected] = &pair.features;
        return Ok(vec![
            ("chosen", AnswerTokens::new(&pair.chosen, chosen.as_deref())),
            (
                "rejected",
                AnswerTokens::new(&pair.rejected, rejected.as_deref()),
            ),
        ]);
    }
    let example = Example {
        prompt: text("prompt")?,
        completion: text("completion")?,
        label: None,
        tools,
        template_kwargs: kwargs,
        place: Place::default(),
        annotation: annotation("completion"),
        more: Map::new(),
    };
    let rows = tokenize_examples(&[example], tokenizer, &options)?.rows;
    let row = rows.first().ok_or_else(none)?;
    let tokens = AnswerTokens::new(&row.completion, row.features.as_deref());
    Ok(vec![("completion", tokens)])
}
