//! What is wrong with a set of pairs, before anything is spent on it. In: pairs. Out: findings, one
//! a line of the file, and a summary.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;

use serde::Serialize;

use crate::batch::Longest;
use crate::pair::{Message, Pair, Text};
use crate::tokenize::TokenPair;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// May be as it should be.
    Hint,
    /// Costs quality.
    Warning,
    /// Makes what is learnt or measured wrong.
    Error,
}

/// What kind of fault was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// The same pair twice.
    Duplicate,
    /// The same pair but for case, punctuation and white space.
    NearDuplicate,
    /// One row prefers an answer that another row rejects for it.
    Contradiction,
    /// An answer is preferred in one row, and rejected for another answer in a second.
    MixedLabel,
    /// A pair or a prompt of the evaluation set is in the training set.
    Overlap,
    /// The answers are the same but for case, punctuation and white space.
    NearlyIdentical,
    /// A prompt fills the window.
    LongPrompt,
    /// Prompt or answers are cut to the window.
    Truncated,
    /// Two beginning-of-sequence tokens.
    DoubledBos,
    /// An answer does not end in the end-of-sequence token, or holds one within.
    MisplacedEos,
    /// Prompt and answer share a token.
    Boundary,
    /// One side is longer so often that length alone tells the sides apart.
    LengthBias,
}

impl Fault {
    /// How bad it is.
    pub fn severity(self) -> Severity {
        match self {
            Fault::Contradiction | Fault::Overlap | Fault::DoubledBos | Fault::LongPrompt => {
                Severity::Error
            }
            Fault::Duplicate
            | Fault::Truncated
            | Fault::MisplacedEos
            | Fault::Boundary
            | Fault::LengthBias => Severity::Warning,
            Fault::NearDuplicate | Fault::MixedLabel | Fault::NearlyIdentical => Severity::Hint,
        }
    }

    /// As in messages: `near-duplicate`.
    pub fn name(self) -> &'static str {
        match self {
            Fault::Duplicate => "duplicate",
            Fault::NearDuplicate => "near-duplicate",
            Fault::Contradiction => "contradiction",
            Fault::MixedLabel => "mixed-label",
            Fault::Overlap => "overlap",
            Fault::NearlyIdentical => "nearly-identical",
            Fault::LongPrompt => "long-prompt",
            Fault::Truncated => "truncated",
            Fault::DoubledBos => "doubled-bos",
            Fault::MisplacedEos => "misplaced-eos",
            Fault::Boundary => "boundary",
            Fault::LengthBias => "length-bias",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One thing found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Line of the row, from 1; absent for what is true of the whole set.
    pub line: Option<usize>,
    /// What kind it is.
    pub fault: Fault,
    /// What a person should know.
    pub message: String,
}

/// Findings in the texts of a set of pairs, by line.
///
/// ```
/// use pref_data::{Fault, Pair, Text, lint_pairs};
/// let pair = |chosen: &str, rejected: &str, line| {
///     let [prompt, chosen, rejected] = ["2 + 2?", chosen, rejected].map(|t| Text::Plain(t.to_owned()));
///     Pair::new(prompt, chosen, rejected, line)
/// };
/// let findings = lint_pairs(&[pair("4", "5", 1), pair("5", "4", 2)]);
/// assert_eq!(findings[0].fault, Fault::Contradiction);
/// assert_eq!(findings[0].message, "prefers what line 1 rejects");
/// ```
pub fn lint_pairs(pairs: &[Pair]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut exact: HashMap<[String; 3], usize> = HashMap::new();
    let mut loose: HashMap<[String; 3], usize> = HashMap::new();
    let mut labels: HashMap<(String, String), (bool, usize)> = HashMap::new();
    let mut longer = 0_i64;
    for pair in pairs {
        let line = pair.line;
        let mut report = |fault, message| {
            findings.push(Finding {
                line: Some(line),
                fault,
                message,
            });
        };
        let key = [&pair.prompt, &pair.chosen, &pair.rejected].map(whole);
        let plain = key.clone().map(|text| loosened(&text));
        let [prompt, chosen, rejected] = key.clone();
        if let Some(first) = exact.get(&[prompt.clone(), rejected.clone(), chosen.clone()]) {
            report(
                Fault::Contradiction,
                format!("prefers what line {first} rejects"),
            );
        }
        let is_loose = match loose.entry(plain.clone()) {
            Entry::Occupied(first) => Some(*first.get()),
            Entry::Vacant(place) => {
                place.insert(line);
                None
            }
        };
        match (exact.entry(key), is_loose) {
            (Entry::Occupied(first), _) => {
                report(
                    Fault::Duplicate,
                    format!("the same pair as line {}", first.get()),
                );
            }
            (Entry::Vacant(place), near) => {
                place.insert(line);
                if let Some(first) = near {
                    let message = format!("the pair of line {first} but for case and punctuation");
                    report(Fault::NearDuplicate, message);
                }
            }
        }
        if plain[1] == plain[2] {
            let message = "the answers differ in nothing but case, punctuation or white space";
            report(Fault::NearlyIdentical, message.to_owned());
        }
        longer += (chosen.chars().count() as i64 - rejected.chars().count() as i64).signum();
        for (answer, is_chosen) in [(chosen, true), (rejected, false)] {
            match labels.entry((prompt.clone(), answer)) {
                Entry::Vacant(place) => {
                    place.insert((is_chosen, line));
                }
                Entry::Occupied(first) => {
                    let (was_chosen, first) = *first.get();
                    if was_chosen != is_chosen {
                        let [now, then] = if is_chosen {
                            ["chosen", "rejected"]
                        } else {
                            ["rejected", "chosen"]
                        };
                        let message = format!("an answer is {now} that is {then} in line {first}");
                        report(Fault::MixedLabel, message);
                    }
                }
            }
        }
    }
    findings.extend(length_bias(longer, pairs.len()));
    findings
}

/// A sign test of how often the chosen answer is the longer one.
fn length_bias(longer: i64, n: usize) -> Option<Finding> {
    let deviations = longer as f64 / (n as f64).sqrt();
    if n < 20 || deviations.abs() < 3.0 {
        return None;
    }
    let (side, other) = match longer > 0 {
        true => ("chosen", "rejected"),
        false => ("rejected", "chosen"),
    };
    let share = 50.0 + 50.0 * longer.unsigned_abs() as f64 / n as f64;
    Some(Finding {
        line: None,
        fault: Fault::LengthBias,
        message: format!(
            "the {side} answer is the longer one in {share:.0} % of {n} pairs, {:.1} standard deviations from chance; a model may learn length for quality (rdpo, simpo and ld-dpo account for it, or balance against the {other} side)",
            deviations.abs()
        ),
    })
}

/// Evaluation pairs that the training set holds, by line of the evaluation set.
pub fn lint_overlap(train: &[Pair], eval: &[Pair]) -> Vec<Finding> {
    let prompts: HashMap<String, usize> = train
        .iter()
        .rev()
        .map(|pair| (loosened(&whole(&pair.prompt)), pair.line))
        .collect();
    let overlap = |pair: &Pair| {
        let line = prompts.get(&loosened(&whole(&pair.prompt)))?;
        Some(Finding {
            line: Some(pair.line),
            fault: Fault::Overlap,
            message: format!("the prompt of line {line} of the training set"),
        })
    };
    eval.iter().filter_map(overlap).collect()
}

/// What a tokenizer's special tokens and the window make of a set, by line.
#[derive(Clone, Copy, Debug)]
pub struct TokenLint {
    /// The beginning-of-sequence token.
    pub bos_id: Option<u32>,
    /// The end-of-sequence token.
    pub eos_id: Option<u32>,
    /// Tokens of prompt and answer together that fit.
    pub max_length: usize,
}

impl TokenLint {
    /// Findings in pairs that were tokenized without a limit.
    pub fn findings(&self, pairs: &[TokenPair]) -> Vec<Finding> {
        let mut findings = Vec::new();
        for pair in pairs {
            let mut report = |fault, message| {
                findings.push(Finding {
                    line: Some(pair.line),
                    fault,
                    message,
                });
            };
            let (prompt, longest) = (pair.prompt.len(), pair.longest());
            let limit = self.max_length;
            if prompt >= limit {
                let message =
                    format!("the prompt has {prompt} tokens of {limit}, so no answer fits");
                report(Fault::LongPrompt, message);
            } else if longest > limit {
                let over = longest - limit;
                let message =
                    format!("{longest} tokens, {over} more than {limit}: the prompt is cut");
                report(Fault::Truncated, message);
            }
            if let Some(bos) = self.bos_id
                && pair.prompt.iter().take_while(|&&id| id == bos).count() > 1
            {
                let message = "the prompt begins with two beginning-of-sequence tokens: the template or the text writes one that the tokenizer adds";
                report(Fault::DoubledBos, message.to_owned());
            }
            let Some(eos) = self.eos_id else { continue };
            for (side, answer) in [("chosen", &pair.chosen), ("rejected", &pair.rejected)] {
                let count = answer.iter().filter(|&&id| id == eos).count();
                if count > 1 {
                    let message = format!("the {side} answer holds {count} end-of-sequence tokens");
                    report(Fault::MisplacedEos, message);
                } else if count == 0 {
                    let message = format!("the {side} answer has no end-of-sequence token");
                    report(Fault::MisplacedEos, message);
                }
            }
        }
        findings
    }
}

/// All that a text says, with the roles of its turns.
fn whole(text: &Text) -> String {
    match text {
        Text::Plain(text) => text.clone(),
        Text::Conversation(turns) => {
            let line = |turn: &Message| format!("{}: {}\n", turn.role, turn.content);
            turns.iter().map(line).collect()
        }
    }
}

/// Letters and digits, in lower case, one space between words.
fn loosened(text: &str) -> String {
    let words = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|w| !w.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join(" ")
}
