//! `pref data` and `pref segment`: files in, what the commands print and write out.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod common;

use common::{ROWS, Said, model, pref, rows, run, run_with_input, said};

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
    // The output is also a valid input.
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
            // A single expression keeps its type: a list of messages, a boolean.
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
            said.contains("the output file is also an input file"),
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
    // Rows with a single prompt cannot be divided by prompt.
    std::fs::write(&path, [row(0), row(20)].join("\n")).unwrap();
    let said = run(&["data", "split", &file, "--output", &output]);
    assert_eq!(said.code, Some(1));
    assert!(
        said.err.contains("all 2 pairs have the same prompt"),
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

#[cfg(unix)]
#[test]
fn an_output_may_be_a_device() {
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
