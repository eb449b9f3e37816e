//! Pieces of a list of tokens. In: tokens. Out: the parts between separators that are in no brackets.

use super::token::{Kind, Token};

/// The parts of `tokens` between the tokens that `separates` names, outside of all brackets, with the position of the
/// separator before each part but the first.
pub(super) fn split_at(
    tokens: &[Token],
    separates: impl Fn(&Token) -> bool,
) -> Vec<(Option<&Token>, &[Token])> {
    let (mut depth, mut start, mut before) = (0_usize, 0, None);
    let mut parts = Vec::new();
    for (i, token) in tokens.iter().enumerate() {
        if token.opens() {
            depth += 1;
        } else if token.closes() {
            depth = depth.saturating_sub(1);
        } else if depth == 0 && separates(token) {
            parts.push((before, &tokens[start..i]));
            (start, before) = (i + 1, Some(token));
        }
    }
    parts.push((before, &tokens[start..]));
    parts
}

/// The brackets around all the tokens, and the tokens between them.
pub(super) fn enclosed(tokens: &[Token]) -> Option<(&Token, &[Token], &Token)> {
    let [open, inner @ .., close] = tokens else {
        return None;
    };
    if !open.opens() || !close.closes() {
        return None;
    }
    let mut depth = 0_i64;
    for token in inner {
        depth += i64::from(token.opens()) - i64::from(token.closes());
        if depth < 0 {
            return None;
        }
    }
    (depth == 0).then_some((open, inner, close))
}

/// The character of a bracket; `\{` is a curly bracket as well.
pub(super) fn bracket(token: &Token) -> Option<char> {
    match &token.kind {
        Kind::Sign(c) => Some(*c),
        Kind::Command(name) => name.chars().next(),
        _ => None,
    }
}
