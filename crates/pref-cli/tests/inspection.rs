//! `pref diff`, `lint` and `inspect`: files with good and bad rows in, what the commands print out.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod common;

use common::{ROWS, Said, model, rows, run, said};

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
        // Tokenization ends the first answer with the token that the second one already has.
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
fn the_boundary_of_prompt_and_answer_can_be_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("merge.jsonl");
    // The space at the end of the prompt and the answer's first word become one token.
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
        lint("joint").contains("boundary: in 1 of 1 rows the last token of the prompt changes"),
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
        diff("separate").contains("chosen: f[-our-]<|im_end|>"),
        "{}",
        diff("separate")
    );
}

#[test]
fn a_bad_row_does_not_hide_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pairs.jsonl");
    let bad = r#"{"prompt": "p", "chosen": "a", "rejected": "a"}"#;
    std::fs::write(&path, [ROWS[0], "", bad, ROWS[2]].join("\n")).unwrap();
    let (file, model) = (path.display().to_string(), model("llama"));
    let inspect =
        |more: &[&str]| -> Said { run(&[&["inspect", &file, "--model", &model], more].concat()) };
    let third = inspect(&["--row", "3"]);
    assert_eq!(third.code, Some(0), "{}", third.err);
    assert_eq!(third.err, format!("{file}:4\n"));
    assert_eq!(inspect(&["--line", "4"]).out, third.out);
    assert!(inspect(&["--row", "2"]).err.contains("are identical"));
    assert!(
        inspect(&["--row", "4"])
            .err
            .contains("--row 4 is out of range; there are 3 pairs")
    );
    assert!(
        inspect(&["--line", "2"])
            .err
            .contains("--line 2: no row begins on this line")
    );
}

#[test]
fn blank_answers_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pairs.jsonl");
    let row = r#"{"prompt": "p", "chosen": " \n", "rejected": "a"}"#;
    std::fs::write(&path, row).unwrap();
    let said = run(&["lint", path.to_str().unwrap()]);
    let expected = "pairs.jsonl:1: blank: the chosen answer holds only white space";
    assert!(said.out.contains(expected), "{}", said.out);
    assert_eq!(said.code, Some(0));
}
