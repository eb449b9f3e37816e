//! Comparison of structures. In: two answers as they were read. Out: a verdict.

use std::cell::Cell;

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::Zero;

use super::expressions::{same_expression, same_up_to_factor};
use super::quantities::same_quantity;
use super::regions::same_region;
use crate::answers::answer::{Answer, Brackets, Comparison, List, Quantity, Unit};
use crate::answers::expression::Expression;
use crate::answers::limits::MAX_DEPTH;
use crate::answers::read::region;
use crate::answers::verdict::Verdict;

/// Whether two answers are the same.
pub(crate) fn same(a: &Answer, b: &Answer, work: &Cell<u32>) -> Verdict {
    compare(a, b, work, 0)
}

fn compare(a: &Answer, b: &Answer, work: &Cell<u32>, depth: usize) -> Verdict {
    if a == b {
        return Verdict::Equal;
    }
    if depth > MAX_DEPTH {
        return Verdict::Unknown;
    }
    let next = |a: &Answer, b: &Answer| compare(a, b, work, depth + 1);
    match (a, b) {
        (Answer::Quantity(a), Answer::Quantity(b)) => same_quantity(a, b, work),
        (Answer::Named(first, x), Answer::Named(second, y)) => {
            let is_word = |name: &str| name.chars().count() > 1 && !name.contains('_');
            match first == second || is_word(first) || is_word(second) {
                true => next(x, y),
                false => same_relation(a, b, work),
            }
        }
        (Answer::Relation(..), Answer::Relation(..) | Answer::Named(..))
        | (Answer::Named(..), Answer::Relation(..)) => same_relation(a, b, work),
        (Answer::Named(_, value), other) => next(value, other),
        (other, Answer::Named(_, value)) => next(other, value),
        (Answer::List(x), Answer::List(y)) => same_list(x, y, work, depth),
        (Answer::Region(x), other) | (other, Answer::Region(x)) => match region(other.clone()) {
            Some(y) => same_region(x, &y, work),
            None => same_finite(x, other, work),
        },
        (Answer::List(list), Answer::Matrix(rows)) | (Answer::Matrix(rows), Answer::List(list)) => {
            same_vector(list, rows, work, depth)
        }
        (Answer::List(list), other) | (other, Answer::List(list)) => match list.items.as_slice() {
            [only] => next(only, other),
            _ => Verdict::Different,
        },
        (Answer::Matrix(x), Answer::Matrix(y)) => {
            let same_shape = x.len() == y.len() && x.iter().zip(y).all(|(x, y)| x.len() == y.len());
            if !same_shape {
                return Verdict::Different;
            }
            let cells = x.iter().flatten().zip(y.iter().flatten());
            Verdict::all(cells.map(|(x, y)| same_expression(x, y, work)))
        }
        (Answer::Ratio(x), Answer::Ratio(y)) => same_ratio(x, y, work),
        (Answer::Ratio(terms), Answer::Quantity(other))
        | (Answer::Quantity(other), Answer::Ratio(terms)) => match terms.as_slice() {
            [top, bottom] => same_expression(&quotient(top, bottom), &other.value, work),
            _ => Verdict::Different,
        },
        (Answer::Based(x, base), Answer::Based(y, other)) => {
            Verdict::of(based_value(x, *base) == based_value(y, *other))
        }
        (Answer::Based(digits, base), Answer::Quantity(other))
        | (Answer::Quantity(other), Answer::Based(digits, base)) => {
            let number = |base| Expression::Number(based_value(digits, base));
            // The question names the base, so it may be left out.
            let as_digits = || match digits.chars().all(|c| c.is_ascii_digit()) {
                true => same_expression(&number(10), &other.value, work),
                false => Verdict::Different,
            };
            same_expression(&number(*base), &other.value, work).or(as_digits)
        }
        (Answer::Time(x, x_half), Answer::Time(y, y_half)) => {
            Verdict::of(x == y || (x_half != y_half && x % 720 == y % 720))
        }
        (Answer::Time(minutes, _), Answer::Ratio(terms))
        | (Answer::Ratio(terms), Answer::Time(minutes, _)) => {
            Verdict::of(clock(terms).is_some_and(|clock| clock % 720 == minutes % 720))
        }
        (Answer::Date(x_year, x_month, x_day), Answer::Date(y_year, y_month, y_day)) => {
            let years = x_year.is_none() || y_year.is_none() || x_year == y_year;
            Verdict::of(years && x_month == y_month && x_day == y_day)
        }
        (Answer::Text(words), Answer::Text(other)) => same_words(words, other),
        (Answer::Text(words), Answer::Quantity(quantity))
        | (Answer::Quantity(quantity), Answer::Text(words)) => match &quantity.value {
            Expression::Variable(letter) => Verdict::of(letter.to_lowercase() == *words),
            _ => Verdict::Different,
        },
        _ => Verdict::Different,
    }
}

fn same_words(a: &str, b: &str) -> Verdict {
    if a == b {
        return Verdict::Equal;
    }
    let has_digit = a.contains(|c: char| c.is_ascii_digit());
    let (a, b) = (a.replace(' ', ""), b.replace(' ', ""));
    Verdict::of(a == b && !a.is_empty() && !has_digit)
}

/// A region that may be a single number, such as `{5}`.
fn same_finite(
    parts: &[crate::answers::answer::Part],
    other: &Answer,
    work: &Cell<u32>,
) -> Verdict {
    use crate::answers::answer::Part;
    let others: Vec<&Quantity> = match other {
        Answer::Quantity(quantity) => vec![quantity],
        Answer::List(list) => {
            let quantities = list.items.iter().map(|item| match item {
                Answer::Quantity(quantity) => Some(quantity),
                Answer::Named(_, value) => match value.as_ref() {
                    Answer::Quantity(quantity) => Some(quantity),
                    _ => None,
                },
                _ => None,
            });
            match quantities.collect() {
                Some(quantities) => quantities,
                None => return Verdict::Different,
            }
        }
        _ => return Verdict::Different,
    };
    if others
        .iter()
        .any(|quantity| !quantity.value.variables().is_empty())
    {
        return Verdict::Different;
    }
    let points = others
        .iter()
        .map(|quantity| quantity.value.clone())
        .collect();
    same_region(parts, &[Part::Points(points)], work)
}

/// The items of a list; a list without brackets in another one, such as `±2`, is part of it.
fn flat(list: &List) -> Vec<&Answer> {
    let mut items = Vec::new();
    for item in &list.items {
        match item {
            Answer::List(inner) if inner.brackets == Brackets::None => items.extend(&inner.items),
            Answer::Named(_, value) => match value.as_ref() {
                Answer::List(inner) if inner.brackets == Brackets::None => {
                    items.extend(&inner.items)
                }
                _ => items.push(item),
            },
            _ => items.push(item),
        }
    }
    items
}

fn same_list(a: &List, b: &List, work: &Cell<u32>, depth: usize) -> Verdict {
    use Brackets::{Angle, Curly, None, Round, Square};
    let (x, y) = (flat(a), flat(b));
    let is_pair = x.len() == 2;
    match (a.brackets, b.brackets) {
        (None | Curly, None | Curly) => same_items(
            &x,
            &y,
            a.brackets == Curly || b.brackets == Curly,
            work,
            depth,
        ),
        // An open interval is no closed one.
        (Round, Square) | (Square, Round) if is_pair => Verdict::Different,
        (Curly, Round | Square | Angle) | (Round | Square | Angle, Curly) => {
            match (x.as_slice(), y.as_slice()) {
                ([x], [y]) => compare(x, y, work, depth + 1),
                _ => Verdict::Different,
            }
        }
        _ => {
            let (x, y) = match (a.brackets, b.brackets) {
                // `x = 1, y = 2` for `(1, 2)`
                (None, _) => (by_name(x), y),
                (_, None) => (x, by_name(y)),
                _ => (x, y),
            };
            if x.len() != y.len() {
                return Verdict::Different;
            }
            let items = x.iter().zip(&y);
            Verdict::all(items.map(|(x, y)| compare(x, y, work, depth + 1)))
        }
    }
}

/// Items in the order of their names, if all have one.
fn by_name(mut items: Vec<&Answer>) -> Vec<&Answer> {
    let name = |item: &Answer| match item {
        Answer::Named(name, _) => Some(name.clone()),
        _ => None,
    };
    if items.iter().all(|item| name(item).is_some()) {
        items.sort_by_key(|item| name(item));
    }
    items
}

/// Whether two lists have the same items in any order. In sets an item counts once.
fn same_items(
    a: &[&Answer],
    b: &[&Answer],
    are_sets: bool,
    work: &Cell<u32>,
    depth: usize,
) -> Verdict {
    if !are_sets && a.len() != b.len() {
        return Verdict::Different;
    }
    let same = |x: &Answer, y: &Answer| compare(x, y, work, depth + 1);
    let mut total = Verdict::Equal;
    let mut taken = vec![false; b.len()];
    for x in a {
        let mut best = Verdict::Different;
        for (i, y) in b.iter().enumerate() {
            if taken[i] && !are_sets {
                continue;
            }
            let verdict = same(x, y);
            best = best.or(|| verdict);
            if verdict == Verdict::Equal {
                taken[i] = true;
                break;
            }
        }
        total = total.and(best);
        if total == Verdict::Different {
            return total;
        }
    }
    if are_sets {
        for (y, _) in b.iter().zip(&taken).filter(|(_, taken)| !**taken) {
            let mut best = Verdict::Different;
            for x in a {
                best = best.or(|| same(x, y));
            }
            total = total.and(best);
        }
    }
    total
}

/// A column or a row as a tuple.
fn same_vector(list: &List, rows: &[Vec<Expression>], work: &Cell<u32>, depth: usize) -> Verdict {
    let is_vector = rows.len() == 1 || rows.iter().all(|row| row.len() == 1);
    let n: usize = rows.iter().map(Vec::len).sum();
    if !is_vector || n != list.items.len() || list.brackets == Brackets::Curly {
        return Verdict::Different;
    }
    let cells = rows.iter().flatten().map(|cell| {
        Answer::Quantity(Quantity {
            value: cell.clone(),
            unit: Unit::none(),
        })
    });
    Verdict::all(
        cells
            .zip(&list.items)
            .map(|(cell, item)| compare(&cell, item, work, depth + 1)),
    )
}

fn quotient(top: &Expression, bottom: &Expression) -> Expression {
    Expression::Quotient(Box::new(top.clone()), Box::new(bottom.clone()))
}

fn same_ratio(a: &[Expression], b: &[Expression], work: &Cell<u32>) -> Verdict {
    if a.len() != b.len() {
        return Verdict::Different;
    }
    let products = |i: usize| {
        let left = Expression::Product(vec![a[0].clone(), b[i].clone()]);
        let right = Expression::Product(vec![b[0].clone(), a[i].clone()]);
        same_expression(&left, &right, work)
    };
    Verdict::all((1..a.len()).map(products))
}

/// Minutes of a ratio that can be a time of day.
fn clock(terms: &[Expression]) -> Option<u32> {
    let [Expression::Number(hours), Expression::Number(minutes)] = terms else {
        return None;
    };
    let whole = |number: &BigRational| u32::try_from(number.to_integer()).ok().filter(|n| *n < 60);
    Some(whole(hours)? * 60 + whole(minutes)?)
}

fn based_value(digits: &str, base: u32) -> BigRational {
    BigInt::parse_bytes(digits.as_bytes(), base)
        .unwrap_or_else(BigInt::zero)
        .into()
}

/// Both sides of a relation; a name and its value are an equation.
fn sides(answer: &Answer) -> Option<(Comparison, Expression, Expression)> {
    match answer {
        Answer::Relation(comparison, left, right) => {
            Some((*comparison, left.clone(), right.clone()))
        }
        Answer::Named(name, value) => match value.as_ref() {
            Answer::Quantity(quantity) if quantity.unit.is_none() => {
                let name = Expression::Variable(name.clone());
                Some((Comparison::Equal, name, quantity.value.clone()))
            }
            _ => None,
        },
        _ => None,
    }
}

fn same_relation(a: &Answer, b: &Answer, work: &Cell<u32>) -> Verdict {
    let (Some(a), Some(b)) = (sides(a), sides(b)) else {
        return Verdict::Different;
    };
    let less = |comparison| matches!(comparison, Comparison::Less | Comparison::LessOrEqual);
    let turned =
        |(comparison, left, right): (Comparison, Expression, Expression)| match less(comparison) {
            true => (comparison.reversed(), right, left),
            false => (comparison, left, right),
        };
    let (a, b) = (turned(a), turned(b));
    if a.0 != b.0 {
        return Verdict::Different;
    }
    let is_ordered = !matches!(a.0, Comparison::Equal | Comparison::Unequal);
    same_up_to_factor([&a.1, &a.2], [&b.1, &b.2], is_ordered, work)
}
