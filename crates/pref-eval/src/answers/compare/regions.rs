//! Comparison of parts of the real line. In: two lists of intervals and points. Out: a verdict.
//!
//! The bounds and points of both parts divide the line into points and gaps. The parts are the same if each point and
//! each gap belongs to both or to neither.

use std::cell::Cell;
use std::cmp::Ordering;

use super::expressions::order;
use crate::answers::answer::Part;
use crate::answers::expression::{Constant, Expression};
use crate::answers::limits::{MAX_ITEMS, NoValue};
use crate::answers::verdict::Verdict;

pub(super) fn same_region(a: &[Part], b: &[Part], work: &Cell<u32>) -> Verdict {
    match is_same(a, b, work) {
        Ok(is_same) => Verdict::of(is_same),
        Err(_) if a == b => Verdict::Equal,
        Err(_) => Verdict::Unknown,
    }
}

fn is_same(a: &[Part], b: &[Part], work: &Cell<u32>) -> Result<bool, NoValue> {
    let mut points: Vec<&Expression> = Vec::new();
    for part in a.iter().chain(b) {
        for bound in bounds(part) {
            if is_infinite(bound) {
                continue;
            }
            insert(&mut points, bound, work)?;
        }
    }
    if points.len() > MAX_ITEMS {
        return Err(NoValue::TooLarge);
    }
    for &point in &points {
        if has_point(a, point, work)? != has_point(b, point, work)? {
            return Ok(false);
        }
    }
    for gap in 0..=points.len() {
        let low = gap.checked_sub(1).map(|i| points[i]);
        let high = points.get(gap).copied();
        if has_gap(a, low, high, work)? != has_gap(b, low, high, work)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Adds a point to sorted points, unless it is there.
fn insert<'a>(
    points: &mut Vec<&'a Expression>,
    point: &'a Expression,
    work: &Cell<u32>,
) -> Result<(), NoValue> {
    for i in 0..points.len() {
        match order(point, points[i], work)? {
            Ordering::Less => {
                points.insert(i, point);
                return Ok(());
            }
            Ordering::Equal => return Ok(()),
            Ordering::Greater => {}
        }
    }
    points.push(point);
    Ok(())
}

fn bounds(part: &Part) -> Vec<&Expression> {
    match part {
        Part::Interval(interval) => vec![&interval.low, &interval.high],
        Part::Points(points) | Part::AllBut(points) => points.iter().collect(),
    }
}

fn is_infinite(bound: &Expression) -> bool {
    match bound {
        Expression::Constant(Constant::Infinity) => true,
        Expression::Negative(inner) => is_infinite(inner),
        _ => false,
    }
}

fn is_among(points: &[Expression], point: &Expression, work: &Cell<u32>) -> Result<bool, NoValue> {
    for other in points {
        if order(point, other, work)? == Ordering::Equal {
            return Ok(true);
        }
    }
    Ok(false)
}

fn has_point(parts: &[Part], point: &Expression, work: &Cell<u32>) -> Result<bool, NoValue> {
    for part in parts {
        let found = match part {
            Part::Points(points) => is_among(points, point, work)?,
            Part::AllBut(points) => !is_among(points, point, work)?,
            Part::Interval(interval) => {
                let above = match order(&interval.low, point, work)? {
                    Ordering::Less => true,
                    Ordering::Equal => interval.with_low,
                    Ordering::Greater => false,
                };
                let below = match order(point, &interval.high, work)? {
                    Ordering::Less => true,
                    Ordering::Equal => interval.with_high,
                    Ordering::Greater => false,
                };
                above && below
            }
        };
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether the numbers between two neighbouring points belong to the parts; no point stands for infinity.
fn has_gap(
    parts: &[Part],
    low: Option<&Expression>,
    high: Option<&Expression>,
    work: &Cell<u32>,
) -> Result<bool, NoValue> {
    for part in parts {
        let found = match part {
            Part::Points(_) => false,
            Part::AllBut(_) => true,
            Part::Interval(interval) => {
                let above = match low {
                    Some(low) => order(&interval.low, low, work)? != Ordering::Greater,
                    None => is_infinite(&interval.low),
                };
                let below = match high {
                    Some(high) => order(&interval.high, high, work)? != Ordering::Less,
                    None => is_infinite(&interval.high),
                };
                above && below && order(&interval.low, &interval.high, work)? == Ordering::Less
            }
        };
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}
