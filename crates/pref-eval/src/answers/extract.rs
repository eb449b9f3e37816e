//! Final answers in responses. In: the text of a response. Out: the piece of it that is the answer.

use std::sync::OnceLock;

use regex::{Regex, RegexBuilder};

use super::answer::Answer;
use super::option::option_before_text;
use super::read::{Commas, clean, read};

/// How the final answer of a response is found.
#[derive(Clone, Debug)]
pub enum Extraction {
    /// The last `\boxed{…}`; else what follows `####`, "the answer is" or `A:`; else the whole text if it is an answer;
    /// else the last formula; else the last number.
    Auto,
    /// What follows the last `####`, or the last `A:` at the start of a line.
    Gsm8k,
    /// The last `\boxed{…}`.
    Boxed,
    /// The last number.
    Number,
    /// The first group of the last match of a regular expression, or the whole match if it has no group.
    Regex(Regex),
}

/// A name of an extraction that does not exist, or an expression that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExtractionError {
    /// No extraction has this name.
    #[error("no extraction `{name}`; expected auto, gsm8k, boxed, number or regex:EXPRESSION")]
    Name {
        /// What was given.
        name: String,
    },
    /// The regular expression is not valid, or too large.
    #[error("`{expression}` is no regular expression that can be used")]
    Regex {
        /// What was given.
        expression: String,
        /// What is wrong with it.
        #[source]
        source: regex::Error,
    },
}

impl std::str::FromStr for Extraction {
    type Err = ExtractionError;

    fn from_str(name: &str) -> Result<Self, ExtractionError> {
        if let Some(expression) = name.strip_prefix("regex:") {
            let built = RegexBuilder::new(expression).multi_line(true).build();
            return built
                .map(Extraction::Regex)
                .map_err(|source| ExtractionError::Regex {
                    expression: expression.to_owned(),
                    source,
                });
        }
        match name {
            "auto" => Ok(Extraction::Auto),
            "gsm8k" => Ok(Extraction::Gsm8k),
            "boxed" => Ok(Extraction::Boxed),
            "number" => Ok(Extraction::Number),
            _ => Err(ExtractionError::Name {
                name: name.to_owned(),
            }),
        }
    }
}

impl Extraction {
    /// The final answer in a response, or none if the response has none. What a model thought before `</think>` does
    /// not count.
    pub fn extract<'a>(&self, response: &'a str) -> Option<&'a str> {
        let response = match response.rfind("</think>") {
            Some(at) => &response[at + "</think>".len()..],
            None => response,
        };
        let found = match self {
            Extraction::Auto => auto(response),
            Extraction::Gsm8k => after_hashes(response).or_else(|| after_label(response)),
            Extraction::Boxed => last_boxed(response),
            Extraction::Number => last_number(response),
            Extraction::Regex(regex) => {
                let last = regex.captures_iter(response).last()?;
                last.get(1)
                    .or_else(|| last.get(0))
                    .map(|group| group.as_str())
            }
        };
        found.map(str::trim).filter(|answer| !answer.is_empty())
    }
}

/// The answer in an expected answer, which may be a whole solution: what is in its last `\boxed{…}`, what follows
/// `####` or `A:`, or else all of it.
pub fn expected_answer(text: &str) -> &str {
    let found = last_boxed(text)
        .or_else(|| after_hashes(text))
        .or_else(|| after_label(text).filter(|_| text.contains('\n')));
    found
        .or_else(|| after_phrase(text).filter(|_| !is_answer(text)))
        .unwrap_or(text)
        .trim()
}

/// Most unclosed `\boxed{` that are looked at, from the end.
const MAX_BOXES: usize = 16;
/// Longest text that is taken as an answer as a whole, in bytes.
const MAX_WHOLE: usize = 300;
/// Most words of a text without numbers that is taken as an answer as a whole.
const MAX_WORDS: usize = 6;

fn auto(response: &str) -> Option<&str> {
    if let Some(found) = last_boxed(response).or_else(|| after_hashes(response)) {
        return Some(found);
    }
    if let Some(found) = after_phrase(response) {
        return Some(found);
    }
    let whole = response.trim();
    if whole.len() <= MAX_WHOLE {
        let is_short = whole.split_whitespace().count() <= MAX_WORDS;
        let has_digit = whole.contains(|c: char| c.is_ascii_digit());
        let has_letter = whole.contains(char::is_alphabetic);
        if is_answer(whole)
            || !has_letter
            || option_before_text(&clean(whole)).is_some()
            || (is_short && (!has_digit || has_negation(whole)))
        {
            return Some(whole);
        }
    }
    last_formula(response).or_else(|| last_number(response))
}

/// Whether a text reads as mathematics and not as words.
fn is_answer(text: &str) -> bool {
    let text = clean(text);
    if text.is_empty() || text.len() > MAX_WHOLE {
        return false;
    }
    let is_text = |answer: &Answer| matches!(answer, Answer::Text(_));
    match read(&text, Commas::Thousands) {
        Answer::Text(_) => false,
        Answer::List(list) => !list.items.iter().all(is_text),
        _ => true,
    }
}

fn has_negation(text: &str) -> bool {
    let text = text.to_lowercase();
    let mut words = text.split(|c: char| !c.is_alphanumeric() && c != '\'');
    words
        .any(|word| matches!(word, "not" | "never" | "neither" | "cannot") || word.ends_with("n't"))
}

/// What is in the last `\boxed{…}` or `\fbox{…}`.
fn last_boxed(text: &str) -> Option<&str> {
    let mut end = text.len();
    for _ in 0..MAX_BOXES {
        let at = text[..end]
            .rfind("\\boxed")
            .max(text[..end].rfind("\\fbox"))?;
        let name = if text[at..].starts_with("\\boxed") {
            "\\boxed"
        } else {
            "\\fbox"
        };
        let after = text[at + name.len()..].trim_start();
        if let Some(inner) = after.strip_prefix('{') {
            if let Some(length) = closing(inner) {
                return Some(&inner[..length]);
            }
        } else if let Some(word) = after
            .split([' ', '\n', '$', '\\'])
            .next()
            .filter(|word| !word.is_empty())
        {
            return Some(word.trim_end_matches(['.', ',']));
        }
        end = at;
    }
    None
}

/// The position of the brace that closes a group.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut escaped = false;
    for (i, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '{' => depth += 1,
            '}' if depth == 0 => return Some(i),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn first_line(text: &str) -> &str {
    text.trim_start().lines().next().unwrap_or_default().trim()
}

fn after_hashes(text: &str) -> Option<&str> {
    let at = text.rfind("####")?;
    Some(first_line(&text[at + 4..])).filter(|answer| !answer.is_empty())
}

/// What follows the last `A:` or `Answer:` at the start of a line.
fn after_label(text: &str) -> Option<&str> {
    static LABEL: OnceLock<Regex> = OnceLock::new();
    let label = pattern(
        &LABEL,
        r"(?im)^\s*[*_]*(?:a|answer|final answer|ans)[*_]*\s*:[*_]*",
    );
    let last = label.find_iter(text).last()?;
    Some(first_line(&text[last.end()..])).filter(|answer| !answer.is_empty())
}

fn pattern<'a>(cell: &'a OnceLock<Regex>, expression: &str) -> &'a Regex {
    cell.get_or_init(|| Regex::new(expression).expect("the expression is valid"))
}

/// What follows "the answer is" or a label, whichever comes last.
fn after_phrase(text: &str) -> Option<&str> {
    static PHRASE: OnceLock<Regex> = OnceLock::new();
    let phrase = pattern(
        &PHRASE,
        r"(?im)(?:\banswer\b[*_]*\s*(?:to\s[^.\n]{1,80}\s)?(?:is|=|:|was|would be|should be)[*_]*\s*:?|^\s*[*_]*(?:a|ans)[*_]*\s*:[*_]*)",
    );
    let last = phrase.find_iter(text).last()?;
    let rest = text[last.end()..].trim_start_matches(|c: char| c.is_whitespace() || c == ':');
    let line = first_line(rest);
    let sentence = sentence(line);
    if sentence.is_empty() {
        return None;
    }
    if is_answer(sentence) {
        return Some(sentence);
    }
    let words = sentence.split_whitespace().count();
    let has_digit = sentence.contains(|c: char| c.is_ascii_digit());
    if let Some(formula) = last_formula(sentence) {
        return Some(formula);
    }
    if has_digit && (words > 2 || has_negation(sentence)) {
        return last_number(sentence).or(Some(sentence));
    }
    Some(sentence)
}

/// The first sentence, without reasons after the answer.
fn sentence(line: &str) -> &str {
    static END: OnceLock<Regex> = OnceLock::new();
    let end = pattern(
        &END,
        r"(?i)\.\s|[!?]\s|,?\s(?:because|since|so that|which is|as shown|as required)\b|,\s(?:so|as|hence|therefore)\b",
    );
    let cut = end.find(line).map_or(line.len(), |found| found.start());
    line[..cut].trim()
}

/// The inside of the last formula in dollars or in LaTeX's brackets, if it reads as an answer.
fn last_formula(text: &str) -> Option<&str> {
    static FORMULA: OnceLock<Regex> = OnceLock::new();
    let formula = pattern(
        &FORMULA,
        r"(?s)\$\$(.+?)\$\$|\\\[(.+?)\\\]|\\\((.+?)\\\)|\$([^$\n]+)\$",
    );
    let last = formula.captures_iter(text).last()?;
    let inner = (1..=4).find_map(|i| last.get(i))?.as_str();
    is_answer(inner).then_some(inner)
}

/// The last number of a text, with its sign, currency and percent sign. A number after "not" does not count.
fn last_number(text: &str) -> Option<&str> {
    static NUMBER: OnceLock<Regex> = OnceLock::new();
    let number = pattern(
        &NUMBER,
        r"[$€£]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][+-]?\d+)?(?:\s?/\s?\d+)?(?:\s?\\?%)?|[$€£]?\.\d+(?:\s?\\?%)?",
    );
    static DENIED: OnceLock<Regex> = OnceLock::new();
    let denied = pattern(&DENIED, r"(?i)(?:\bnot|n't)\s+(?:\w+\s+)?$");
    let found = number.find_iter(text).filter(|found| {
        let before = &text[..found.start()];
        // Only the end of the text before the number is looked at, so that the work grows with the text.
        let tail = before.char_indices().rev().nth(40).map_or(0, |(i, _)| i);
        !denied.is_match(&before[tail..])
    });
    let last = found.last()?;
    let before = &text[..last.start()];
    let is_signed = before
        .strip_suffix(['-', '\u{2212}'])
        .is_some_and(|before| {
            !before
                .trim_end()
                .ends_with(|c: char| c.is_alphanumeric() || matches!(c, ')' | ']' | '}'))
                || before.ends_with(char::is_whitespace)
                    && before.trim_end().ends_with(char::is_alphabetic)
        });
    let start = match is_signed {
        true => before
            .char_indices()
            .next_back()
            .map_or(last.start(), |(i, _)| i),
        false => last.start(),
    };
    Some(&text[start..last.end()])
}
