//! From pairs of text to pairs of ids, as TRL's `DPOTrainer` makes them.
//!
//! In: pairs and a tokenizer. Out: ids of prompt and answers, and a report of what had to be cut
//! or does not join well. The prompt is tokenized alone, prompt and answer together; the answer's
//! ids are those of both after as many as the prompt alone has. An end-of-sequence token is put
//! after a plain answer, and after a conversation that its template leaves open.

mod error;
mod report;

pub use error::TokenizeError;
pub use report::TokenizeReport;

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::annotation::{Annotation, TokenFeatures};
use crate::batch::Longest;
use crate::pair::{Example, Message, Pair, Place, Placed, Text};
use crate::segment::PartRules;
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

/// How the tokens of prompt and answer meet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Boundary {
    /// Both are tokenized together, and the answer has the ids after as many as the prompt alone
    /// has, as TRL does it: what a model sees when it is given the whole text.
    #[default]
    Joint,
    /// The answer is tokenized by itself: what a model sees when it writes the answer. No token
    /// reaches across.
    Separate,
}

/// Which end of an over-long prompt is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Truncation {
    /// The end: the words before the answer.
    #[default]
    KeepEnd,
    /// The start.
    KeepStart,
}

/// What becomes of a prompt that fills the limit by itself, so that no answer fits behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LongPrompts {
    /// It is an error.
    #[default]
    Refuse,
    /// It is cut, as one that only the answer makes too long.
    Cut,
}

/// How pairs become ids.
#[derive(Clone, Debug, Default)]
pub struct TokenizeOptions {
    /// Longest prompt and answer together, at least 2; no limit if absent.
    pub max_length: Option<usize>,
    /// Which end of an over-long prompt is kept.
    pub truncation: Truncation,
    /// What becomes of a prompt that fills the limit by itself.
    pub long_prompts: LongPrompts,
    /// How the tokens of prompt and answer meet.
    pub boundary: Boundary,
    /// Label every token of the answers by these rules, where the row names no parts.
    pub parts: Option<PartRules>,
    /// Pass over rows that cannot be made ids, instead of stopping at the first.
    pub skip_bad_rows: bool,
}

/// Pairs or single answers as ids, and what happened on the way.
#[derive(Debug)]
pub struct Tokenized<T = TokenPair> {
    /// One for each row that was not passed over, in order.
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
        let row = Row::new(&pair.prompt, &pair.tools, &pair.place, tokenizer, options)?;
        let [of_chosen, of_rejected] = &pair.annotations;
        let chosen = row.answer(&pair.chosen, "chosen", of_chosen.as_deref(), flaws)?;
        let rejected = row.answer(&pair.rejected, "rejected", of_rejected.as_deref(), flaws)?;
        let mut pair = TokenPair {
            prompt: row.prompt,
            chosen: chosen.ids,
            rejected: rejected.ids,
            place: pair.place.clone(),
            features: [chosen.features, rejected.features],
        };
        for is_cut in [false, true] {
            if is_cut {
                truncate(&mut pair, options, flaws)?;
            }
            if pair.chosen == pair.rejected {
                let place = pair.place.clone();
                let reason = ["", " once cut to max-length"][usize::from(is_cut)];
                return Err(TokenizeError::NoPreference { place, reason });
            }
        }
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
            &example.tools,
            &example.place,
            tokenizer,
            options,
        )?;
        let answer = row.answer(&example.completion, "completion", None, flaws)?;
        // cut as a pair whose other answer is none
        let mut pair = TokenPair {
            prompt: row.prompt,
            chosen: answer.ids,
            place: example.place.clone(),
            ..TokenPair::default()
        };
        truncate(&mut pair, options, flaws)?;
        Ok(TokenExample {
            prompt: pair.prompt,
            completion: pair.chosen,
            desirable: example.desirable,
            place: pair.place,
        })
    })
}

/// Tokenizes rows in parallel, and gathers what happened.
fn all<R: Sync + Placed, T: Send>(
    rows: &[R],
    options: &TokenizeOptions,
    one: impl Fn(&R, &mut Flaws) -> Result<T, TokenizeError> + Sync,
) -> Result<Tokenized<T>, TokenizeError> {
    if let Some(max_length) = options.max_length.filter(|&n| n < 2) {
        return Err(TokenizeError::Limit { max_length });
    }
    let results: Vec<Result<(T, Flaws), TokenizeError>> = rows
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
        report.rows += 1;
        for (is_flawed, places) in [
            (flaws.changed_prompt, &mut report.changed_prompts),
            (flaws.boundary, &mut report.boundary_mismatches),
            (flaws.cut_prompt, &mut report.cut_prompts),
            (flaws.cut_response, &mut report.cut_responses),
        ] {
            if is_flawed {
                places.push(row.place().clone());
            }
        }
        tokenized.push(tokens);
    }
    Ok(Tokenized {
        rows: tokenized,
        report,
        rejects,
    })
}

#[derive(Clone, Copy, Debug, Default)]
struct Flaws {
    changed_prompt: bool,
    boundary: bool,
    cut_prompt: bool,
    cut_response: bool,
}

/// A row whose prompt is tokenized.
struct Row<'a> {
    text: &'a Text,
    tools: &'a [Value],
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

/// An answer as ids.
struct Answer {
    ids: Vec<u32>,
    features: Option<Box<TokenFeatures>>,
}

impl<'a> Row<'a> {
    fn new(
        text: &'a Text,
        tools: &'a [Value],
        place: &'a Place,
        tokenizer: &'a Tokenizer,
        options: &'a TokenizeOptions,
    ) -> Result<Self, TokenizeError> {
        let failed = |source| TokenizeError::Tokenizer {
            place: place.clone(),
            source,
        };
        let (rendered, is_rendered): (Cow<'_, str>, _) = match text {
            Text::Plain(text) => (text.into(), false),
            Text::Conversation(turns) => {
                let text = tokenizer.render(turns, tools, true).map_err(failed)?;
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
            rendered,
            prompt,
            head,
            place,
            tokenizer,
            options,
        })
    }

    fn answer(
        &self,
        answer: &Text,
        side: &'static str,
        annotation: Option<&Annotation>,
        flaws: &mut Flaws,
    ) -> Result<Answer, TokenizeError> {
        let rules = self.options.parts.as_ref();
        let place = || self.place.clone();
        let failed = |source| TokenizeError::Tokenizer {
            place: place(),
            source,
        };
        let whole = self.with_answer(answer)?;
        let keeps_prompt = whole.text.starts_with(&*self.rendered);
        flaws.changed_prompt |= !keeps_prompt;
        let (text, skipped, add_special) = match self.options.boundary {
            Boundary::Joint => match self.head.as_ref().filter(|_| keeps_prompt) {
                Some(head) => (&whole.text[head.at..], head.at, false),
                None => (whole.text.as_str(), 0, !whole.is_rendered),
            },
            Boundary::Separate if !keeps_prompt => {
                return Err(TokenizeError::ChangedPrompt { place: place() });
            }
            Boundary::Separate => {
                let start = self.rendered.len();
                (&whole.text[start..], start, false)
            }
        };
        let wants_features = annotation.is_some() || rules.is_some();
        let (mut ids, mut starts) = match wants_features {
            true => self.tokenizer.encode_with_starts(text, add_special),
            false => self
                .tokenizer
                .encode_with(text, add_special)
                .map(|ids| (ids, Vec::new())),
        }
        .map_err(failed)?;
        if self.options.boundary == Boundary::Joint {
            // of the prompt, what comes before `text` is known to agree
            let n_head = match skipped {
                0 => 0,
                _ => self.head.as_ref().map_or(0, |head| head.ids.len()),
            };
            let prompt = &self.prompt[n_head..];
            flaws.boundary |= !ids.starts_with(prompt);
            let n = prompt.len().min(ids.len());
            ids.drain(..n);
            starts.drain(..n.min(starts.len()));
        }
        if ids.is_empty() {
            let place = place();
            return Err(TokenizeError::EmptyResponse { place, side });
        }
        if !wants_features {
            return Ok(Answer {
                ids,
                features: None,
            });
        }
        // bytes of the answer: 0 before it, its length behind it
        for start in &mut starts {
            let at = *start + skipped;
            *start = at.clamp(whole.answer.start, whole.answer.end) - whole.answer.start;
        }
        let features = TokenFeatures::new(side, &answer.to_string(), &starts, annotation, rules);
        let features = features.map_err(|source| TokenizeError::Annotation {
            place: place(),
            source,
        })?;
        Ok(Answer {
            ids,
            features: Some(Box::new(features)),
        })
    }

    /// Prompt and answer together, ended.
    fn with_answer(&self, answer: &Text) -> Result<Whole, TokenizeError> {
        let eos = || self.tokenizer.eos_token().ok_or(TokenizeError::NoEos);
        if let (Text::Plain(prompt), Text::Plain(answer)) = (self.text, answer) {
            let eos = eos()?;
            let end = if answer.ends_with(eos) { "" } else { eos };
            return Ok(Whole {
                text: format!("{prompt}{answer}{end}"),
                is_rendered: false,
                answer: prompt.len()..prompt.len() + answer.len(),
            });
        }
        let all: Vec<Message> = [self.text, answer].into_iter().flat_map(turns).collect();
        let rendered = self.tokenizer.render(&all, self.tools, false);
        let mut text = rendered.map_err(|source| TokenizeError::Tokenizer {
            place: self.place.clone(),
            source,
        })?;
        if !self.tokenizer.ends_in_special(&text) {
            text.push_str(eos()?);
        }
        // the last turn's words, which a template may have stripped of white space around
        let content = answer.to_string();
        let start = text.rfind(content.trim()).unwrap_or(text.len());
        let start = start.saturating_sub(content.len() - content.trim_start().len());
        Ok(Whole {
            text,
            is_rendered: true,
            answer: start..start + content.len(),
        })
    }
}

/// The text of prompt and answer.
struct Whole {
    text: String,
    is_rendered: bool,
    /// Bytes of the answer's own words.
    answer: Range<usize>,
}

/// The turns of a text; a plain one is the assistant's.
fn turns(text: &Text) -> Vec<Message> {
    match text {
        Text::Conversation(turns) => turns.clone(),
        Text::Plain(content) => vec![Message::new("assistant", content)],
    }
}

/// Cuts a pair to the limit: the prompt first, alike for both answers, down to one token; then the
/// answers, at their end.
fn truncate(
    pair: &mut TokenPair,
    options: &TokenizeOptions,
    flaws: &mut Flaws,
) -> Result<(), TokenizeError> {
    let Some(limit) = options.max_length else {
        return Ok(());
    };
    if options.long_prompts == LongPrompts::Refuse && pair.prompt.len() >= limit {
        return Err(TokenizeError::LongPrompt {
            place: pair.place.clone(),
            tokens: pair.prompt.len(),
            max_length: limit,
        });
    }
    if pair.longest() <= limit {
        return Ok(());
    }
    let longest = pair.chosen.len().max(pair.rejected.len());
    let room = limit.saturating_sub(longest).max(1);
    if pair.prompt.len() > room {
        flaws.cut_prompt = true;
        match options.truncation {
            Truncation::KeepEnd => drop(pair.prompt.drain(..pair.prompt.len() - room)),
            Truncation::KeepStart => pair.prompt.truncate(room),
        }
    }
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
    Ok(())
}
