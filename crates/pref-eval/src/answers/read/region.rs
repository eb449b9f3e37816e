//! Parts of the real line. In: tokens of inequalities. Out: intervals and points.

use super::expression::whole_expression;
use super::token::{Kind, Token};
use crate::answers::answer::{Comparison, Interval, Part};
use crate::answers::expression::{Constant, Expression};

/// The relation that a token stands for.
pub(super) fn comparison(token: &Token) -> Option<Comparison> {
    match token.kind {
        Kind::Sign('=' | '≈' | '≡') => Some(Comparison::Equal),
        Kind::Sign('≠') => Some(Comparison::Unequal),
        Kind::Sign('<') => Some(Comparison::Less),
        Kind::Sign('≤') => Some(Comparison::LessOrEqual),
        Kind::Sign('>') => Some(Comparison::Greater),
        Kind::Sign('≥') => Some(Comparison::GreaterOrEqual),
        _ => None,
    }
}

pub(super) fn infinity(negative: bool) -> Expression {
    let infinity = Expression::Constant(Constant::Infinity);
    match negative {
        true => Expression::Negative(Box::new(infinity)),
        false => infinity,
    }
}

/// The interval of a variable that one inequality describes, such as `x > 3` or `2 ≥ x`.
pub(super) fn of_inequality(
    relation: Comparison,
    left: &Expression,
    right: &Expression,
) -> Option<(String, Part)> {
    let (name, relation, bound) = match (left, right) {
        (Expression::Variable(name), bound) if bound.variables().is_empty() => {
            (name, relation, bound)
        }
        (bound, Expression::Variable(name)) if bound.variables().is_empty() => {
            (name, relation.reversed(), bound)
        }
        _ => return None,
    };
    let interval = |low: Expression, with_low, high: Expression, with_high| {
        Part::Interval(Interval {
            low,
            with_low,
            high,
            with_high,
        })
    };
    let bound = bound.clone();
    let part = match relation {
        Comparison::Equal => Part::Points(vec![bound]),
        Comparison::Unequal => Part::AllBut(vec![bound]),
        Comparison::Less => interval(infinity(true), false, bound, false),
        Comparison::LessOrEqual => interval(infinity(true), false, bound, true),
        Comparison::Greater => interval(bound, false, infinity(false), false),
        Comparison::GreaterOrEqual => interval(bound, true, infinity(false), false),
    };
    Some((name.clone(), part))
}

/// The interval between the outer sides of `a < x ≤ b`.
pub(super) fn between(sides: [&[Token]; 3], relations: [Comparison; 2]) -> Option<(String, Part)> {
    let [low, middle, high] = sides.map(whole_expression);
    let (low, middle, high) = (low?, middle?, high?);
    let Expression::Variable(name) = middle else {
        return None;
    };
    if !low.variables().is_empty() || !high.variables().is_empty() {
        return None;
    }
    let with_bound = |relation| match relation {
        Comparison::Less | Comparison::Greater => Some(false),
        Comparison::LessOrEqual | Comparison::GreaterOrEqual => Some(true),
        Comparison::Equal | Comparison::Unequal => None,
    };
    let upwards = |relation| matches!(relation, Comparison::Less | Comparison::LessOrEqual);
    let [first, second] = relations;
    if upwards(first) != upwards(second) {
        return None;
    }
    let (with_first, with_second) = (with_bound(first)?, with_bound(second)?);
    let interval = match upwards(first) {
        true => Interval {
            low,
            with_low: with_first,
            high,
            with_high: with_second,
        },
        false => Interval {
            low: high,
            with_low: with_second,
            high: low,
            with_high: with_first,
        },
    };
    Some((name, Part::Interval(interval)))
}

/// The numbers above one bound and below another.
pub(super) fn both(first: &[Part], second: &[Part]) -> Option<Part> {
    let ([Part::Interval(a)], [Part::Interval(b)]) = (first, second) else {
        return None;
    };
    let (low, high) = match (a.high == infinity(false), b.low == infinity(true)) {
        (true, true) => (a, b),
        _ if a.low == infinity(true) && b.high == infinity(false) => (b, a),
        _ => return None,
    };
    Some(Part::Interval(Interval {
        low: low.low.clone(),
        with_low: low.with_low,
        high: high.high.clone(),
        with_high: high.with_high,
    }))
}
