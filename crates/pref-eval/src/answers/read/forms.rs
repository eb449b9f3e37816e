//! Forms without parts of their own. In: tokens. Out: matrices, ratios, digits with a base, and intervals with outward
//! brackets.

use super::expression::whole_expression;
use super::number::small_word;
use super::pieces::split_at;
use super::token::{Kind, Token};
use crate::answers::answer::{Answer, Interval, Part};
use crate::answers::expression::{Constant, Expression};
use crate::answers::limits::MAX_ITEMS;

/// An interval whose open ends have brackets that point outwards, such as `]2, 5[`.
pub(super) fn outward_interval(tokens: &[Token]) -> Option<Answer> {
    let [open, inner @ .., close] = tokens else {
        return None;
    };
    let is_bracket = |token: &Token| token.is_sign('[') || token.is_sign(']');
    let is_outward = open.is_sign(']') || close.is_sign('[');
    if !is_outward || !is_bracket(open) || !is_bracket(close) {
        return None;
    }
    let parts = split_at(inner, |token| token.is_sign(',') || token.is_sign(';'));
    let [(_, low), (_, high)] = parts.as_slice() else {
        return None;
    };
    Some(Answer::Region(vec![Part::Interval(Interval {
        low: whole_expression(low)?,
        with_low: open.is_sign('['),
        high: whole_expression(high)?,
        with_high: close.is_sign(']'),
    })]))
}

/// `\begin{pmatrix} … \end{pmatrix}`
pub(super) fn matrix(tokens: &[Token]) -> Option<Answer> {
    let [first, inner @ .., last] = tokens else {
        return None;
    };
    let (Kind::Begin(name), Kind::End(_)) = (&first.kind, &last.kind) else {
        return None;
    };
    if !name.ends_with("matrix") && name != "array" {
        return None;
    }
    let inner = match inner {
        // The columns of an array: `{cc}`.
        [open, _, close, rest @ ..] if open.is_sign('{') && close.is_sign('}') => rest,
        _ => inner,
    };
    let mut rows = Vec::new();
    for (_, row) in split_at(inner, |token| token.is_sign('\n')) {
        if row.is_empty() {
            continue;
        }
        let cells = split_at(row, |token| token.is_sign('&'));
        let cells: Option<Vec<Expression>> = cells
            .iter()
            .map(|(_, cell)| whole_expression(cell))
            .collect();
        rows.push(cells?);
    }
    (!rows.is_empty() && rows.iter().map(Vec::len).sum::<usize>() <= MAX_ITEMS)
        .then_some(Answer::Matrix(rows))
}

/// Digits with a base: `101_2`, `1A_{16}`.
pub(super) fn based(tokens: &[Token]) -> Option<Answer> {
    let split = tokens
        .iter()
        .position(|token| token.is_sign('_') || token.word().is_some_and(|word| word == "base"))?;
    let mut digits = String::new();
    for token in &tokens[..split] {
        match &token.kind {
            Kind::Number(_, Some(text)) => digits.push_str(text),
            Kind::Word(word) => digits.push_str(word),
            _ => return None,
        }
    }
    let is_mark = |token: &&Token| !matches!(token.kind, Kind::Sign('{' | '}' | '(' | ')'));
    let base: Vec<&Token> = tokens[split + 1..].iter().filter(is_mark).collect();
    let base = match base.as_slice() {
        [only] => match &only.kind {
            Kind::Number(value, Some(_)) => u32::try_from(value.numer()).ok()?,
            Kind::Word(_) => u32::try_from(small_word(&only.word()?)?).ok()?,
            _ => return None,
        },
        _ => return None,
    };
    let starts_with_digit = digits.starts_with(|c: char| c.is_ascii_digit());
    let is_number =
        (2..=36).contains(&base) && !digits.is_empty() && digits.chars().all(|c| c.is_digit(base));
    (is_number && (starts_with_digit || base > 10) && digits.len() <= 200)
        .then(|| Answer::Based(digits.to_lowercase(), base))
}

/// `3 : 4`
pub(super) fn ratio(tokens: &[Token]) -> Option<Answer> {
    let parts = split_at(tokens, |token| {
        token.is_sign(':') || token.word().is_some_and(|word| word == "to")
    });
    if !(2..=8).contains(&parts.len()) {
        return None;
    }
    let terms: Option<Vec<Expression>> = parts
        .iter()
        .map(|(_, part)| whole_expression(part))
        .collect();
    let terms = terms?;
    let are_numbers = terms
        .iter()
        .all(|term| !matches!(term, Expression::Constant(Constant::Infinity)));
    are_numbers.then_some(Answer::Ratio(terms))
}
