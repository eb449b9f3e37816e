//! Comparison of numbers with units. In: two quantities. Out: a verdict.

use std::cell::Cell;

use num_rational::BigRational;
use num_traits::One;

use super::expressions::{order, same_expression};
use crate::answers::answer::{Quantity, Unit};
use crate::answers::expression::{Expression, Function};
use crate::answers::read::letter_unit;
use crate::answers::verdict::Verdict;

/// Whether two quantities are equal. A unit that only one of them has is taken as left out by the other.
pub(super) fn same_quantity(a: &Quantity, b: &Quantity, work: &Cell<u32>) -> Verdict {
    let raw = || same_expression(&a.value, &b.value, work);
    match (a.unit.is_percent(), b.unit.is_percent()) {
        (true, false) if b.unit.is_none() => return same_percentage(&a.value, &b.value, work),
        (false, true) if a.unit.is_none() => return same_percentage(&b.value, &a.value, work),
        _ => {}
    }
    if let Some(verdict) = same_angle(a, b, work) {
        return verdict;
    }
    // A letter that the other answer does not have may be a unit.
    let read_again = || {
        let has_variables = |quantity: &Quantity| !quantity.value.variables().is_empty();
        let (with_a, with_b) = (with_letter_as_unit(a), with_letter_as_unit(b));
        match (with_a, with_b) {
            (Some(a), None) if !has_variables(b) => same_quantity(&a, b, work),
            (None, Some(b)) if !has_variables(a) => same_quantity(a, &b, work),
            _ => Verdict::Different,
        }
    };
    match (a.unit.is_none(), b.unit.is_none()) {
        (true, true) | (true, false) | (false, true) => raw().or(read_again),
        (false, false) => same_with_units(a, b, work),
    }
}

/// `value` percent and a bare number: equal to its share, or above 1 to the number of percent.
fn same_percentage(value: &Expression, bare: &Expression, work: &Cell<u32>) -> Verdict {
    let share = Expression::Quotient(
        Box::new(value.clone()),
        Box::new(Expression::Number(BigRational::from_integer(100.into()))),
    );
    let one = Expression::Number(BigRational::one());
    same_expression(&share, bare, work).or(|| {
        let is_share = order(bare, &one, work).is_ok_and(|order| order.is_le());
        match is_share {
            true => Verdict::Different,
            false => same_expression(value, bare, work),
        }
    })
}

/// Angles: `45°` is `π/4`, and also 45 with its unit left out. None if neither has a degree sign.
fn same_angle(a: &Quantity, b: &Quantity, work: &Cell<u32>) -> Option<Verdict> {
    let degrees = |quantity: &Quantity| match &quantity.value {
        Expression::Call(Function::Degrees, inner) if quantity.unit.is_none() => {
            Some(inner.as_ref().clone())
        }
        value if quantity.unit.dimensions.contains_key("degrees") => Some(value.clone()),
        _ => None,
    };
    let radians =
        |degrees: &Expression| Expression::Call(Function::Degrees, Box::new(degrees.clone()));
    match (degrees(a), degrees(b)) {
        (None, None) => None,
        (Some(a), Some(b)) => Some(same_expression(&a, &b, work)),
        (Some(angle), None) | (None, Some(angle)) => {
            let other = if degrees(a).is_some() { b } else { a };
            let is_radians = other.unit.dimensions.contains_key("radians");
            if !other.unit.is_none() && !is_radians {
                return None;
            }
            let verdict = same_expression(&radians(&angle), &other.value, work);
            Some(match is_radians {
                true => verdict,
                false => verdict.or(|| same_expression(&angle, &other.value, work)),
            })
        }
    }
}

/// `5m` as five metres: a number and a letter that is the name of a unit.
fn with_letter_as_unit(quantity: &Quantity) -> Option<Quantity> {
    let Expression::Product(parts) = &quantity.value else {
        return None;
    };
    let [number @ Expression::Number(_), Expression::Variable(name)] = parts.as_slice() else {
        return None;
    };
    let value = number.clone();
    let unit = letter_unit(name).filter(|_| quantity.unit.is_none())?;
    Some(Quantity { value, unit })
}

fn same_with_units(a: &Quantity, b: &Quantity, work: &Cell<u32>) -> Verdict {
    let scaled = |quantity: &Quantity| {
        Expression::Product(vec![
            Expression::Number(quantity.unit.scale.clone()),
            quantity.value.clone(),
        ])
    };
    let have_dimensions = !a.unit.dimensions.is_empty() && !b.unit.dimensions.is_empty();
    if have_dimensions && a.unit.dimensions == b.unit.dimensions {
        return same_expression(&scaled(a), &scaled(b), work).and(same_nouns(&a.unit, &b.unit));
    }
    let raw = same_expression(&a.value, &b.value, work);
    if have_dimensions {
        // `18 dollars` for `18 dollars per day`: the rest of the unit is left out.
        let is_part = |a: &Unit, b: &Unit| {
            a.dimensions
                .iter()
                .all(|(name, power)| b.dimensions.get(name) == Some(power))
        };
        let is_part = is_part(&a.unit, &b.unit) || is_part(&b.unit, &a.unit);
        return raw.and(if is_part {
            Verdict::Equal
        } else {
            Verdict::Different
        });
    }
    raw.and(same_nouns(&a.unit, &b.unit))
}

/// Words for what is counted: the same ones are equal. Whether `students` are `children` is not known.
fn same_nouns(a: &Unit, b: &Unit) -> Verdict {
    let shares = a.nouns.iter().any(|noun| b.nouns.contains(noun));
    match a.nouns.is_empty() || b.nouns.is_empty() || shares {
        true => Verdict::Equal,
        false => Verdict::Unknown,
    }
}
