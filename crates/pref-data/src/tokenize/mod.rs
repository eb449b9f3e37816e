//! From pairs of text to pairs of ids, as TRL's `DPOTrainer` makes them.
//!
//! In: pairs and a tokenizer. Out: ids of prompt and answers, and a report of what had to be cut
//! or does not join well. The prompt is tokenized alone, prompt and answer together; the answer's
//! ids begin where the two part. An end-of-sequence token is put after a plain answer, and after a
//! conversation that its template leaves open.

mod cut;
mod error;
mod options;
mod report;
mod row;
mod words;

pub use error::TokenizeError;
pub use options::{Boundary, LongPrompts, TokenizeOptions, Truncation};
pub use report::TokenizeReport;

use std::sync::Arc;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use self::cut::cut;
use self::row::Row;
use crate::annotation::TokenFeatures;
use crate::pair::{Example, Pair, Place, Placed};
use crate::tokenizer::Tokenizer;

/// A pair as token ids. Prompt and answers hold at least one token each.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TokenPair {
    /// The prompt.
    pub prompt: Vec<u32>,
    /// The preferred answer, its end-of-sequence token included.
    pub chosen: Vec<u32>,
    /// The other answer.
    pub rejected: Vec<u32>,
    /// Where it is from.
    #[serde(skip)]
    pub place: Place,
    /// What is known of the tokens of the chosen and of the rejected answer besides.
    pub features: [Option<Box<TokenFeatures>>; 2],
}

impl TokenPair {
    /// The ids of the prompt, the chosen and the rejected answer.
    pub fn ids(&self) -> [&[u32]; 3] {
        [&self.prompt, &self.chosen, &self.rejected]
    }

    /// Tokens of both sequences: the prompt counts twice.
    pub fn n_tokens(&self) -> usize {
        2 * self.prompt.len() + self.chosen.len() + self.rejected.len()
    }
}

/// A single answer as token ids. Prompt and completion hold at least one token each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenExample {
    /// The prompt.
    pub prompt: Vec<u32>,
    /// The answer, its end-of-sequence token included.
    pub completion: Vec<u32>,
    /// Whether answers should be more like it.
    pub desirable: bool,
    /// Where it is from.
    #[serde(skip)]
    pub place: Place,
}

impl Placed for TokenPair {
    fn place(&self) -> &Place {
        &self.place
    }
}

impl Placed for TokenExample {
    fn place(&self) -> &Place {
        &self.place
    }
}

/// Pairs or single answers as ids, and what happened on the way.
#[derive(Debug)]
pub struct Tokenized<T = TokenPair> {
    /// One for each row that was neither passed over nor dropped, in order.
    pub rows: Vec<T>,
    /// What happened on the way.
    pub report: TokenizeReport,
    /// What was wrong with the rows that were passed over.
    pub rejects: Vec<TokenizeError>,
}

/// Tokenizes pairs, in parallel; the result does not depend on the number of threads.
///
/// # Errors
/// [`TokenizeError`] of the first pair, in file order, that cannot be made ids, unless such rows are
/// passed over.
pub fn tokenize(
    pairs: &[Pair],
    tokenizer: &Tokenizer,
    options: &TokenizeOptions,
) -> Result<Tokenized, TokenizeError> {
    all(pairs, options, |pair, flaws| {
        let row = Row::new(
            &pair.prompt,
            (&pair.tools, &pair.template_kwargs),
            &pair.place,
            tokenizer,
            options,
        )?;
        let [of_chosen, of_rejected] = pair.annotations.each_ref().map(Option::as_deref);
        let (prompt, [chosen, rejected]) = row.split(
            [
                ("chosen", &pair.chosen, of_chosen),
                ("rejected", &pair.rejected, of_rejected),
            ],
            flaws,
        )?;
        let pair = TokenPair {
            prompt,
            chosen: chosen.ids,
            rejected: rejected.ids,
            place: pair.place.clone(),
            features: [chosen.features, rejected.features],
        };
        if pair.chosen == pair.rejected {
            let place = pair.place.clone();
            return Err(TokenizeError::NoPreference { place, reason: "" });
        }
        let pair = cut(pair, options, flaws)?;
        check_ids(pair.as_ref(), tokenizer, options)?;
        Ok(pair)
    })
}

/// Tokenizes single answers, as [`tokenize`] does pairs.
///
/// # Errors
/// As [`tokenize`].
pub fn tokenize_examples(
    examples: &[Example],
    tokenizer: &Tokenizer,
    options: &TokenizeOptions,
) -> Result<Tokenized<TokenExample>, TokenizeError> {
    all(examples, options, |example, flaws| {
        let row = Row::new(
            &example.prompt,
            (&example.tools, &example.template_kwargs),
            &example.place,
            tokenizer,
            options,
        )?;
        let answers = [("completion", &example.completion, None)];
        let (prompt, [answer]) = row.split(answers, flaws)?;
        // cut as a pair whose other answer is none
        let pair = TokenPair {
            prompt,
            chosen: answer.ids,
            place: example.place.clone(),
            ..TokenPair::default()
        };
        let pair = cut(pair, options, flaws)?;
        check_ids(pair.as_ref(), tokenizer, options)?;
        Ok(pair.map(|pair| TokenExample {
            prompt: pair.prompt,
            completion: pair.chosen,
            desirable: example.desirable,
            place: pair.place,
        }))
    })
}

/// Whether the model has an embedding for every id.
fn check_ids(
    pair: Option<&TokenPair>,
    tokenizer: &Tokenizer,
    options: &TokenizeOptions,
) -> Result<(), TokenizeError> {
    let (Some(pair), Some(rows)) = (pair, options.embedding_rows) else {
        return Ok(());
    };
    let mut ids = pair.ids().into_iter().flatten();
    match ids.find(|&&id| id as usize >= rows) {
        None => Ok(()),
        Some(&id) => Err(TokenizeError::NoEmbedding {
            place: pair.place.clone(),
            id,
            token: tokenizer.token(id).unwrap_or_default(),
            rows,
        }),
    }
}

/// Tokenizes rows in parallel, and gathers what happened. `one` makes nothing of a row that is
/// dropped.
fn all<R: Sync + Placed, T: Send>(
    rows: &[R],
    options: &TokenizeOptions,
    one: impl Fn(&R, &mut Flaws) -> Result<Option<T>, TokenizeError> + Sync,
) -> Result<Tokenized<T>, TokenizeError> {
    if let Some(max_length) = options.max_length.filter(|&n| n < 2) {
        return Err(TokenizeError::Limit { max_length });
    }
    let results: Vec<Result<(Option<T>, Flaws), TokenizeError>> = rows
        .par_iter()
        .map(|row| {
            let mut flaws = Flaws::default();
            Ok((one(row, &mut flaws)?, flaws))
        })
        .collect();
    let mut report = TokenizeReport::default();
    let mut tokenized = Vec::with_capacity(rows.len());
    let mut rejects = Vec::new();
    for (row, result) in rows.iter().zip(results) {
        if let Some(file) = row.place().file.as_ref()
            && report.files.last() != Some(file)
        {
            report.files.push(Arc::clone(file));
        }
        let (tokens, flaws) = match result {
            Err(error) if options.skip_bad_rows && error.row().is_some() => {
                rejects.push(error);
                continue;
            }
            result => result?,
        };
        report.rows += usize::from(tokens.is_some());
        for (is_flawed, places) in [
            (flaws.changed_prompt, &mut report.changed_prompts),
            (flaws.boundary, &mut report.boundary_mismatches),
            (flaws.cut_prompt, &mut report.cut_prompts),
            (flaws.cut_response, &mut report.cut_responses),
            (flaws.long_prompt, &mut report.long_prompts),
            (flaws.alike, &mut report.alike),
        ] {
            if is_flawed {
                places.push(row.place().clone());
            }
        }
        tokenized.extend(tokens);
    }
    Ok(Tokenized {
        rows: tokenized,
        report,
        rejects,
    })
}

/// What happened to one row.
#[derive(Clone, Copy, Debug, Default)]
struct Flaws {
    changed_prompt: bool,
    boundary: bool,
    cut_prompt: bool,
    cut_response: bool,
    /// Dropped: the prompt fills the limit.
    long_prompt: bool,
    /// Dropped: the answers differ only behind the limit.
    alike: bool,
}
