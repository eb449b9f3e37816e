//! Answers against pairs whose truth is known by construction. In: `fixtures/answers`. Out: agreement.

use std::collections::BTreeMap;
use std::path::Path;

use pref_eval::{Extraction, Verdict, compare_answers, expected_answer};
use serde::Deserialize;

#[derive(Deserialize)]
struct Row {
    family: String,
    expected: String,
    found: String,
    equal: bool,
}

fn rows(name: &str) -> Vec<Row> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/answers");
    let text = std::fs::read_to_string(folder.join(name)).expect("the fixture is there");
    let parse = |line| serde_json::from_str(line).expect("each line is a row");
    text.lines().map(parse).collect()
}

fn verdict(row: &Row) -> Verdict {
    match Extraction::Auto.extract(&row.found) {
        Some(found) => compare_answers(expected_answer(&row.expected), found),
        None => Verdict::Unknown,
    }
}

#[track_caller]
fn check(name: &str) {
    let rows = rows(name);
    let mut wrong: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for row in &rows {
        let found = verdict(row);
        if (found == Verdict::Equal) != row.equal {
            let line = format!(
                "{} | {} : {found}, is equal: {}",
                row.expected, row.found, row.equal
            );
            wrong.entry(&row.family).or_default().push(line);
        }
    }
    let n_wrong: usize = wrong.values().map(Vec::len).sum();
    assert_eq!(n_wrong, 0, "of {}: {wrong:#?}", rows.len());
}

#[test]
fn verdicts_agree_with_the_truth_by_construction() {
    check("pairs.jsonl");
}

#[test]
fn verdicts_agree_with_cases_written_by_hand() {
    check("by-hand.jsonl");
}
