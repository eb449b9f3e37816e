//! Cuts pairs that are longer than the limit. In: a pair as ids, and the limit. Out: the pair, cut
//! to the limit; or nothing if the pair is dropped.

use super::error::TokenizeError;
use super::options::{LongPrompts, TokenizeOptions, Truncation};
use super::report::RowFlaws;
use crate::tokens::{PaddedLength, TokenPair};

/// Cuts a pair to the limit. None if the pair is dropped.
pub(super) fn truncate(
    mut pair: TokenPair,
    options: &TokenizeOptions,
    flaws: &mut RowFlaws,
) -> Result<Option<TokenPair>, TokenizeError> {
    let Some(limit) = options.max_length else {
        return Ok(Some(pair));
    };
    let leaves_no_room = pair.prompt.len() >= limit;
    match options.long_prompts {
        LongPrompts::Drop if leaves_no_room => {
            flaws.long_prompt = true;
            return Ok(None);
        }
        LongPrompts::Refuse if leaves_no_room => {
            return Err(TokenizeError::LongPrompt {
                place: pair.place.clone(),
                tokens: pair.prompt.len(),
                max_length: limit,
            });
        }
        LongPrompts::Drop | LongPrompts::Refuse | LongPrompts::Cut => {}
    }
    if pair.n_tokens_of_longest() <= limit {
        return Ok(Some(pair));
    }
    cut_prompt(&mut pair, limit, options.truncation, flaws);
    cut_answers(&mut pair, limit, flaws);
    if pair.chosen != pair.rejected {
        return Ok(Some(pair));
    }
    match options.long_prompts {
        LongPrompts::Refuse => Err(TokenizeError::NoPreference {
            place: pair.place,
            reason: " once cut to max-length",
        }),
        LongPrompts::Drop | LongPrompts::Cut => {
            flaws.identical_once_cut = true;
            Ok(None)
        }
    }
}

/// Cuts the prompt until the longer answer fits, or until one token of the prompt is left. With
/// [`Truncation::KeepStart`], the prompt is cut only if it alone is at least as long as the limit.
fn cut_prompt(pair: &mut TokenPair, limit: usize, truncation: Truncation, flaws: &mut RowFlaws) {
    let n = pair.prompt.len();
    let longest = pair.chosen.len().max(pair.rejected.len());
    let room = limit.saturating_sub(longest).max(1);
    let keeps_prompt = truncation == Truncation::KeepStart && n < limit;
    if n <= room || keeps_prompt {
        return;
    }
    flaws.cut_prompt = true;
    match truncation {
        Truncation::CutPromptEnd => pair.prompt.truncate(room),
        Truncation::KeepStart | Truncation::CutPromptStart => drop(pair.prompt.drain(..n - room)),
    }
}

/// Cuts the end of the answers.
fn cut_answers(pair: &mut TokenPair, limit: usize, flaws: &mut RowFlaws) {
    let room = limit - pair.prompt.len();
    let [of_chosen, of_rejected] = &mut pair.features;
    for (response, features) in [
        (&mut pair.chosen, of_chosen),
        (&mut pair.rejected, of_rejected),
    ] {
        if response.len() > room {
            flaws.cut_response = true;
            response.truncate(room);
            if let Some(features) = features {
                features.truncate(room);
            }
        }
    }
}
