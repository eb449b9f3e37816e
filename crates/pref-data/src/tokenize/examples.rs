//! Tokenizes single answers. In: prompts with one answer, conversations, and whole texts. Out:
//! [`TokenExample`]s, with a mark for each token that belongs to the answer.

use super::error::TokenizeError;
use super::options::TokenizeOptions;
use super::prompt::{Answer, TokenizedPrompt};
use super::rendering::Rendering;
use super::report::RowFlaws;
use super::rows::{Tokenized, check_ids, tokenize_all};
use super::truncate::truncate;
use super::turns::earlier_turns;
use crate::text::{Example, Text};
use crate::tokenizer::Tokenizer;
use crate::tokens::{TokenExample, TokenFeatures, TokenPair};

/// Tokenizes single answers in the same way as [`tokenize`](super::rows::tokenize).
///
/// # Errors
/// As [`tokenize`](super::rows::tokenize).
pub fn tokenize_examples(
    examples: &[Example],
    tokenizer: &Tokenizer,
    options: &TokenizeOptions,
) -> Result<Tokenized<TokenExample>, TokenizeError> {
    tokenize_all(examples, options, |example, flaws| {
        let Divided {
            prompt,
            completion,
            counted,
            features,
        } = match (&example.prompt, &example.completion) {
            (_, Text::Plain(text)) if example.is_text() => whole_text(example, text, tokenizer)?,
            _ => prompt_and_answer(example, tokenizer, options, flaws)?,
        };
        // truncated like a pair whose rejected answer is empty
        let pair = TokenPair {
            prompt,
            chosen: completion,
            place: example.place.clone(),
            features: [features, None],
            ..TokenPair::default()
        };
        let pair = truncate(pair, options, flaws)?;
        check_ids(pair.as_ref(), tokenizer, options)?;
        Ok(pair.map(|mut pair| TokenExample {
            features: pair.features[0].take(),
            counted: counted.map(|mut counted| {
                counted.truncate(pair.chosen.len());
                counted
            }),
            prompt: pair.prompt,
            completion: pair.chosen,
            label: example.label,
            place: pair.place,
        }))
    })
}

/// The ids of a row, divided into the context and the answer.
struct Divided {
    prompt: Vec<u32>,
    completion: Vec<u32>,
    counted: Option<Vec<bool>>,
    /// Features of the tokens of `completion`. None if it has several turns.
    features: Option<Box<TokenFeatures>>,
}

/// A text without a prompt, with an end-of-sequence token. No token predicts the first one, so the answer
/// begins at the second.
fn whole_text(
    example: &Example,
    text: &str,
    tokenizer: &Tokenizer,
) -> Result<Divided, TokenizeError> {
    let eos = tokenizer.eos_token().ok_or(TokenizeError::NoEos)?;
    let end = if text.ends_with(eos) { "" } else { eos };
    let ids = tokenizer.encode_with(&format!("{text}{end}"), true);
    let mut prompt = ids.map_err(|source| TokenizeError::Tokenizer {
        place: example.place.clone(),
        source,
    })?;
    let completion = prompt.split_off(prompt.len().min(1));
    match completion.is_empty() {
        true => Err(TokenizeError::EmptyResponse {
            place: example.place.clone(),
            side: "text",
        }),
        false => Ok(Divided {
            prompt,
            completion,
            counted: None,
            features: None,
        }),
    }
}

fn prompt_and_answer(
    example: &Example,
    tokenizer: &Tokenizer,
    options: &TokenizeOptions,
    flaws: &mut RowFlaws,
) -> Result<Divided, TokenizeError> {
    let rendering = || {
        Rendering::new(
            &example.prompt,
            (&example.tools, &example.template_kwargs),
            &example.place,
            tokenizer,
            &options.template_kwargs,
        )
    };
    let prompt = TokenizedPrompt::new(rendering()?, options)?;
    let answers = [Answer {
        name: "completion",
        text: &example.completion,
        annotation: example.annotation.as_deref(),
    }];
    let (mut prompt, [answer]) = prompt.split(answers, flaws)?;
    let mut completion = answer.ids;
    let turns = match &example.prompt {
        Text::Conversation(turns) if options.all_turns => {
            let ids = [&prompt[..], &completion].concat();
            earlier_turns(&rendering()?, turns, &example.completion, &ids)?
        }
        Text::Conversation(_) | Text::Plain(_) => Vec::new(),
    };
    let Some(first) = turns.first().map(|turn| turn.start) else {
        return Ok(Divided {
            prompt,
            completion,
            counted: None,
            features: answer.features,
        });
    };
    let last = prompt.len();
    let is_counted = |t: usize| t >= last || turns.iter().any(|turn| turn.contains(&t));
    let counted = (first..last + completion.len()).map(is_counted).collect();
    completion.splice(0..0, prompt.split_off(first));
    Ok(Divided {
        prompt,
        completion,
        counted: Some(counted),
        features: None,
    })
}
