//! Replies of models. In: what models write around and inside a judgement. Out: the judgement, or a complaint.

use pref_annotate::{Judgement, Task, Winner};
use proptest::prelude::*;
use serde_json::{Value, json};

fn task(n: usize) -> Task {
    Task::scores("clarity", 0..=4, false, vec![n])
}

fn two() -> Task {
    Task::scores("completeness", 0..=4, true, vec![2, 1])
}

#[track_caller]
fn reads(task: &Task, reply: &str, expected: &[&[f64]]) {
    let expected = Judgement::Scores(expected.iter().map(|list| list.to_vec()).collect());
    assert_eq!(task.read(reply), Ok(expected), "{reply}");
}

#[track_caller]
fn complains(task: &Task, reply: &str, part: &str) {
    let complaint = task.read(reply).expect_err(reply).to_string();
    assert!(complaint.contains(part), "{reply}: {complaint}");
}

#[test]
fn judgements_are_found_in_what_models_write() {
    let right = r#"{"a": [{"index": 1, "reason": "x", "score": 2}, {"index": 2, "score": 4}], "b": [{"index": 1, "score": 0}]}"#;
    let expected: &[&[f64]] = &[&[2.0, 4.0], &[0.0]];
    for reply in [
        right.to_owned(),
        format!("Sure! Here it is:\n```json\n{right}\n```\nLet me know."),
        format!("<think>maybe {{\"a\": [], \"b\": []}}</think>{right}"),
        format!("{right}\n\nAgain: {right}"),
        "{\"a\": {\"1\": 2, \"2\": \"4/4\"}, \"b\": {\"1\": \"**0**\"}}".to_owned(),
        "{\"A\": [{\"index\": \"<1>\", \"score\": \"٢\"}, {\"index\": \"2.\", \"score\": 4.0}], \"B\": [{\"id\": 1, \"rating\": \"０\"}]}".to_owned(),
        "Answer A1: 2 because of this\nA2: **4**\n- B1: score: 0/4".to_owned(),
    ] {
        reads(&two(), &reply, expected);
    }
    reads(&task(1), "[{\"index\": 1, \"score\": \"3-4\"}]", &[&[3.5]]);
    reads(&task(2), "1: 3\n2: 4", &[&[3.0, 4.0]]);
}

#[test]
fn what_counts_is_strict() {
    let of = |items: Value| json!({"a": items}).to_string();
    let item = |i: i64, score: Value| json!({"index": i, "score": score});
    complains(&task(2), "", "empty");
    complains(&task(2), "All good.", "no JSON object");
    complains(
        &task(2),
        &of(json!([item(1, json!(3))])),
        "items [2] are missing",
    );
    complains(
        &task(1),
        &of(json!([item(1, json!(3)), item(1, json!(3))])),
        "occurs twice",
    );
    complains(
        &task(1),
        &of(json!([item(2, json!(3))])),
        "item 2 does not exist",
    );
    complains(
        &task(1),
        &of(json!([item(0, json!(3))])),
        "item 0 does not exist",
    );
    for score in [
        json!(5),
        json!(-1),
        json!("high"),
        json!(null),
        json!("3/5"),
        json!("4-1"),
    ] {
        complains(&task(1), &of(json!([item(1, score)])), "");
    }
    complains(&task(1), &of(json!([3])), "no `index`");
    complains(
        &two(),
        r#"{"a": {"1": 3, "2": 2}, "b": {"1": 0}}"#,
        "decreases",
    );
    complains(&two(), r#"{"a": {"1": 3, "2": 3}}"#, "`b` is missing");
    let safety = Task::Scores {
        aspect: "safety".to_owned(),
        scale: vec![0, 4],
        never_decreases: false,
        n_segments: vec![1],
    };
    complains(&safety, "{\"a\": {\"1\": 2}}", "one of [0, 4]");
    let differ = format!(
        "{} {}",
        of(json!([item(1, json!(3))])),
        of(json!([item(1, json!(2))]))
    );
    complains(&task(1), &differ, "differ");
}

#[test]
fn other_tasks_are_read_too() {
    let winner = |text: &str| Task::Compare.read(text);
    assert_eq!(
        winner("{\"winner\": \"A\"}"),
        Ok(Judgement::Winner(Winner::First))
    );
    assert_eq!(
        winner("{\"winner\": \"tie.\"}"),
        Ok(Judgement::Winner(Winner::Tie))
    );
    assert!(winner("{\"winner\": \"c\"}").is_err());
    let rate = Task::Rate { min: 1, max: 10 };
    assert_eq!(
        rate.read("{\"score\": \"7/10\"}"),
        Ok(Judgement::Rating(7.0))
    );
    assert!(rate.read("{\"score\": 0}").is_err());
    let parts = Task::Parts {
        labels: vec!["reasoning".to_owned(), "answer".to_owned()],
        n_segments: 2,
    };
    let labels = Judgement::Labels(vec!["reasoning".to_owned(), "answer".to_owned()]);
    assert_eq!(parts.read("1: reasoning\n2: **Answer**"), Ok(labels));
    assert!(parts.read("1: reasoning\n2: context").is_err());
}

proptest! {
    /// Nothing that a model writes is a panic, and a judgement has one score on the scale for each item.
    #[test]
    fn any_text_gives_a_judgement_or_a_complaint(text in ".{0,300}", n in 0usize..4) {
        for task in [task(n), two(), Task::Compare, Task::Rate { min: 0, max: 5 },
            Task::Weights { max: 4, n_segments: n }] {
            if let Ok(Judgement::Scores(scores)) = task.read(&text) {
                prop_assert!(scores.iter().flatten().all(|s| (0.0..=4.0).contains(s)));
            }
        }
    }

    /// The same with text that is nearly a judgement.
    #[test]
    fn nearly_right_json_gives_a_judgement_or_a_complaint(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "{", "}", "[", "]", "\"a\"", "\"index\"", "\"score\"", ":", ",", "1", "2", "4", "-", "null", "\"", "\\", " ",
            "A1: 3", "\n", "```", "٣", "</think>",
        ]), 0..60),
    ) {
        let text = pieces.concat();
        if let Ok(Judgement::Scores(scores)) = task(2).read(&text) {
            prop_assert_eq!(scores.len(), 1);
            prop_assert_eq!(scores[0].len(), 2);
        }
    }

    /// Prose around a judgement does not change it, and neither does the order of its items.
    #[test]
    fn prose_and_order_change_nothing(
        scores in prop::collection::vec(0i64..=4, 1..8),
        before in "[^{}\\[\\]]{0,80}",
        after in "[^{}\\[\\]<]{0,80}",
        turn in 0usize..8,
    ) {
        let mut items: Vec<Value> = scores.iter().enumerate()
            .map(|(i, s)| json!({"index": i + 1, "score": s})).collect();
        let n = items.len();
        items.rotate_left(turn % n);
        let reply = format!("{before}{}{after}", json!({"a": items}));
        let expected: Vec<f64> = scores.iter().map(|&s| s as f64).collect();
        prop_assert_eq!(task(n).read(&reply), Ok(Judgement::Scores(vec![expected])));
    }
}
