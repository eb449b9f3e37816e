//! From pairs of text to pairs of ids, as TRL's `DPOTrainer` makes them.
//!
//! In: pairs and a tokenizer. Out: ids of prompt and answers, and a report of what had to be cut
//! or does not join well. The prompt is tokenized alone, prompt and answer together; the answer's
//! ids are those of both after as many as the prompt alone has. An end-of-sequence token is put
//! after a plain answer, and after a conversation that its template leaves open.

use std::fmt;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::annotation::{Annotation, AnnotationError, TokenFeatures};
use crate::pair::{Message, Pair, Text};
use crate::segment::PartRules;
use crate::tokenizer::{Tokenizer, TokenizerError};

/// A pair as token ids. Prompt and answers hold at least one token each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TokenPair {
    /// The prompt.
    pub prompt: Vec<u32>,
    /// The preferred answer, its end-of-sequence token included.
    pub chosen: Vec<u32>,
    /// The other answer.
    pub rejected: Vec<u32>,
    /// Line in its file, from 1.
    pub line: usize,
    /// What is known of the tokens of the chosen and of the rejected answer besides.
    pub features: [Option<Box<TokenFeatures>>; 2],
}

impl TokenPair {
    /// Tokens of the prompt and the longer answer.
    pub fn longest(&self) -> usize {
        self.prompt.len() + self.chosen.len().max(self.rejected.len())
    }

    /// Tokens of both sequences: the prompt counts twice.
    pub fn n_tokens(&self) -> usize {
        2 * self.prompt.len() + self.chosen.len() + self.rejected.len()
    }
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
    /// Label every token of the answers by these rules, where the row names no parts.
    pub parts: Option<PartRules>,
}

/// Pairs as ids, and what happened on the way.
#[derive(Clone, Debug, PartialEq)]
pub struct Tokenized {
    /// One for each pair, in order.
    pub pairs: Vec<TokenPair>,
    /// What happened on the way.
    pub report: TokenizeReport,
}

/// What happened on the way. Every list holds lines of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenizeReport {
    /// Pairs tokenized.
    pub pairs: usize,
    /// Prompt and answer share a token across their boundary, so that the ids of both do not begin
    /// with the prompt's.
    pub boundary_mismatches: Vec<usize>,
    /// The prompt was cut.
    pub cut_prompts: Vec<usize>,
    /// An answer was cut, and with it its end.
    pub cut_responses: Vec<usize>,
}

impl fmt::Display for TokenizeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} pairs", self.pairs)?;
        for (what, lines) in [
            ("boundary mismatches", &self.boundary_mismatches),
            ("prompts cut", &self.cut_prompts),
            ("responses cut at their end", &self.cut_responses),
        ] {
            if !lines.is_empty() {
                let first: Vec<String> = lines.iter().take(5).map(ToString::to_string).collect();
                let more = if lines.len() > 5 { ", …" } else { "" };
                let n = lines.len();
                write!(f, "; {n} {what} (lines {}{more})", first.join(", "))?;
            }
        }
        Ok(())
    }
}

/// A pair that cannot be made ids.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TokenizeError {
    /// The tokenizer or its template failed.
    #[error("line {line}: {source}")]
    Tokenizer {
        /// From 1.
        line: usize,
        /// Why.
        #[source]
        source: TokenizerError,
    },
    /// There is no token to end an answer with.
    #[error(
        "the tokenizer names no end-of-sequence token, so a model could not learn to stop; set `eos_token` in tokenizer_config.json"
    )]
    NoEos,
    /// A prompt without a token.
    #[error(
        "line {line}: the prompt has no token, and a model predicts nothing from nothing; give a prompt, or a tokenizer that begins with a token of its own"
    )]
    EmptyPrompt {
        /// From 1.
        line: usize,
    },
    /// An answer without a token of its own.
    #[error("line {line}: the {side} response has no token of its own after the prompt")]
    EmptyResponse {
        /// From 1.
        line: usize,
        /// `chosen` or `rejected`.
        side: &'static str,
    },
    /// Both answers are the same ids.
    #[error(
        "line {line}: chosen and rejected are the same tokens{reason}, so the pair expresses no preference"
    )]
    NoPreference {
        /// From 1.
        line: usize,
        /// Whether truncation made them so.
        reason: &'static str,
    },
    /// What the row says of an answer does not fit it.
    #[error("line {line}: {source}")]
    Annotation {
        /// From 1.
        line: usize,
        /// Why not.
        #[source]
        source: AnnotationError,
    },
    /// A prompt fills the limit by itself.
    #[error(
        "line {line}: the prompt has {tokens} tokens and max-length is {max_length}, so no response fits; raise data.max-length, shorten the prompt, or set data.long-prompts to \"cut\""
    )]
    LongPrompt {
        /// From 1.
        line: usize,
        /// Tokens of the prompt.
        tokens: usize,
        /// The limit.
        max_length: usize,
    },
    /// The limit leaves no room.
    #[error(
        "max-length {max_length} leaves no room for a prompt and a response; set it to at least 2"
    )]
    Limit {
        /// The limit.
        max_length: usize,
    },
}

/// Tokenizes pairs, in parallel; the result does not depend on the number of threads.
///
/// # Errors
/// [`TokenizeError`] of the first pair, in file order, that cannot be made ids.
pub fn tokenize(
    pairs: &[Pair],
    tokenizer: &Tokenizer,
    options: &TokenizeOptions,
) -> Result<Tokenized, TokenizeError> {
    if let Some(max_length) = options.max_length.filter(|&n| n < 2) {
        return Err(TokenizeError::Limit { max_length });
    }
    let results: Vec<Result<(TokenPair, Flaws), TokenizeError>> = pairs
        .par_iter()
        .map(|pair| one(pair, tokenizer, options))
        .collect();
    let mut report = TokenizeReport {
        pairs: pairs.len(),
        ..TokenizeReport::default()
    };
    let mut tokenized = Vec::with_capacity(pairs.len());
    for result in results {
        let (pair, flaws) = result?;
        for (is_flawed, lines) in [
            (flaws.boundary, &mut report.boundary_mismatches),
            (flaws.cut_prompt, &mut report.cut_prompts),
            (flaws.cut_response, &mut report.cut_responses),
        ] {
            if is_flawed {
                lines.push(pair.line);
            }
        }
        tokenized.push(pair);
    }
    Ok(Tokenized {
        pairs: tokenized,
        report,
    })
}

#[derive(Clone, Copy, Debug, Default)]
struct Flaws {
    boundary: bool,
    cut_prompt: bool,
    cut_response: bool,
}

fn one(
    pair: &Pair,
    tokenizer: &Tokenizer,
    options: &TokenizeOptions,
) -> Result<(TokenPair, Flaws), TokenizeError> {
    let line = pair.line;
    let failed = |source| TokenizeError::Tokenizer { line, source };
    let prompt = match &pair.prompt {
        Text::Plain(text) => tokenizer.encode(text).map_err(failed)?,
        Text::Conversation(turns) => {
            let text = tokenizer.apply_chat_template(turns, true).map_err(failed)?;
            tokenizer.encode_rendered(&text).map_err(failed)?
        }
    };
    if prompt.is_empty() {
        return Err(TokenizeError::EmptyPrompt { line });
    }
    let mut flaws = Flaws::default();
    let mut response = |text: &Text, side: &'static str, annotation: Option<&Annotation>| {
        let wants_features = annotation.is_some() || options.parts.is_some();
        let both = joint(&pair.prompt, text, tokenizer, line, wants_features)?;
        flaws.boundary |= !both.ids.starts_with(&prompt);
        let ids = match both.ids.get(prompt.len()..) {
            Some(ids) if !ids.is_empty() => ids.to_vec(),
            _ => return Err(TokenizeError::EmptyResponse { line, side }),
        };
        if !wants_features {
            return Ok((ids, None));
        }
        let starts = &both.starts[prompt.len()..];
        let text = text.to_string();
        let features = TokenFeatures::new(side, &text, starts, annotation, options.parts.as_ref());
        let features = features.map_err(|source| TokenizeError::Annotation { line, source })?;
        Ok((ids, Some(Box::new(features))))
    };
    let [of_chosen, of_rejected] = &pair.annotations;
    let (chosen, chosen_features) = response(&pair.chosen, "chosen", of_chosen.as_deref())?;
    let (rejected, rejected_features) =
        response(&pair.rejected, "rejected", of_rejected.as_deref())?;
    let mut pair = TokenPair {
        prompt,
        chosen,
        rejected,
        line,
        features: [chosen_features, rejected_features],
    };
    if pair.chosen == pair.rejected {
        let reason = "";
        return Err(TokenizeError::NoPreference { line, reason });
    }
    if let Some(max_length) = options.max_length
        && options.long_prompts == LongPrompts::Refuse
        && pair.prompt.len() >= max_length
    {
        let tokens = pair.prompt.len();
        return Err(TokenizeError::LongPrompt {
            line,
            tokens,
            max_length,
        });
    }
    truncate(&mut pair, options, &mut flaws);
    if pair.chosen == pair.rejected {
        let reason = " once cut to max-length";
        return Err(TokenizeError::NoPreference { line, reason });
    }
    Ok((pair, flaws))
}

/// Prompt and answer together, ended.
struct Joint {
    ids: Vec<u32>,
    /// Where each token starts, in bytes of the answer's text: 0 before it, its length behind it.
    /// Empty unless asked for.
    starts: Vec<usize>,
}

fn joint(
    prompt: &Text,
    response: &Text,
    tokenizer: &Tokenizer,
    line: usize,
    wants_starts: bool,
) -> Result<Joint, TokenizeError> {
    let failed = |source| TokenizeError::Tokenizer { line, source };
    let (text, is_rendered, answer) = match (prompt, response) {
        (Text::Plain(prompt), Text::Plain(response)) => {
            let eos = tokenizer.eos_token().ok_or(TokenizeError::NoEos)?;
            let end = if response.ends_with(eos) { "" } else { eos };
            let text = format!("{prompt}{response}{end}");
            (text, false, prompt.len()..prompt.len() + response.len())
        }
        (prompt, response) => {
            let all: Vec<Message> = [prompt, response].into_iter().flat_map(turns).collect();
            let mut text = tokenizer.apply_chat_template(&all, false).map_err(failed)?;
            if !tokenizer.ends_in_special(&text) {
                text.push_str(tokenizer.eos_token().ok_or(TokenizeError::NoEos)?);
            }
            // the last turn's words, which a template may have stripped of white space around
            let content = response.to_string();
            let stripped = content.trim();
            let start = text.rfind(stripped).unwrap_or(text.len());
            let start = start.saturating_sub(content.len() - content.trim_start().len());
            (text, true, start..start + content.len())
        }
    };
    if !wants_starts {
        let ids = match is_rendered {
            true => tokenizer.encode_rendered(&text),
            false => tokenizer.encode(&text),
        };
        return Ok(Joint {
            ids: ids.map_err(failed)?,
            starts: Vec::new(),
        });
    }
    let (ids, starts) = tokenizer
        .encode_with_starts(&text, !is_rendered)
        .map_err(failed)?;
    let within = |start: usize| start.clamp(answer.start, answer.end) - answer.start;
    Ok(Joint {
        ids,
        starts: starts.into_iter().map(within).collect(),
    })
}

/// The turns of a text; a plain one is the assistant's.
fn turns(text: &Text) -> Vec<Message> {
    match text {
        Text::Conversation(turns) => turns.clone(),
        Text::Plain(content) => vec![Message {
            role: "assistant".to_owned(),
            content: content.clone(),
        }],
    }
}

/// Cuts a pair to the limit: the prompt first, alike for both answers, down to one token; then the
/// answers, at their end.
fn truncate(pair: &mut TokenPair, options: &TokenizeOptions, flaws: &mut Flaws) {
    let Some(limit) = options.max_length else {
        return;
    };
    if pair.longest() <= limit {
        return;
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
}
