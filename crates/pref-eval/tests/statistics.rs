//! Statistics against reference values. In: `fixtures/statistics`. Out: agreement.

use std::path::Path;

use pref_eval::{AnswerClass, holm, maj_at_k, mcnemar, paired_difference, pass_at_k, wilson};
use serde_json::Value;

fn cases(name: &str) -> Vec<Value> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/statistics/values.json");
    let text = std::fs::read_to_string(file).expect("the fixture is there");
    let mut all: Value = serde_json::from_str(&text).expect("the fixture is JSON");
    let cases = all[name].take();
    cases.as_array().expect("a list of cases").clone()
}

fn float(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

fn count(value: &Value) -> usize {
    value.as_u64().expect("a count") as usize
}

fn floats(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .expect("a list")
        .iter()
        .map(float)
        .collect()
}

#[track_caller]
fn check(found: f64, expected: f64, tolerance: f64) {
    let close = (found - expected).abs() <= tolerance * expected.abs().max(1.0);
    assert!(close, "found {found}, expected {expected}");
}

#[test]
fn wilson_intervals_are_those_of_scipy() {
    for case in cases("wilson") {
        let found = wilson(count(&case["right"]), count(&case["n"]));
        check(found.low, float(&case["low"]), 1e-12);
        check(found.high, float(&case["high"]), 1e-12);
    }
    assert!(wilson(0, 0).share.is_nan());
}

#[test]
fn p_values_are_those_of_statsmodels() {
    for case in cases("mcnemar") {
        let found = mcnemar(count(&case["first"]), count(&case["second"]));
        let expected = float(&case["p"]);
        assert!(
            (found - expected).abs() <= 1e-10 * expected,
            "{case}: {found}"
        );
    }
    for case in cases("holm") {
        let found = holm(&floats(&case["p"]));
        for (found, expected) in found.into_iter().zip(floats(&case["corrected"])) {
            check(found, expected, 1e-12);
        }
    }
}

#[test]
fn a_value_that_is_missing_is_no_test() {
    let found = holm(&[0.01, f64::NAN, 0.02]);
    assert_eq!((found[0], found[2]), (0.02, 0.02));
    assert!(found[1].is_nan());
}

#[test]
fn pass_at_k_is_exact() {
    for case in cases("pass_at_k") {
        let found = pass_at_k(count(&case["n"]), count(&case["right"]), count(&case["k"]));
        check(
            found.expect("k samples exist"),
            float(&case["value"]),
            1e-12,
        );
    }
    assert_eq!(pass_at_k(4, 2, 5), None);
    assert_eq!(pass_at_k(4, 5, 1), None);
}

#[test]
fn maj_at_k_is_the_mean_over_subsets() {
    for case in cases("maj_at_k") {
        let classes: Vec<AnswerClass> = case["classes"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|class| AnswerClass {
                n: count(&class[0]),
                is_right: class[1] == true,
            })
            .collect();
        let k = count(&case["k"]);
        let n: usize = classes.iter().map(|class| class.n).sum();
        let found = maj_at_k(&classes, k, 1).expect("k samples exist");
        // Smaller k are estimated from 2,000 draws: four standard errors.
        let tolerance = if k == n || k == 1 {
            1e-12
        } else {
            4.0 * 0.5 / 2000_f64.sqrt()
        };
        check(found, float(&case["value"]), tolerance);
    }
}

#[test]
fn bootstrap_intervals_agree_with_scipy() {
    for case in cases("bootstrap") {
        let (first, second) = (floats(&case["first"]), floats(&case["second"]));
        let questions: Vec<(f64, f64)> = first.into_iter().zip(second).collect();
        let found = paired_difference(&questions, 3).expect("there are questions");
        check(found.difference, float(&case["difference"]), 1e-12);
        // The ends of 10,000 resamples vary by about 2 % of the width.
        let width = float(&case["high"]) - float(&case["low"]);
        check(found.low, float(&case["low"]), 0.04 * width);
        check(found.high, float(&case["high"]), 0.04 * width);
        assert_eq!(paired_difference(&questions, 3), Some(found));
    }
    assert_eq!(paired_difference(&[], 0), None);
}
