//! The commands that look at data, as a person meets them.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod common;

use std::path::Path;

use common::{Said, model, pref, run, run_with_input};

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
        lint("joint").contains("boundary: in 1 of 1 rows"),
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
fn stdin_is_a_file_of_rows() {
    let rows = ROWS[..1].join("\n");
    for name in ["-", "/dev/stdin"] {
        let said = run_with_input(&["data", "convert", name], &rows);
        assert_eq!(
            (said.code, said.lines().len()),
            (Some(0), 1),
            "{}",
            said.err
        );
        let said = run_with_input(&["lint", name, "--model", &model("llama")], &rows);
        assert!(said.out.contains("1 pairs, 0 findings"), "{}", said.out);
    }
    let said = run_with_input(&["data", "stats", "-"], "not rows");
    assert_eq!(said.code, Some(1));
    assert_eq!(
        said.err,
        "error: stdin:1:2: not valid JSON: expected ident\n"
    );
}

#[test]
fn several_files_are_one_set_of_rows() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (folder.path().join("a.jsonl"), folder.path().join("b.csv"));
    std::fs::write(&a, ROWS[0]).unwrap();
    std::fs::write(&b, "prompt,chosen,rejected,id\nq,a,b,7\n").unwrap();
    let (a, b) = (a.display().to_string(), b.display().to_string());
    let output = folder.path().join("all.parquet").display().to_string();
    let said = run(&["data", "convert", &a, &b, "--output", &output]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let rows = run(&["data", "convert", &output]).lines();
    assert_eq!(rows.len(), 2);
    assert_eq!(
        (&rows[1]["prompt"], &rows[1]["id"]),
        (&"q".into(), &"7".into())
    );
}

#[test]
fn an_output_onto_its_input_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = rows(folder.path());
    let before = std::fs::read(&file).unwrap();
    let linked = folder.path().join("linked.jsonl");
    std::fs::hard_link(&file, &linked).unwrap();
    let linked = linked.display().to_string();
    for args in [
        &["data", "convert", &file, "--output", &file][..],
        &["data", "convert", &file, "--output", &linked],
        &[
            "data", "map", &file, "--field", "prompt=x", "--output", &file,
        ],
        &["segment", &file, "--output", &file],
    ] {
        let said = said(folder.path(), args);
        assert!(said.starts_with("exit 1"), "{said}");
        assert!(
            said.contains("the output is a file that is read from"),
            "{said}"
        );
    }
    assert_eq!(std::fs::read(&file).unwrap(), before);
}

#[test]
fn prompts_are_held_out_with_all_their_pairs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pairs.jsonl");
    let row = |i: usize| {
        let row = serde_json::json!({"prompt": format!("What is {}?", i % 20), "chosen": format!("good {i}"), "rejected": format!("bad {i}"), "id": i});
        row.to_string()
    };
    let lines: Vec<String> = (0..60).map(row).collect();
    std::fs::write(&path, lines.join("\n")).unwrap();
    let output = folder.path().join("split").display().to_string();
    let file = path.display().to_string();
    let said = run(&[
        "data", "split", &file, "--output", &output, "--format", "csv.gz",
    ]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let read = |name: &str| run(&["data", "convert", &format!("{output}/{name}.csv.gz")]).lines();
    let (train, eval) = (read("train"), read("eval"));
    assert_eq!((train.len(), eval.len()), (54, 6));
    let prompts: Vec<_> = train.iter().map(|row| &row["prompt"]).collect();
    assert!(eval.iter().all(|row| !prompts.contains(&&row["prompt"])));
    assert!(eval.iter().all(|row| row["id"].is_string()));
    // nothing can be held out of one prompt
    std::fs::write(&path, [row(0), row(20)].join("\n")).unwrap();
    let said = run(&["data", "split", &file, "--output", &output]);
    assert_eq!(said.code, Some(1));
    assert!(
        said.err.contains("all 2 pairs have one prompt"),
        "{}",
        said.err
    );
}

#[test]
fn segments_are_readable_before_they_are_scored() {
    let folder = tempfile::tempdir().unwrap();
    let (file, model) = (rows(folder.path()), model("llama"));
    for by in ["sentences", "parts"] {
        let output = folder
            .path()
            .join(format!("{by}.jsonl"))
            .display()
            .to_string();
        let made = run(&["segment", &file, "--by", by, "--output", &output]);
        assert_eq!(made.code, Some(0), "{}", made.err);
        let row = run(&["data", "convert", &output]).lines().remove(0);
        assert!(row["chosen_segments"].is_array());
        assert_eq!(row["chosen_parts"][0]["label"].is_string(), by == "parts");
        for args in [
            &["inspect", &output, "--model", &model][..],
            &["diff", &output, "--model", &model],
            &["data", "stats", &output, "--model", &model],
        ] {
            let said = run(args);
            assert_eq!(said.code, Some(0), "{args:?}: {}", said.err);
        }
        let said = run(&["lint", &output, "--model", &model]);
        assert!(said.out.contains("4 pairs"), "{}", said.out);
        assert!(!said.out.contains("bad-row"), "{}", said.out);
    }
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
            .contains("--row 4 is not one of the 3 pairs")
    );
    assert!(
        inspect(&["--line", "2"])
            .err
            .contains("--line 2 is the line of no row")
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

#[cfg(unix)]
#[test]
fn an_output_that_is_no_file_is_written_into() {
    let folder = tempfile::tempdir().unwrap();
    let file = rows(folder.path());
    let output = pref(&["data", "convert", &file, "--output", "/dev/stdout"]).output();
    let said = Said::new(&output.unwrap());
    assert_eq!(
        (said.code, said.lines().len()),
        (Some(0), 4),
        "{}",
        said.err
    );
}
