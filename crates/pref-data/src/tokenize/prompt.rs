//! Divides tokens into prompt and answer. In: a rendered prompt and its answers. Out: the ids of
//! the prompt, and the ids and token features of each answer.

use std::ops::Range;

use super::answer_features::answer_features;
use super::error::TokenizeError;
use super::options::{Boundary, TokenizeOptions};
use super::rendering::{Rendering, WithAnswer};
use super::report::RowFlaws;
use crate::text::{Annotation, Text};
use crate::tokens::TokenFeatures;

/// An answer of a row.
pub(super) struct Answer<'a> {
    /// `chosen`, `rejected` or `completion`, for messages.
    pub(super) name: &'static str,
    pub(super) text: &'a Text,
    pub(super) annotation: Option<&'a Annotation>,
}

/// An answer as ids.
pub(super) struct TokenizedAnswer {
    pub(super) ids: Vec<u32>,
    pub(super) features: Option<Box<TokenFeatures>>,
}

/// A prompt as ids.
pub(super) struct TokenizedPrompt<'a> {
    rendering: Rendering<'a>,
    ids: Vec<u32>,
    stable: Option<StableStart>,
    options: &'a TokenizeOptions,
}

/// The start of a prompt whose ids do not change when text is appended. It is tokenized once.
struct StableStart {
    /// Length in bytes.
    n_bytes: usize,
    ids: Vec<u32>,
}

/// Prompt and answer as ids, before they are divided.
struct Joined {
    whole: WithAnswer,
    ids: Vec<u32>,
    /// For each id, the byte of the text at which the token's first letter is. Absent unless
    /// features are wanted.
    letters: Option<Vec<usize>>,
    /// Number of ids at the start that equal the ids of the prompt alone.
    n_shared: usize,
}

impl<'a> TokenizedPrompt<'a> {
    pub(super) fn new(
        rendering: Rendering<'a>,
        options: &'a TokenizeOptions,
    ) -> Result<Self, TokenizeError> {
        let adds_special = rendering.adds_special();
        let encode = |text: &str, add_special| {
            let ids = rendering.tokenizer.encode_with(text, add_special);
            ids.map_err(|error| rendering.failed(error))
        };
        let text = &rendering.text;
        let (ids, stable) = match rendering.tokenizer.cut(text) {
            None => (encode(text, adds_special)?, None),
            Some(n_bytes) => {
                let start = encode(&text[..n_bytes], adds_special)?;
                let all = [start.clone(), encode(&text[n_bytes..], false)?].concat();
                let stable = StableStart {
                    n_bytes,
                    ids: start,
                };
                (all, Some(stable))
            }
        };
        if ids.is_empty() {
            return Err(TokenizeError::EmptyPrompt {
                place: rendering.place.clone(),
            });
        }
        Ok(Self {
            rendering,
            ids,
            stable,
            options,
        })
    }

    /// The ids of the prompt and of its answers. All answers begin at the same position: the first
    /// one at which the ids with any of the answers differ from the ids of the prompt alone.
    pub(super) fn split<const N: usize>(
        mut self,
        answers: [Answer<'_>; N],
        flaws: &mut RowFlaws,
    ) -> Result<(Vec<u32>, [TokenizedAnswer; N]), TokenizeError> {
        let mut joined = Vec::with_capacity(N);
        for answer in &answers {
            joined.push(self.join(answer, flaws)?);
        }
        let shared = joined.iter().map(|joined| joined.n_shared);
        let n = shared.min().unwrap_or(self.ids.len());
        flaws.shared_token |= n < self.ids.len() && !flaws.changed_prompt;
        if n == 0 {
            return Err(TokenizeError::MergedPrompt {
                place: self.rendering.place.clone(),
            });
        }
        let mut tokenized = Vec::with_capacity(N);
        for (answer, joined) in answers.iter().zip(joined) {
            tokenized.push(self.after(n, answer, joined)?);
        }
        self.ids.truncate(n);
        let tokenized = tokenized.try_into().ok();
        Ok((self.ids, tokenized.expect("there is one result per answer")))
    }

    /// Tokenizes prompt and answer together.
    fn join(&self, answer: &Answer<'_>, flaws: &mut RowFlaws) -> Result<Joined, TokenizeError> {
        let whole = self.rendering.with_answer(answer.text)?;
        let keeps_prompt = whole.text.starts_with(&*self.rendering.text);
        flaws.changed_prompt |= !keeps_prompt;
        let adds_special = whole.plain_answer.is_some();
        // the ids that are known already, the bytes that they cover, and whether the tokenizer adds
        // special tokens to the rest
        let (known, start, adds_special): (&[u32], _, _) =
            match (self.options.boundary, &self.stable) {
                (Boundary::Separate, _) if !keeps_prompt => {
                    return Err(TokenizeError::ChangedPrompt {
                        place: self.rendering.place.clone(),
                    });
                }
                (Boundary::Separate, _) => (&self.ids, self.rendering.text.len(), false),
                (Boundary::Joint, Some(stable)) if keeps_prompt => {
                    (&stable.ids, stable.n_bytes, false)
                }
                (Boundary::Joint, _) => (&[], 0, adds_special),
            };
        let text = &whole.text[start..];
        let tokenizer = self.rendering.tokenizer;
        let wants_features = answer.annotation.is_some() || self.options.parts.is_some();
        let (rest, letters) = match wants_features {
            true => {
                let encoded = tokenizer.encode_with_spans(text, adds_special);
                let (ids, spans) = encoded.map_err(|e| self.rendering.failed(e))?;
                let letters = spans
                    .into_iter()
                    .map(|span| start + first_letter(text, span));
                // the known ids belong to the prompt, so their position does not matter
                let of_known = std::iter::repeat_n(0, known.len());
                (ids, Some(of_known.chain(letters).collect()))
            }
            false => {
                let ids = tokenizer.encode_with(text, adds_special);
                (ids.map_err(|e| self.rendering.failed(e))?, None)
            }
        };
        let ids = [known, &rest].concat();
        let n_shared = self.ids.iter().zip(&ids).take_while(|(a, b)| a == b);
        Ok(Joined {
            n_shared: n_shared.count(),
            whole,
            ids,
            letters,
        })
    }

    /// The answer: all ids after the first `n`.
    fn after(
        &self,
        n: usize,
        answer: &Answer<'_>,
        mut joined: Joined,
    ) -> Result<TokenizedAnswer, TokenizeError> {
        let ids = joined.ids.split_off(n);
        if ids.is_empty() {
            return Err(TokenizeError::EmptyResponse {
                place: self.rendering.place.clone(),
                side: answer.name,
            });
        }
        let letters = joined.letters.take().map(|mut all| all.split_off(n));
        let features = letters.map(|letters| {
            let whole = &joined.whole;
            answer_features(
                &self.rendering,
                whole,
                (answer.name, answer.text, answer.annotation),
                &letters,
                self.options,
            )
        });
        Ok(TokenizedAnswer {
            ids,
            features: features.transpose()?.map(Box::new),
        })
    }
}

/// The byte of the first letter of a token: a space at its start belongs to the word after it. For a
/// token of only white space, the byte at which the token begins.
fn first_letter(text: &str, span: Range<usize>) -> usize {
    let token = text.get(span.clone()).unwrap_or_default();
    match token.trim_start() {
        "" => span.start,
        letters => span.end - letters.len(),
    }
}
