//! How far found values are from expected ones.

use std::fmt;

use serde_json::Value;

use super::{Evaluation, Expected};

/// The largest relative error that counts as equal, in f32.
const RELATIVE: f64 = 1e-5;
/// The largest absolute error that counts as equal, for values near zero.
const ABSOLUTE: f64 = 1e-6;

/// One value that is farthest from what was expected, or a difference of form.
#[derive(Clone, Debug, PartialEq)]
pub struct Mismatch {
    /// Where, such as `grad[1].chosen[3]`.
    pub path: String,
    /// What was expected there; `None` for a difference of form.
    pub expected: Option<f64>,
    /// What was found; `None` for nothing, or no number.
    pub found: Option<f64>,
    /// The error over the error allowed: above 1 fails. Infinite for a difference of form.
    pub excess: f64,
}

impl Mismatch {
    /// Whether the values count as equal: within 1e-5 relative, or 1e-6 absolute.
    pub fn is_within_bar(&self) -> bool {
        self.excess <= 1.0
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |value: Option<f64>| value.map_or("nothing".to_owned(), |v| format!("{v:.9e}"));
        write!(
            f,
            "{}: expected {}, found {}, {:.2e} of the error allowed",
            self.path,
            show(self.expected),
            show(self.found),
            self.excess
        )
    }
}

impl Expected {
    /// The value of `found` that is farthest from what is expected, or `None` where nothing is.
    pub fn worst(&self, found: &Evaluation) -> Option<Mismatch> {
        let mut worst = None;
        compare("", &self.0, Some(&found.values()), &mut worst);
        worst
    }
}

fn compare(path: &str, expected: &Value, found: Option<&Value>, worst: &mut Option<Mismatch>) {
    match expected {
        Value::Object(map) => {
            for (key, expected) in map {
                let at = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                compare(&at, expected, found.and_then(|v| v.get(key)), worst);
            }
        }
        Value::Array(list) => {
            let n_found = found.and_then(Value::as_array).map_or(0, Vec::len);
            for i in 0..list.len().max(n_found) {
                let at = format!("{path}[{i}]");
                match list.get(i) {
                    Some(expected) => compare(&at, expected, found.and_then(|v| v.get(i)), worst),
                    None => keep(worst, form(&at, None, found.and_then(|v| v.get(i)))),
                }
            }
        }
        number => {
            let expected = number.as_f64();
            match (expected, found.and_then(Value::as_f64)) {
                (Some(e), Some(f)) => {
                    let error = (e - f).abs();
                    let excess = (error / ABSOLUTE).min(error / (RELATIVE * e.abs()));
                    // 0/0 where both are exactly zero
                    let excess = if error == 0.0 { 0.0 } else { excess };
                    keep(
                        worst,
                        Mismatch {
                            path: path.to_owned(),
                            expected: Some(e),
                            found: Some(f),
                            excess,
                        },
                    );
                }
                (expected, _) => keep(worst, form(path, expected, found)),
            }
        }
    }
}

fn form(path: &str, expected: Option<f64>, found: Option<&Value>) -> Mismatch {
    Mismatch {
        path: path.to_owned(),
        expected,
        found: found.and_then(Value::as_f64),
        excess: f64::INFINITY,
    }
}

fn keep(worst: &mut Option<Mismatch>, next: Mismatch) {
    if worst.as_ref().is_none_or(|w| next.excess > w.excess) {
        *worst = Some(next);
    }
}
