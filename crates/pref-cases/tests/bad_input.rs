//! Mistakes in a case, and their error messages.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use burn::backend::{Autodiff, Flex};
use pref_cases::Case;

#[test]
fn cases_that_cannot_be_evaluated() {
    let case = |data: &str, method: &str| {
        let text = format!(r#"{{"objective": {{"method": "{method}"}}, "data": {data}}}"#);
        let case: Result<Case, _> = text.parse();
        match case {
            Err(error) => error.to_string(),
            Ok(case) => {
                let result = case.evaluate::<Autodiff<Flex>>(&Default::default());
                result.unwrap_err().to_string()
            }
        }
    };
    let pair = |chosen: &str| {
        format!(
            r#"{{"pairs": [{{"chosen": {chosen}, "rejected": {{"policy": [-1], "reference": [-1]}}}}]}}"#
        )
    };
    let messages = [
        case("{}", "dpo"),
        case(r#"{"pairs": [{"chosen": {"policy": [-1]}}]}"#, "dpo"),
        case(&pair(r#"{"policy": [-1], "refrence": [-1]}"#), "dpo"),
        case(&pair(r#"{"policy": ["a"]}"#), "dpo"),
        case(&pair(r#"{"policy": []}"#), "dpo"),
        case(&pair(r#"{"policy": [-1], "reference": [-1, -2]}"#), "dpo"),
        case(&pair(r#"{"policy": [-1], "varied": [2]}"#), "dpo-bmc"),
        case(&pair(r#"{"policy": [-1], "importance": [1.5]}"#), "cdpo"),
        case(&pair(r#"{"policy": [-1]}"#), "dpo"),
        case(
            &pair(
                r#"{"policy": [-1], "reference": [-1], "segments": [[0, 1]], "scores": [[1, 2, 3, 4, 4]]}"#,
            ),
            "2d-dpo",
        ),
        case(
            &pair(
                r#"{"policy": [-1], "reference": [-1], "segments": [[0, 2]], "scores": [[1, 2, 3, 4, 4]]}"#,
            ),
            "2d-dpo",
        ),
        case(
            r#"{"examples": [{"policy": [-1], "reference": [-1]}], "kl_examples": [{"policy": [-1], "reference": [-1]}]}"#,
            "kto",
        ),
        case(
            r#"{"trace": [], "empty": [], "moments": {"bias_trace": [1], "bias_empty": [], "variance_trace": 1, "variance_empty": 1, "covariance": 0}}"#,
            "dpo",
        ),
    ];
    insta::assert_snapshot!(messages.join("\n"));
}

#[test]
fn another_loss_is_evaluated_on_pairs_alone() {
    let text = r#"{"objective": {"method": "kto"}, "data": {
        "examples": [{"policy": [-1], "reference": [-1], "desirable": true}],
        "kl_examples": [{"policy": [-1], "reference": [-1]}]}}"#;
    let case: Case = text.parse().unwrap();
    let found = case.evaluate_with::<Autodiff<Flex>>(&Default::default(), |batch| {
        batch.chosen.n_tokens().reshape([batch.n_pairs()])
    });
    assert_eq!(
        found.unwrap_err().to_string(),
        "data.pairs is empty; it needs at least one entry"
    );
}
