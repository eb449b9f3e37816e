//! Finds the earlier turns of the assistant in the ids of a conversation. In: a conversation and its ids.
//! Out: a range of ids for each of these turns.

use std::ops::Range;

use super::error::TokenizeError;
use super::rendering::Rendering;
use crate::text::{ASSISTANT, Message, Text};

/// The ids of each turn of the assistant in a prompt. `ids` are those of the prompt and the answer
/// together. A turn begins where the answer to the turns before it would begin, and includes the
/// tokens with which the template ends it. The first turn of a conversation is no answer, so it does
/// not count.
///
/// # Errors
/// [`TokenizeError::ChangedTurn`] if the template writes a turn differently when other turns follow.
pub(super) fn earlier_turns(
    rendering: &Rendering<'_>,
    prompt: &[Message],
    answer: &Text,
    ids: &[u32],
) -> Result<Vec<Range<usize>>, TokenizeError> {
    let whole = rendering.with_answer(answer)?.text;
    let n_shared = |text: &str| -> Result<usize, TokenizeError> {
        let start = rendering.tokenizer.encode_with(text, false);
        let start = start.map_err(|error| rendering.failed(error))?;
        Ok(start.iter().zip(ids).take_while(|(a, b)| a == b).count())
    };
    let of_assistant = |turn: &usize| *turn > 0 && prompt[*turn].role == ASSISTANT;
    let turns = (0..prompt.len()).filter(of_assistant);
    let range = |turn: usize| {
        let before = rendering.render(&prompt[..turn], true);
        let start = n_shared(&before.map_err(|e| rendering.failed(e))?)?;
        let through = rendering.render(&prompt[..=turn], false);
        let through = through.map_err(|e| rendering.failed(e))?;
        let end = n_shared(&through)?;
        match whole.starts_with(&through) && 0 < start && start < end {
            true => Ok(start..end),
            false => Err(TokenizeError::ChangedTurn {
                place: rendering.place.clone(),
                turn: turn + 1,
            }),
        }
    };
    turns.map(range).collect()
}
