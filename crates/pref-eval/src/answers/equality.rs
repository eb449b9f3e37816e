//! Equality of answers. In: two texts. Out: a verdict.

use std::cell::Cell;

use super::compare::same;
use super::limits::MAX_WORK;
use super::option::{option_before_text, option_letter};
use super::read::{Commas, clean, plain_words, read};
use super::verdict::Verdict;

/// Whether `found` is the same answer as `expected`.
///
/// Both are texts, in or outside of LaTeX. Numbers are compared exactly, so `1/2` is `0.5` and `0.333` is not `1/3`.
/// The page `docs/answers.md` of the project lists the rules. The order of the arguments matters in few cases only,
/// such as an option with its text, `(B) 42`, for the expected letter `B`.
///
/// The work is bounded, whatever the texts are, and no text leads to a panic.
pub fn compare_answers(expected: &str, found: &str) -> Verdict {
    let (expected, found) = (clean(expected), clean(found));
    if expected.is_empty() || found.is_empty() {
        return Verdict::Unknown;
    }
    if without_spaces(&expected) == without_spaces(&found) {
        return Verdict::Equal;
    }
    if let Some(letter) = option_letter(&expected)
        && let Some(other) = option_letter(&found).or_else(|| option_before_text(&found))
    {
        return Verdict::of(letter == other);
    }
    if let Some(verdict) = same_decision(&expected, &found) {
        return verdict;
    }
    // `new-york` could be a difference of products of letters.
    let are_words = |text: &str| {
        text.chars()
            .all(|c| c.is_alphabetic() || matches!(c, ' ' | '-' | '\'' | '"' | '.'))
            && text.split([' ', '-']).any(|word| word.len() > 2)
    };
    if are_words(&expected) && are_words(&found) && plain_words(&expected) == plain_words(&found) {
        return Verdict::Equal;
    }
    let work = Cell::new(MAX_WORK);
    let with =
        |first: Commas, second: Commas| same(&read(&expected, first), &read(&found, second), &work);
    let verdict = with(Commas::Thousands, Commas::Thousands);
    let n_commas = |text: &str| text.matches(',').count();
    match (n_commas(&expected), n_commas(&found)) {
        (0, 0) => verdict,
        // `3,5` is a list, or three and a half where a comma separates the decimals.
        (1, 0) if is_decimal(&expected) => verdict.or(|| with(Commas::Decimal, Commas::Thousands)),
        (0, 1) if is_decimal(&found) => verdict.or(|| with(Commas::Thousands, Commas::Decimal)),
        // `100,200` may be a list as well.
        _ => verdict.or(|| with(Commas::Items, Commas::Items)),
    }
}

/// The text without spaces, except between two letters or digits.
fn without_spaces(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut is_spaced = false;
    for c in text.chars() {
        if c.is_whitespace() {
            is_spaced = true;
            continue;
        }
        if is_spaced && c.is_alphanumeric() && result.ends_with(char::is_alphanumeric) {
            result.push(' ');
        }
        result.push(c);
        is_spaced = false;
    }
    result
}

/// Whether the text is digits with one comma, which does not separate thousands.
fn is_decimal(text: &str) -> bool {
    let text = text.trim_start_matches(['-', '$', '€', '£', ' ']);
    let Some((whole, decimals)) = text.split_once(',') else {
        return false;
    };
    let digits = decimals.bytes().take_while(u8::is_ascii_digit).count();
    let is_whole = !whole.is_empty() && whole.bytes().all(|b| b.is_ascii_digit());
    is_whole && digits > 0 && (digits != 3 || whole == "0")
}

/// `Yes, because …` for `Yes`.
fn same_decision(expected: &str, found: &str) -> Option<Verdict> {
    const DECISIONS: [&str; 4] = ["yes", "no", "true", "false"];
    let expected = plain_words(expected);
    let is_decision = DECISIONS.contains(&expected.as_str());
    if !is_decision {
        return None;
    }
    let (first, rest) = match found.split_once([',', '.', ';', ':']) {
        Some((first, rest)) => (first, rest),
        None => (found, ""),
    };
    let first = plain_words(first);
    let has_other = rest.split_whitespace().any(|word| {
        let word = plain_words(word);
        DECISIONS.contains(&word.as_str()) && word != first
    });
    (DECISIONS.contains(&first.as_str()) && !has_other).then(|| Verdict::of(first == expected))
}
