//! Continuing one text. In: the ids of a prompt. Out: the ids that follow.

use super::options::{GenerateError, GenerateOptions};
use super::sampler::{Answer, Prompt, Sampler};
use crate::decoder::Decoder;
use crate::kernels::Kernels;

/// Continues a prompt by at most `max_new_tokens` tokens. The continuation ends earlier at a stop id or
/// at the last position of the model. It is that of a [`Sampler`] for the row 0 and the sample 0.
///
/// # Errors
/// [`GenerateError`] for a prompt that cannot be continued, or an option outside its range.
pub fn generate<B: Kernels>(
    model: &Decoder<B>,
    prompt: &[u32],
    options: &GenerateOptions,
) -> Result<Vec<u32>, GenerateError> {
    let prompt = Prompt {
        row: 0,
        ids: prompt.to_vec(),
        samples: vec![0],
    };
    let answers = sample(model, [prompt], options, 1)?;
    let mut answers = answers.into_iter();
    Ok(answers.next().map(|answer| answer.ids).unwrap_or_default())
}

/// Continues prompts, at most `batch_size` texts at a time. The answers are in the order of rows and samples. For answers
/// as they finish, and for stop strings, use a [`Sampler`].
///
/// # Errors
/// [`GenerateError`] for a prompt that cannot be continued, or an option outside its range.
pub fn sample<B: Kernels>(
    model: &Decoder<B>,
    prompts: impl IntoIterator<Item = Prompt>,
    options: &GenerateOptions,
    batch_size: usize,
) -> Result<Vec<Answer>, GenerateError> {
    let mut sampler = Sampler::new(model, options.clone(), batch_size)?;
    let mut prompts = prompts.into_iter();
    let mut answers = Vec::new();
    loop {
        while sampler.has_room() {
            let Some(prompt) = prompts.next() else { break };
            sampler.add(prompt)?;
        }
        if sampler.is_idle() {
            answers.sort_by_key(|answer: &Answer| (answer.row, answer.sample));
            return Ok(answers);
        }
        answers.extend(sampler.step()?);
    }
}
