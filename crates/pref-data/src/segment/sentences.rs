//! Sentences as segments. In: text, possibly Markdown. Out: byte ranges of sentences. Unicode's rules
//! find the boundaries, and further rules remove wrong ones: after abbreviations and initials, at
//! wrapped lines, inside formulas. A code block, table, formula, heading or list item is one segment.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use super::blocks::{Kind, blocks};
use super::segmenter::Segmenter;

/// Sentences (Unicode Standard Annex 29). Markdown blocks other than paragraphs are not divided.
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

/// Words after which a full stop does not end the sentence.
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

/// Like [`Sentences`], but list items are divided into sentences too.
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

/// Divides the blocks of the kinds `divided` into sentences, and keeps the other blocks whole.
fn divide(text: &str, divided: &[Kind]) -> Vec<Range<usize>> {
    let mut all = Vec::new();
    for block in blocks(text) {
        match divided.contains(&block.kind) {
            true => all.extend(sentences(text, block.range)),
            false => all.push(block.range),
        }
    }
    all
}

/// The sentences of a paragraph.
fn sentences(text: &str, range: Range<usize>) -> Vec<Range<usize>> {
    let mut all: Vec<Range<usize>> = Vec::new();
    for (at, piece) in text[range.clone()].split_sentence_bound_indices() {
        let end = range.start + at + piece.len();
        // closing marks at the start of a piece belong to the sentence before
        let n_closing = if all.is_empty() {
            0
        } else {
            closing_bytes(piece)
        };
        let piece = &piece[n_closing..];
        let start = end - piece.len();
        match all.last_mut() {
            Some(last) => {
                last.end = start;
                match piece.is_empty()
                    || continues(&text[last.clone()], piece, &text[end..range.end])
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

/// How many bytes at the start of a piece are closing marks, such as the `**` after a bold sentence,
/// and the white space after them. 0 if the marks are opening ones, that is if a word follows.
fn closing_bytes(piece: &str) -> usize {
    let is_mark = |c: char| "*_~`\"'”’»)]".contains(c);
    let rest = piece.trim_start_matches(is_mark);
    match rest.is_empty() || rest.starts_with(char::is_whitespace) {
        true if rest.len() < piece.len() => piece.len() - rest.trim_start().len(),
        _ => 0,
    }
}

/// Whether the sentence `before` continues in `next`, although Unicode's rules end it there. `rest` is
/// the text of the paragraph after `next`.
fn continues(before: &str, next: &str, rest: &str) -> bool {
    let trimmed = before.trim_end();
    let first = next.trim_start().chars().next();
    if trimmed.is_empty() || !next.contains(char::is_alphanumeric) {
        return true;
    }
    // inline code or a quotation is still open
    let n_ticks = trimmed.matches('`').count();
    let is_quoted = trimmed.matches('«').count() > trimmed.matches('»').count();
    if (n_ticks % 2 == 1 && next.contains('`'))
        || (is_quoted && (next.contains('»') || rest.contains('»')))
    {
        return true;
    }
    // no white space follows, as inside an address or a file name
    if trimmed.len() == before.len() && trimmed.ends_with(['.', '?', '!', ':']) {
        return true;
    }
    // a formula between dollar signs is still open
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
    // a quotation inside a sentence: "Why?" she asked
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
    // the number of a list item or title, possibly after marks: `**1. Title**`
    let opening = |c: char| !c.is_alphanumeric();
    let is_number = stem.trim_start_matches(opening) == name
        && name.len() <= 3
        && !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_digit());
    let lowered = name.to_lowercase();
    is_number || name.split('.').all(is_initial) || ABBREVIATIONS.contains(&lowered.as_str())
}

/// Whether the last `$` of a text opens a formula. Before a digit it is a sum of money, before white
/// space it opens nothing.
fn is_math(text: &str) -> bool {
    let after = text.rsplit('$').next().unwrap_or_default();
    after
        .chars()
        .next()
        .is_some_and(|c| !c.is_ascii_digit() && !c.is_whitespace())
}
