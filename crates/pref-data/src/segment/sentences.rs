//! Sentences by Unicode's rules, mended where those know no better: abbreviations, initials,
//! wrapped lines, formulas within a line. Code, tables, formulas, headings and list items are one
//! segment each.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use super::Segmenter;
use super::blocks::{Kind, blocks};

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
        divide(text, &[Kind::Prose])
    }
}

/// As [`Sentences`], and the sentences of list items one by one.
///
/// ```
/// use pref_data::{ItemSentences, Segmenter};
/// let text = "- One. Two.\n- Three.\n";
/// let parts: Vec<&str> = ItemSentences.segment(text).into_iter().map(|r| &text[r]).collect();
/// assert_eq!(parts, ["- One. ", "Two.\n", "- Three.\n"]);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ItemSentences;

impl Segmenter for ItemSentences {
    fn segment(&self, text: &str) -> Vec<Range<usize>> {
        divide(text, &[Kind::Prose, Kind::Item])
    }
}

/// Blocks, those of some kinds in sentences.
fn divide(text: &str, divided: &[Kind]) -> Vec<Range<usize>> {
    let mut all = Vec::new();
    for block in blocks(text) {
        match divided.contains(&block.kind) {
            true => all.extend(prose(text, block.range)),
            false => all.push(block.range),
        }
    }
    all
}

fn prose(text: &str, range: Range<usize>) -> Vec<Range<usize>> {
    let mut all: Vec<Range<usize>> = Vec::new();
    for (at, piece) in text[range.clone()].split_sentence_bound_indices() {
        let end = range.start + at + piece.len();
        // marks that close what the sentence before opened are its own
        let closing = if all.is_empty() { 0 } else { closing(piece) };
        let piece = &piece[closing..];
        let start = end - piece.len();
        match all.last_mut() {
            Some(last) => {
                last.end = start;
                match piece.is_empty() || goes_on(&text[last.clone()], piece, &text[end..range.end])
                {
                    true => last.end = end,
                    false => all.push(start..end),
                }
            }
            None => all.push(start..end),
        }
    }
    all
}

/// Bytes of the marks with which a piece begins, such as the `**` behind a bold sentence, and of the
/// white space behind them; 0 where they open something.
fn closing(piece: &str) -> usize {
    let is_mark = |c: char| "*_~`\"'”’»)]".contains(c);
    let rest = piece.trim_start_matches(is_mark);
    match rest.is_empty() || rest.starts_with(char::is_whitespace) {
        true if rest.len() < piece.len() => piece.len() - rest.trim_start().len(),
        _ => 0,
    }
}

/// Whether the sentence `before` is not over where Unicode's rules end it. `rest` is what follows
/// `next` in the paragraph.
fn goes_on(before: &str, next: &str, rest: &str) -> bool {
    let trimmed = before.trim_end();
    let first = next.trim_start().chars().next();
    if trimmed.is_empty() || !next.contains(char::is_alphanumeric) {
        return true;
    }
    // code, or a quotation, is still open
    let n_ticks = trimmed.matches('`').count();
    let is_quoted = trimmed.matches('«').count() > trimmed.matches('»').count();
    if (n_ticks % 2 == 1 && next.contains('`'))
        || (is_quoted && (next.contains('»') || rest.contains('»')))
    {
        return true;
    }
    // an address, a name of a file: a sentence of Latin letters ends before white space
    if trimmed.len() == before.len() && trimmed.ends_with(['.', '?', '!', ':']) {
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
    let ends_in_quote = trimmed.ends_with(['"', '\u{201d}', '\'', '\u{2019}', '»', ')']);
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
    let name = word.trim_start_matches(|c: char| !c.is_alphanumeric());
    let is_initial = |part: &str| {
        let mut letters = part.chars();
        letters.next().is_some_and(char::is_uppercase) && letters.next().is_none()
    };
    // `**1. Title**`: a number that nothing but marks precede counts
    let opening = |c: char| !c.is_alphanumeric();
    let is_number = stem.trim_start_matches(opening) == name
        && name.len() <= 3
        && !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_digit());
    let lowered = name.to_lowercase();
    is_number || name.split('.').all(is_initial) || ABBREVIATIONS.contains(&lowered.as_str())
}

/// Whether the last `$` of a text opens a formula, and no sum of money: no digit follows it.
fn is_math(text: &str) -> bool {
    let after = text.rsplit('$').next().unwrap_or_default();
    after
        .chars()
        .next()
        .is_some_and(|c| !c.is_ascii_digit() && !c.is_whitespace())
}
