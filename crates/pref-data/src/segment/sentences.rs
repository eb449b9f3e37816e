//! Sentences by Unicode's rules, mended where those know no better: abbreviations, initials,
//! wrapped lines, formulas within a line. Code, tables, formulas, headings and list items are one
//! segment each.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use super::Segmenter;
use super::blocks::blocks;

/// Sentences (Unicode Standard Annex 29), with blocks of Markdown whole.
///
/// ```
/// use pref_data::{Segmenter, Sentences};
/// let text = "Dr. Lee paid $3.50 for it. \"Why?\" she asked.\n- one item. It stays whole.\n";
/// let parts: Vec<&str> = Sentences.segment(text).into_iter().map(|r| &text[r]).collect();
/// assert_eq!(parts, [
///     "Dr. Lee paid $3.50 for it. ",
///     "\"Why?\" she asked.\n",
///     "- one item. It stays whole.\n",
/// ]);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sentences;

/// Words that end in a full stop within a sentence.
const ABBREVIATIONS: [&str; 44] = [
    "dr", "mr", "mrs", "ms", "prof", "st", "jr", "sr", "rev", "gen", "col", "capt", "lt", "vs",
    "etc", "e.g", "i.e", "cf", "al", "approx", "no", "nos", "fig", "figs", "eq", "eqs", "sec",
    "ch", "vol", "pp", "p", "ed", "eds", "inc", "ltd", "co", "corp", "dept", "est", "min", "max",
    "a.m", "p.m", "u.s",
];

impl Segmenter for Sentences {
    fn segment(&self, text: &str) -> Vec<Range<usize>> {
        let mut all = Vec::new();
        for block in blocks(text) {
            if block.is_prose {
                all.extend(prose(text, block.range));
            } else {
                all.push(block.range);
            }
        }
        all
    }
}

fn prose(text: &str, range: Range<usize>) -> Vec<Range<usize>> {
    let mut all: Vec<Range<usize>> = Vec::new();
    for (at, piece) in text[range.clone()].split_sentence_bound_indices() {
        let next = range.start + at..range.start + at + piece.len();
        match all.last_mut() {
            Some(last) if goes_on(&text[last.clone()], piece) => last.end = next.end,
            _ => all.push(next),
        }
    }
    all
}

/// Whether the sentence `before` is not over where Unicode's rules end it.
fn goes_on(before: &str, next: &str) -> bool {
    let trimmed = before.trim_end();
    let first = next.trim_start().chars().next();
    if next.trim().is_empty() || trimmed.is_empty() {
        return true;
    }
    // a formula is still open
    if trimmed.matches("$").count() % 2 == 1
        && before.contains('$')
        && next.contains('$')
        && is_math(before)
    {
        return true;
    }
    if trimmed.matches("\\(").count() > trimmed.matches("\\)").count() {
        return true;
    }
    // a question within a sentence: "Why?" she asked
    let starts_low = first.is_some_and(char::is_lowercase);
    let ends_in_quote = trimmed.ends_with(['"', '\u{201d}', '\'', '\u{2019}', ')']);
    if starts_low && ends_in_quote {
        return true;
    }
    let is_wrapped = before.ends_with('\n') && !before.ends_with("\n\n");
    let is_ended = trimmed.ends_with([
        '.', '!', '?', ':', '。', '！', '？', '…', '"', '\u{201d}', ')',
    ]);
    if is_wrapped && !is_ended && starts_low {
        return true;
    }
    let Some(stem) = trimmed.strip_suffix('.') else {
        return false;
    };
    if before.contains('\n') && before.ends_with('\n') {
        return false;
    }
    let word = stem
        .rsplit(|c: char| c.is_whitespace() || c == '(' || c == '"')
        .next()
        .unwrap_or_default();
    let is_initial = word.chars().count() == 1 && word.chars().all(char::is_uppercase);
    let lowered = word.to_lowercase();
    is_initial || ABBREVIATIONS.contains(&lowered.as_str())
}

/// Whether the last `$` of a text opens a formula, and no sum of money: no digit follows it.
fn is_math(text: &str) -> bool {
    let after = text.rsplit('$').next().unwrap_or_default();
    after
        .chars()
        .next()
        .is_some_and(|c| !c.is_ascii_digit() && !c.is_whitespace())
}
