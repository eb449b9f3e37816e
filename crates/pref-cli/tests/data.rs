//! The commands that look at data, as a person meets them.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod common;

use std::path::Path;

use common::{model, run};

const ROWS: [&str; 4] = [
    r#"{"prompt": "What is 2 + 2?\n", "chosen": "2 + 2 = 4\n#### 4", "rejected": "2 + 2 = 5\n#### 5"}"#,
    r#"{"prompt": "What is 2 + 2?\n", "chosen": "2 + 2 = 5\n#### 5", "rejected": "2 + 2 = 4\n#### 4"}"#,
    r#"{"prompt": "What is 1 + 1?\n", "chosen": "It is 2.", "rejected": "it is 2"}"#,
    r#"{"prompt": "What is 1 + 1?\n", "chosen": "It is 2.", "rejected": "it is 2"}"#,
];

fn rows(folder: &Path) -> String {
    let path = folder.join("pairs.jsonl");
    std::fs::write(&path, ROWS.join("\n")).unwrap();
    path.display().to_string()
}

/// What a command says, without the folder's name.
fn said(folder: &Path, args: &[&str]) -> String {
    let said = run(args);
    let all = format!("exit {}\n{}--\n{}", said.code.unwrap(), said.out, said.err);
    all.replace(&folder.display().to_string(), "[folder]")
}

#[test]
fn diff_marks_what_varies() {
    let folder = tempfile::tempdir().unwrap();
    let (file, model) = (rows(folder.path()), model("llama"));
    insta::assert_snapshot!(said(
        folder.path(),
        &["diff", &file, "--model", &model, "--row", "1"]
    ));
    insta::assert_snapshot!(said(
        folder.path(),
        &["diff", &file, "--model", &model, "--stats"]
    ));
    insta::assert_snapshot!(said(
        folder.path(),
        &[
            "diff",
            &file,
            "--model",
            &model,
            "--row",
            "3",
            "--json",
            "--algorithm",
            "difflib"
        ]
    ));
    let parts = folder.path().join("parts").display().to_string();
    insta::assert_snapshot!(said(
        folder.path(),
        &[
            "diff", &file, "--model", &model, "--split", "2", "--output", &parts
        ]
    ));
    let read = std::fs::read_to_string(folder.path().join("parts/part-1.jsonl")).unwrap();
    assert_eq!(read.lines().count(), 2);
    insta::assert_snapshot!(said(
        folder.path(),
        &["diff", &file, "--model", &model, "--row", "9"]
    ));
}

#[test]
fn lint_finds_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let (file, model) = (rows(folder.path()), model("llama"));
    insta::assert_snapshot!(said(
        folder.path(),
        &[
            "lint",
            &file,
            "--eval",
            &file,
            "--model",
            &model,
            "--max-length",
            "12"
        ]
    ));
    let fine = folder.path().join("fine.jsonl");
    std::fs::write(&fine, ROWS[0]).unwrap();
    insta::assert_snapshot!(said(
        folder.path(),
        &["lint", fine.to_str().unwrap(), "--strict"]
    ));
    insta::assert_snapshot!(said(folder.path(), &["lint", &file, "--json"]));
}

#[test]
fn lint_lists_every_bad_row_of_every_file() {
    let folder = tempfile::tempdir().unwrap();
    let shards = folder.path().join("shards");
    std::fs::create_dir(&shards).unwrap();
    std::fs::write(shards.join("a.jsonl"), ROWS[0]).unwrap();
    let bad = [
        ROWS[0],
        r#"{"prompt": "What is 1 + 1?", "chosen": "", "rejected": "3"}"#,
        r#"{"prompt": "What is 1 + 1?", "chosen": 2, "rejected": "3"}"#,
        r#"{"prompt": "What is 1 + 1?" "chosen": "2"}"#,
        // ended by the tokenizer here, and by the text there: the same to a model
        r#"{"prompt": "What is 1 + 1?", "chosen": "2", "rejected": "2<|im_end|>"}"#,
    ];
    std::fs::write(shards.join("b.jsonl"), bad.join("\n")).unwrap();
    let (shards, model) = (shards.display().to_string(), model("llama"));
    insta::assert_snapshot!(said(folder.path(), &["lint", &shards, "--model", &model]));
}

#[test]
fn single_answers_are_looked_at_like_pairs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("answers.jsonl");
    let mut rows = vec![
        r#"{"prompt": "What is 2 + 2?\n", "completion": "4", "label": true}"#,
        r#"{"prompt": "What is 2 + 2?\n", "completion": "4", "label": false}"#,
        r#"{"prompt": "What is 1 + 1?\n", "completion": "", "label": false}"#,
    ];
    rows.extend([r#"{"prompt": "What is 1 + 1?\n", "completion": "2", "label": true}"#; 5]);
    std::fs::write(&path, rows.join("\n")).unwrap();
    let (file, model) = (path.display().to_string(), model("llama"));
    let output = folder.path().join("parts").display().to_string();
    let rejects = folder.path().join("rejects.txt").display().to_string();
    let of = |args: &[&str]| said(folder.path(), args);
    insta::assert_snapshot!(
        [
            of(&["lint", &file, "--model", &model]),
            of(&["inspect", &file, "--model", &model, "--on-error", "skip"]),
            of(&["data", "stats", &file, "--on-error", "skip"]),
            of(&[
                "data",
                "stats",
                &file,
                "--on-error",
                "skip",
                "--model",
                &model,
                "--json"
            ]),
            of(&[
                "data",
                "convert",
                &file,
                "--on-error",
                "skip",
                "--rejects",
                &rejects
            ]),
            std::fs::read_to_string(&rejects)
                .unwrap()
                .replace(&folder.path().display().to_string(), "[folder]"),
            of(&[
                "data",
                "split",
                &file,
                "--on-error",
                "skip",
                "--output",
                &output
            ]),
            of(&["data", "stats", &file]),
        ]
        .join("\n")
    );
}

#[test]
fn inspect_shows_every_token() {
    let folder = tempfile::tempdir().unwrap();
    let file = rows(folder.path());
    insta::assert_snapshot!(said(
        folder.path(),
        &["inspect", &file, "--model", &model("llama")]
    ));
}

#[test]
fn data_is_counted_converted_and_divided() {
    let folder = tempfile::tempdir().unwrap();
    let file = rows(folder.path());
    insta::assert_snapshot!(said(folder.path(), &["data", "stats", &file]));
    let rated = folder.path().join("rated.csv");
    std::fs::write(&rated, "question,good,bad\nq,a,b\nr,c,d\n").unwrap();
    let columns = ["prompt=question", "chosen=good", "rejected=bad"];
    let mut args = vec!["data", "convert", rated.to_str().unwrap()];
    args.extend(columns.iter().flat_map(|c| ["--column", c]));
    insta::assert_snapshot!(said(folder.path(), &args));
    let output = folder.path().join("split").display().to_string();
    insta::assert_snapshot!(said(
        folder.path(),
        &[
            "data",
            "split",
            &file,
            "--fraction",
            "0.25",
            "--output",
            &output
        ]
    ));
    insta::assert_snapshot!(said(
        folder.path(),
        &[
            "data",
            "split",
            &file,
            "--fraction",
            "2",
            "--output",
            &output
        ]
    ));
}

#[test]
fn answers_are_divided_into_segments() {
    let folder = tempfile::tempdir().unwrap();
    let (file, model) = (rows(folder.path()), model("llama"));
    let first = |args: &[&str]| {
        let said = said(folder.path(), &[&["segment", &file], args].concat());
        said.lines().take(2).collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(
        [
            first(&[]),
            first(&["--by", "parts"]),
            first(&["--by", "parts", "--part", r"sum=\d \+"]),
            first(&["--by", "tokens", "--size", "4", "--model", &model]),
        ]
        .join("\n")
    );
    // what comes out is what goes in
    let output = folder.path().join("segments.jsonl").display().to_string();
    said(folder.path(), &["segment", &file, "--output", &output]);
    let again = said(folder.path(), &["segment", &output, "--by", "lines"]);
    assert_eq!(
        again,
        said(folder.path(), &["segment", &file, "--by", "lines"])
    );
}

#[test]
fn rows_are_made_of_other_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.csv");
    std::fs::write(&path, "question,good,bad\n2 + 2?,4,5\n\"1 + 1?\",2,3\n").unwrap();
    let file = path.display().to_string();
    let fields = [
        "--field",
        "prompt=Question: {{ question | trim }}\nAnswer:",
        "--field",
        "chosen= {{ good }}",
        "--field",
        "rejected= {{ bad }}",
    ];
    let map = |more: &[&str]| said(folder.path(), &[&["data", "map", &file], more].concat());
    insta::assert_snapshot!(
        [
            map(&fields),
            map(&["--keep", "--field", "line={{ row.good }}"]),
            map(&["--field", "prompt={{ qestion }}"]),
            map(&["--field", "prompt={{ question"]),
            // an expression alone keeps its kind: a list of messages, a truth
            map(&[
                "--field",
                "prompt={{ [{'role': 'user', 'content': question}] }}"
            ]),
            map(&[
                "--field",
                "completion={{ good }}",
                "--field",
                "label={{ good > bad }}"
            ]),
        ]
        .join("\n")
    );
    let output = folder.path().join("pairs.jsonl").display().to_string();
    map(&[&fields[..], &["--output", &output]].concat());
    let stats = said(folder.path(), &["data", "stats", &output]);
    assert!(stats.contains("2 pairs"), "{stats}");
}

#[test]
fn stop_words_do_not_vary_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pairs.jsonl");
    let row = r#"{"prompt": "Who?", "chosen": " it is a boy", "rejected": " he was the boy"}"#;
    std::fs::write(&path, row).unwrap();
    let (file, model) = (path.display().to_string(), model("llama"));
    let diff = |more: &[&str]| {
        let args = ["diff", &file, "--model", &model, "--row", "1"];
        said(folder.path(), &[&args, more].concat())
    };
    insta::assert_snapshot!([diff(&[]), diff(&["--ignore-stop-words"])].join("\n"));
}

#[test]
fn where_prompt_and_answer_part_can_be_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("merge.jsonl");
    // the prompt's space and the answer's first word are one token
    let row = r#"{"prompt": "The answer is ", "chosen": "four", "rejected": "five"}"#;
    std::fs::write(&file, row).unwrap();
    let (file, model) = (file.display().to_string(), model("llama"));
    let answer = |boundary: &str| {
        let said = run(&[
            "inspect",
            &file,
            "--model",
            &model,
            "--json",
            "--boundary",
            boundary,
        ]);
        let lines = said
            .out
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let chosen = lines.filter(|line| line["side"] == "chosen");
        let text: String = chosen
            .map(|line| line["text"].as_str().unwrap().to_owned())
            .collect();
        text
    };
    assert_eq!(answer("joint"), " four<|im_end|>");
    assert_eq!(answer("separate"), "four<|im_end|>");
    let lint =
        |boundary: &str| run(&["lint", &file, "--model", &model, "--boundary", boundary]).out;
    assert!(
        lint("joint").contains("boundary: 1 of 1 rows change"),
        "{}",
        lint("joint")
    );
    assert!(
        lint("separate").contains("1 pairs, 0 findings"),
        "{}",
        lint("separate")
    );
    let diff =
        |boundary: &str| run(&["diff", &file, "--model", &model, "--boundary", boundary]).out;
    assert!(
        diff("joint").contains("chosen: [- four-]"),
        "{}",
        diff("joint")
    );
    assert!(
        diff("separate").contains("chosen: [-four-]"),
        "{}",
        diff("separate")
    );
}
