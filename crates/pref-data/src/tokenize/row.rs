//! One row: its prompt, and the answers that follow it, as ids.
//!
//! In: texts or conversations. Out: the ids of the prompt, and of each answer with what the row says
//! of its tokens.

use std::borrow::Cow;
use std::ops::Range;

use serde_json::Value;

use super::words::{MARK, Words, region};
use super::{Boundary, Flaws, TokenizeError, TokenizeOptions};
use crate::annotation::{Annotation, TokenFeatures};
use crate::pair::{Message, Place, Text};
use crate::template::TemplateKwargs;
use crate::tokenizer::{Tokenizer, TokenizerError};

/// A row whose prompt is tokenized.
pub(super) struct Row<'a> {
    text: &'a Text,
    tools: &'a [Value],
    /// Settings of the template, the row's before the run's.
    kwargs: Cow<'a, TemplateKwargs>,
    /// The prompt as the template renders it; the prompt itself if it is plain.
    rendered: Cow<'a, str>,
    prompt: Vec<u32>,
    head: Option<Head>,
    place: &'a Place,
    tokenizer: &'a Tokenizer,
    options: &'a TokenizeOptions,
}

/// A beginning of the prompt whose ids are the same whatever follows it.
struct Head {
    /// Where it ends, in bytes.
    at: usize,
    ids: Vec<u32>,
}

/// What an answer is called, its text, and what the row says of it.
pub(super) type Side<'a> = (&'static str, &'a Text, Option<&'a Annotation>);

/// An answer as ids.
pub(super) struct Answer {
    pub(super) ids: Vec<u32>,
    pub(super) features: Option<Box<TokenFeatures>>,
}

/// Prompt and answer as ids, before it is known where they part.
struct Joined {
    whole: Whole,
    ids: Vec<u32>,
    /// Byte of the text at which each token has its first letter, if features are wanted.
    letters: Option<Vec<usize>>,
    /// How many ids the prompt alone begins with as well.
    n_shared: usize,
}

/// The text of prompt and answer, ended.
struct Whole {
    text: String,
    /// Bytes before an end-of-sequence token that was put behind it.
    n_given: usize,
    /// Bytes of the answer's own words, if the text is not rendered.
    plain: Option<Range<usize>>,
}

impl<'a> Row<'a> {
    pub(super) fn new(
        text: &'a Text,
        (tools, kwargs): (&'a [Value], &TemplateKwargs),
        place: &'a Place,
        tokenizer: &'a Tokenizer,
        options: &'a TokenizeOptions,
    ) -> Result<Self, TokenizeError> {
        let failed = |source| TokenizeError::Tokenizer {
            place: place.clone(),
            source,
        };
        let kwargs = match kwargs.is_empty() {
            true => Cow::Borrowed(&options.template_kwargs),
            false => Cow::Owned(options.template_kwargs.overlaid(kwargs)),
        };
        let (rendered, is_rendered): (Cow<'_, str>, _) = match text {
            Text::Plain(text) => (text.into(), false),
            Text::Conversation(turns) => {
                let text = tokenizer
                    .render_with(turns, tools, &kwargs, true)
                    .map_err(failed)?;
                (text.into(), true)
            }
        };
        let encode = |text: &str, add_special| {
            let ids = tokenizer.encode_with(text, add_special);
            ids.map_err(failed)
        };
        let (prompt, head) = match tokenizer.cut(&rendered) {
            None => (encode(&rendered, !is_rendered)?, None),
            Some(at) => {
                let ids = encode(&rendered[..at], !is_rendered)?;
                let prompt = [ids.clone(), encode(&rendered[at..], false)?].concat();
                (prompt, Some(Head { at, ids }))
            }
        };
        if prompt.is_empty() {
            return Err(TokenizeError::EmptyPrompt {
                place: place.clone(),
            });
        }
        Ok(Self {
            text,
            tools,
            kwargs,
            rendered,
            prompt,
            head,
            place,
            tokenizer,
            options,
        })
    }

    /// The ids of the prompt and of the answers that follow it. They part where the first of the
    /// answers does.
    pub(super) fn split<const N: usize>(
        mut self,
        sides: [Side<'_>; N],
        flaws: &mut Flaws,
    ) -> Result<(Vec<u32>, [Answer; N]), TokenizeError> {
        let mut joined = Vec::with_capacity(N);
        for side in &sides {
            joined.push(self.join(side, flaws)?);
        }
        let shared = joined.iter().map(|joined| joined.n_shared);
        let n = shared.min().unwrap_or(self.prompt.len());
        flaws.boundary |= n < self.prompt.len() && !flaws.changed_prompt;
        if n == 0 {
            return Err(TokenizeError::MergedPrompt {
                place: self.place.clone(),
            });
        }
        let mut answers = Vec::with_capacity(N);
        for (side, joined) in sides.iter().zip(joined) {
            answers.push(self.answer(side, joined, n)?);
        }
        self.prompt.truncate(n);
        let answers = answers.try_into().ok();
        Ok((self.prompt, answers.expect("one answer for each side")))
    }

    /// Prompt and answer as ids.
    fn join(&self, side: &Side<'_>, flaws: &mut Flaws) -> Result<Joined, TokenizeError> {
        let (_, answer, annotation) = *side;
        let whole = self.with_answer(answer)?;
        let keeps_prompt = whole.text.starts_with(&*self.rendered);
        flaws.changed_prompt |= !keeps_prompt;
        let adds_special = whole.plain.is_some();
        // ids and text that are known, and the text that is to be tokenized
        let (before, at, adds_special): (&[u32], _, _) = match (self.options.boundary, &self.head) {
            (Boundary::Separate, _) if !keeps_prompt => {
                return Err(TokenizeError::ChangedPrompt {
                    place: self.place.clone(),
                });
            }
            (Boundary::Separate, _) => (&self.prompt, self.rendered.len(), false),
            (Boundary::Joint, Some(head)) if keeps_prompt => (&head.ids, head.at, false),
            (Boundary::Joint, _) => (&[], 0, adds_special),
        };
        let text = &whole.text[at..];
        let wants_features = annotation.is_some() || self.options.parts.is_some();
        let (behind, letters) = match wants_features {
            true => {
                let encoded = self.tokenizer.encode_with_spans(text, adds_special);
                let (ids, spans) = encoded.map_err(|e| self.failed(e))?;
                let letters = spans.into_iter().map(|span| at + first_letter(text, span));
                // what is known lies in the prompt
                let before = std::iter::repeat_n(0, before.len());
                (ids, Some(before.chain(letters).collect()))
            }
            false => {
                let ids = self.tokenizer.encode_with(text, adds_special);
                (ids.map_err(|e| self.failed(e))?, None)
            }
        };
        let ids = [before, &behind].concat();
        let n_shared = self.prompt.iter().zip(&ids).take_while(|(a, b)| a == b);
        Ok(Joined {
            n_shared: n_shared.count(),
            whole,
            ids,
            letters,
        })
    }

    /// The answer behind the first `n` ids.
    fn answer(
        &self,
        side: &Side<'_>,
        mut joined: Joined,
        n: usize,
    ) -> Result<Answer, TokenizeError> {
        let ids = joined.ids.split_off(n);
        if ids.is_empty() {
            return Err(TokenizeError::EmptyResponse {
                place: self.place.clone(),
                side: side.0,
            });
        }
        let letters = joined.letters.take().map(|mut all| all.split_off(n));
        let features = letters.map(|letters| self.features(side, &joined.whole, &letters));
        let features = features.transpose()?.map(Box::new);
        Ok(Answer { ids, features })
    }

    /// What is known of an answer's tokens, by where their first letters stand in the text.
    fn features(
        &self,
        side: &Side<'_>,
        whole: &Whole,
        letters: &[usize],
    ) -> Result<TokenFeatures, TokenizeError> {
        let (name, answer, annotation) = *side;
        let content = answer.to_string();
        let place = || self.place.clone();
        let (words, region) = match &whole.plain {
            Some(range) => (Some(Words::verbatim(range.clone())), range.clone()),
            None => {
                let region = self.region(answer, &whole.text[..whole.n_given]);
                (Words::find(&whole.text, &region, &content), region)
            }
        };
        let rules = self.options.parts.as_ref();
        let features = match words {
            Some(words) => {
                let starts: Vec<usize> = letters.iter().map(|&at| words.answer_byte(at)).collect();
                TokenFeatures::new(name, &content, &starts, annotation, rules)
            }
            None if annotation.is_some_and(Annotation::has_pieces) => {
                return Err(TokenizeError::RewrittenAnswer {
                    place: place(),
                    side: name,
                });
            }
            None => {
                // what the template writes in its place is what has parts
                let starts = letters.iter().map(|&at| at.clamp(region.start, region.end));
                let starts: Vec<usize> = starts.map(|at| at - region.start).collect();
                let text = &whole.text[region];
                TokenFeatures::new(name, text, &starts, annotation, rules)
            }
        };
        features.map_err(|source| TokenizeError::Annotation {
            place: place(),
            source,
        })
    }

    /// Where the template writes an answer, or what it makes of it.
    fn region(&self, answer: &Text, text: &str) -> Range<usize> {
        let mut all = self.turns(answer);
        let behind_prompt = match text.starts_with(&*self.rendered) {
            true => self.rendered.len()..text.len(),
            false => 0..text.len(),
        };
        let Some(last) = all.last_mut() else {
            return behind_prompt;
        };
        last.content = MARK.to_owned();
        // a template may refuse the mark, and writes nothing in its place then
        let marked = self.render(&all);
        let found = marked.ok().and_then(|marked| region(text, &marked));
        found.unwrap_or(behind_prompt)
    }

    /// Prompt and answer together, ended.
    fn with_answer(&self, answer: &Text) -> Result<Whole, TokenizeError> {
        let eos = || self.tokenizer.eos_token().ok_or(TokenizeError::NoEos);
        if let (Text::Plain(prompt), Text::Plain(answer)) = (self.text, answer) {
            let eos = eos()?;
            let end = if answer.ends_with(eos) { "" } else { eos };
            return Ok(Whole {
                text: format!("{prompt}{answer}{end}"),
                n_given: prompt.len() + answer.len(),
                plain: Some(prompt.len()..prompt.len() + answer.len()),
            });
        }
        let rendered = self.render(&self.turns(answer));
        let mut text = rendered.map_err(|e| self.failed(e))?;
        let n_given = text.len();
        if !self.tokenizer.ends_in_special(&text) {
            text.push_str(eos()?);
        }
        Ok(Whole {
            text,
            n_given,
            plain: None,
        })
    }

    fn render(&self, turns: &[Message]) -> Result<String, TokenizerError> {
        let (tools, kwargs) = (self.tools, &self.kwargs);
        self.tokenizer.render_with(turns, tools, kwargs, false)
    }

    /// The turns of prompt and answer; a plain text is the assistant's.
    fn turns(&self, answer: &Text) -> Vec<Message> {
        let turns = |text: &Text| match text {
            Text::Conversation(turns) => turns.clone(),
            Text::Plain(content) => vec![Message::new("assistant", content)],
        };
        [self.text, answer].into_iter().flat_map(turns).collect()
    }

    fn failed(&self, source: TokenizerError) -> TokenizeError {
        TokenizeError::Tokenizer {
            place: self.place.clone(),
            source,
        }
    }
}

/// Where the first letter of a token stands: a space belongs to the word behind it. A token that is
/// nothing but white space stands where it begins.
fn first_letter(text: &str, span: Range<usize>) -> usize {
    let token = text.get(span.clone()).unwrap_or_default();
    match token.trim_start() {
        "" => span.start,
        letters => span.end - letters.len(),
    }
}
