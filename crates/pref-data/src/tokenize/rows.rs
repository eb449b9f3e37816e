//! Tokenizes all rows of a set in parallel. In: pairs, or rows and a function. Out: [`Tokenized`], with
//! a report, and with the errors of rows that were skipped.

use rayon::prelude::*;

use super::error::TokenizeError;
use super::options::TokenizeOptions;
use super::prompt::{Answer, TokenizedPrompt};
use super::rendering::Rendering;
use super::report::{RowFlaws, TokenizeReport};
use super::truncate::truncate;
use crate::text::{Pair, Placed};
use crate::tokenizer::Tokenizer;
use crate::tokens::TokenPair;

/// Pairs or single answers as ids, with a report.
#[derive(Debug)]
pub struct Tokenized<T = TokenPair> {
    /// The rows that were neither skipped nor dropped, in order.
    pub rows: Vec<T>,
    /// What was cut, dropped or ambiguous.
    pub report: TokenizeReport,
    /// The errors of the rows that were skipped.
    pub rejects: Vec<TokenizeError>,
}

/// Tokenizes pairs in parallel. The number of threads does not change the result.
///
/// # Errors
/// [`TokenizeError`] of the first pair, in file order, that cannot be tokenized, unless
/// [`TokenizeOptions::skip_bad_rows`] is set.
pub fn tokenize(
    pairs: &[Pair],
    tokenizer: &Tokenizer,
    options: &TokenizeOptions,
) -> Result<Tokenized, TokenizeError> {
    tokenize_all(pairs, options, |pair, flaws| {
        let rendering = Rendering::new(
            &pair.prompt,
            (&pair.tools, &pair.template_kwargs),
            &pair.place,
            tokenizer,
            &options.template_kwargs,
        )?;
        let prompt = TokenizedPrompt::new(rendering, options)?;
        let [of_chosen, of_rejected] = pair.annotations.each_ref().map(Option::as_deref);
        let answers = [
            Answer {
                name: "chosen",
                text: &pair.chosen,
                annotation: of_chosen,
            },
            Answer {
                name: "rejected",
                text: &pair.rejected,
                annotation: of_rejected,
            },
        ];
        let (prompt, [chosen, rejected]) = prompt.split(answers, flaws)?;
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
        let pair = truncate(pair, options, flaws)?;
        check_ids(pair.as_ref(), tokenizer, options)?;
        Ok(pair)
    })
}

/// An error if the model has no embedding for an id.
pub(super) fn check_ids(
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

/// Tokenizes rows in parallel and collects the report. `tokenize_row` returns None for a row that is
/// dropped.
pub(super) fn tokenize_all<R: Sync + Placed, T: Send>(
    rows: &[R],
    options: &TokenizeOptions,
    tokenize_row: impl Fn(&R, &mut RowFlaws) -> Result<Option<T>, TokenizeError> + Sync,
) -> Result<Tokenized<T>, TokenizeError> {
    if let Some(max_length) = options.max_length.filter(|&n| n < 2) {
        return Err(TokenizeError::Limit { max_length });
    }
    let results: Vec<Result<(Option<T>, RowFlaws), TokenizeError>> = rows
        .par_iter()
        .map(|row| {
            let mut flaws = RowFlaws::default();
            Ok((tokenize_row(row, &mut flaws)?, flaws))
        })
        .collect();
    let mut report = TokenizeReport::default();
    let mut tokenized = Vec::with_capacity(rows.len());
    let mut rejects = Vec::new();
    for (row, result) in rows.iter().zip(results) {
        report.add_file(row.place());
        let (tokens, flaws) = match result {
            Err(error) if options.skip_bad_rows && error.row().is_some() => {
                rejects.push(error);
                continue;
            }
            result => result?,
        };
        report.add(row.place(), flaws, tokens.is_some());
        tokenized.extend(tokens);
    }
    Ok(Tokenized {
        rows: tokenized,
        report,
        rejects,
    })
}
