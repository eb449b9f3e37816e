//! Comparing values with expected ones. In: expected values and an evaluation. Out: the value that
//! deviates most.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::evaluation::Evaluation;

/// Relative error up to which two values count as equal; computations are in f32.
const RELATIVE_TOLERANCE: f64 = 1e-5;
/// Absolute error up to which two values count as equal, for values near 0.
const ABSOLUTE_TOLERANCE: f64 = 1e-6;

/// Expected values: numbers in nested lists and objects, in the form of [`Evaluation::values`].
/// Values that are found but not expected are not compared.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(transparent)]
pub struct Expected(pub Value);

/// How far one value is from what was expected.
#[derive(Clone, Debug, PartialEq)]
pub struct Deviation {
    /// Place of the value, such as `grad[1].chosen[3]`.
    pub path: String,
    /// The expected number; `None` if something was found where nothing was expected.
    pub expected: Option<f64>,
    /// The number found; `None` if there is no value, or it is not a finite number.
    pub found: Option<f64>,
    /// The error divided by the tolerance. Infinite if `expected` or `found` is `None`.
    pub error_ratio: f64,
}

impl Deviation {
    /// Whether the values count as equal: the relative error is at most 1e-5, or the absolute error
    /// at most 1e-6.
    pub fn is_within_tolerance(&self) -> bool {
        self.error_ratio <= 1.0
    }
}

impl fmt::Display for Deviation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |value: Option<f64>| value.map_or("nothing".to_owned(), |v| format!("{v:.9e}"));
        write!(
            f,
            "{}: expected {}, found {}; the error is {:.2e} times the tolerance",
            self.path,
            show(self.expected),
            show(self.found),
            self.error_ratio
        )
    }
}

impl Expected {
    /// The value of `found` that deviates most from the expected one, even if it is within the
    /// tolerance; `None` if no value is expected.
    pub fn largest_deviation(&self, found: &Evaluation) -> Option<Deviation> {
        let mut largest = None;
        compare("", &self.0, Some(&found.values()), &mut largest);
        largest
    }
}

fn compare(path: &str, expected: &Value, found: Option<&Value>, largest: &mut Option<Deviation>) {
    match expected {
        Value::Object(map) => {
            for (key, expected) in map {
                let path = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                compare(&path, expected, found.and_then(|v| v.get(key)), largest);
            }
        }
        Value::Array(list) => {
            let n_found = found.and_then(Value::as_array).map_or(0, Vec::len);
            for i in 0..list.len().max(n_found) {
                let path = format!("{path}[{i}]");
                let found = found.and_then(|v| v.get(i));
                match list.get(i) {
                    Some(expected) => compare(&path, expected, found, largest),
                    None => keep_larger(largest, incomparable(&path, None, found)),
                }
            }
        }
        number => {
            let deviation = match (number.as_f64(), found.and_then(Value::as_f64)) {
                (Some(expected), Some(found)) => deviation_of_numbers(path, expected, found),
                (expected, _) => incomparable(path, expected, found),
            };
            keep_larger(largest, deviation);
        }
    }
}

fn deviation_of_numbers(path: &str, expected: f64, found: f64) -> Deviation {
    let error = (expected - found).abs();
    let ratio = (error / ABSOLUTE_TOLERANCE).min(error / (RELATIVE_TOLERANCE * expected.abs()));
    Deviation {
        path: path.to_owned(),
        expected: Some(expected),
        found: Some(found),
        // if both values are 0, the ratio would be 0/0
        error_ratio: if error == 0.0 { 0.0 } else { ratio },
    }
}

fn incomparable(path: &str, expected: Option<f64>, found: Option<&Value>) -> Deviation {
    Deviation {
        path: path.to_owned(),
        expected,
        found: found.and_then(Value::as_f64),
        error_ratio: f64::INFINITY,
    }
}

fn keep_larger(largest: &mut Option<Deviation>, next: Deviation) {
    if largest
        .as_ref()
        .is_none_or(|kept| next.error_ratio > kept.error_ratio)
    {
        *largest = Some(next);
    }
}
