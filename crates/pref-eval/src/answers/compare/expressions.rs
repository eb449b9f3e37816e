//! Comparison of expressions. In: two expressions. Out: a verdict.
//!
//! Constants are compared by their values: rational ones exactly, others by enclosures of about 180 digits. If two
//! enclosures do not touch, the values differ. If they agree to 120 digits, the values are taken as equal: two
//! different values of expressions this short do not come so close. Expressions with variables are compared at
//! several rational points, so two of them are equal if they describe the same function.

use std::cell::Cell;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use num_bigint::Sign;
use num_rational::BigRational;

use crate::answers::evaluate::{Evaluation, Value};
use crate::answers::expression::{Expression, Function};
use crate::answers::limits::NoValue;
use crate::answers::numeric::Complex;
use crate::answers::verdict::Verdict;

/// Points at which expressions with variables are compared.
const N_POINTS: i64 = 7;
/// Fewest points at which both expressions must have a value.
const MIN_POINTS: usize = 3;

/// Whether two expressions have the same value, for all values of their variables.
pub(crate) fn same_expression(a: &Expression, b: &Expression, work: &Cell<u32>) -> Verdict {
    if a == b {
        return Verdict::Equal;
    }
    let verdict = same_with_log(a, b, false, work);
    let has_log = has_bare_log(a) || has_bare_log(b);
    match has_log {
        // A logarithm without a base is read to base 10 first, and then as a natural one.
        true => verdict.or(|| same_with_log(a, b, true, work)),
        false => verdict,
    }
}

fn has_bare_log(expression: &Expression) -> bool {
    matches!(expression, Expression::Call(Function::Log, _))
        || expression.parts().into_iter().any(has_bare_log)
}

fn same_with_log(a: &Expression, b: &Expression, natural_log: bool, work: &Cell<u32>) -> Verdict {
    let names: BTreeSet<&str> = a.variables().union(&b.variables()).copied().collect();
    if names.is_empty() {
        let mut evaluation = Evaluation::of_constants(work);
        evaluation.natural_log = natural_log;
        return match (evaluation.value(a), evaluation.value(b)) {
            (Ok(a), Ok(b)) => same_value(&a, &b),
            (Err(NoValue::Undefined), Ok(_)) | (Ok(_), Err(NoValue::Undefined)) => {
                Verdict::Different
            }
            _ => Verdict::Unknown,
        };
    }
    let mut usable = 0;
    for point in 0..N_POINTS {
        let mut evaluation = Evaluation::of_constants(work);
        evaluation.natural_log = natural_log;
        evaluation.variables = values(&names, point);
        let (left, right) = (evaluation.number(a), evaluation.number(b));
        // A root of a negative number has a value by convention only.
        if evaluation.left_reals.get() && point > 1 {
            continue;
        }
        match (left, right) {
            (Ok(left), Ok(right)) => match same_number(&left, &right) {
                Verdict::Equal => usable += 1,
                Verdict::Different => return Verdict::Different,
                Verdict::Unknown => {}
            },
            (Err(NoValue::TooLarge), _) | (_, Err(NoValue::TooLarge)) => return Verdict::Unknown,
            _ => {}
        }
    }
    match usable >= MIN_POINTS {
        true => Verdict::Equal,
        false => Verdict::Unknown,
    }
}

/// Rational values for the variables; those of the first four points are positive.
fn values<'a>(names: &BTreeSet<&'a str>, point: i64) -> BTreeMap<&'a str, BigRational> {
    const TOPS: [i64; 7] = [37, 5, 211, 89, 43, 7, 17];
    let top = TOPS[point as usize % TOPS.len()];
    let value = |(i, name): (usize, &&'a str)| {
        let i = i as i64;
        let magnitude = BigRational::new((top + 13 * i).into(), (23 + 10 * i).into());
        let is_negative = match point {
            0..=3 => false,
            4 => true,
            _ => (i + point) % 2 == 0,
        };
        (*name, if is_negative { -magnitude } else { magnitude })
    };
    names.iter().enumerate().map(value).collect()
}

/// Whether two equations or inequalities are the same up to a factor. `ordered` asks for a positive factor.
pub(crate) fn same_up_to_factor(
    a: [&Expression; 2],
    b: [&Expression; 2],
    ordered: bool,
    work: &Cell<u32>,
) -> Verdict {
    let difference = |[left, right]: [&Expression; 2]| {
        Expression::Sum(vec![
            left.clone(),
            Expression::Negative(Box::new(right.clone())),
        ])
    };
    let (a, b) = (difference(a), difference(b));
    let names = a.variables();
    if names != b.variables() {
        return Verdict::Different;
    }
    let mut factor: Option<Complex> = None;
    let mut usable = 0;
    for point in 0..N_POINTS {
        let mut evaluation = Evaluation::of_constants(work);
        evaluation.variables = values(&names, point);
        let ratio = evaluation.number(&a).and_then(|a| {
            let b = evaluation.number(&b)?;
            b.mul(&a.recip()?)
        });
        let ratio = match ratio {
            Ok(ratio) => ratio,
            Err(NoValue::TooLarge) => return Verdict::Unknown,
            Err(NoValue::Undefined | NoValue::Undecided) => continue,
        };
        let is_positive = ratio.re.sign().map(|sign| sign == Sign::Plus);
        if ordered && is_positive == Ok(false) {
            return Verdict::Different;
        }
        match &factor {
            None => match ratio.is_zero() {
                Ok(false) => factor = Some(ratio),
                _ => return Verdict::Different,
            },
            Some(factor) => match same_number(factor, &ratio) {
                Verdict::Equal => usable += 1,
                Verdict::Different => return Verdict::Different,
                Verdict::Unknown => {}
            },
        }
    }
    match usable + 1 >= MIN_POINTS {
        true => Verdict::Equal,
        false => Verdict::Unknown,
    }
}

fn same_value(a: &Value, b: &Value) -> Verdict {
    match (a, b) {
        (Value::Finite(a), Value::Finite(b)) => same_number(a, b),
        (Value::Infinite(a), Value::Infinite(b)) => Verdict::of(a == b),
        (Value::Finite(_), Value::Infinite(_)) | (Value::Infinite(_), Value::Finite(_)) => {
            Verdict::Different
        }
    }
}

fn same_number(a: &Complex, b: &Complex) -> Verdict {
    let Ok(difference) = a.sub(b) else {
        return Verdict::Unknown;
    };
    match difference.is_zero() {
        Ok(is_zero) => Verdict::of(is_zero),
        Err(_) => Verdict::Unknown,
    }
}

/// The order of two real constants.
pub(crate) fn order(a: &Expression, b: &Expression, work: &Cell<u32>) -> Result<Ordering, NoValue> {
    let evaluation = Evaluation::of_constants(work);
    let by_sign = |negative: bool| {
        if negative {
            Ordering::Less
        } else {
            Ordering::Greater
        }
    };
    match (evaluation.value(a)?, evaluation.value(b)?) {
        (Value::Infinite(a), Value::Infinite(b)) => Ok(b.cmp(&a)),
        (Value::Infinite(negative), Value::Finite(_)) => Ok(by_sign(negative)),
        (Value::Finite(_), Value::Infinite(negative)) => Ok(by_sign(!negative)),
        (Value::Finite(a), Value::Finite(b)) => {
            let difference = a.sub(&b)?;
            if !difference.is_real()? {
                return Err(NoValue::Undefined);
            }
            Ok(match difference.re.sign()? {
                Sign::Minus => Ordering::Less,
                Sign::NoSign => Ordering::Equal,
                Sign::Plus => Ordering::Greater,
            })
        }
    }
}
