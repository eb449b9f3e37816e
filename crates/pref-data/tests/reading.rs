//! Every format and shape of preference data, and the errors of bad rows.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod common;

use std::io::Write;
use std::path::Path;

use common::{Folder, ROWS, read, shape, texts};
use pref_data::{Example, Pair, ReadOptions, Shape, Text, read_examples, read_pairs, read_with};
use proptest::prelude::*;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn every_format_holds_the_same_pairs() {
    let folder = Folder::new();
    let expected = texts(&read_pairs(&folder.write("plain.jsonl", ROWS)).unwrap());
    let list = format!("\u{feff} [{}]", ROWS.trim().replace("}\n", "},\n"));
    let csv = "prompt,chosen,rejected\n2 + 2?,4,5\n\"Größe?\",groß 🐘,klein\n";
    let parquet = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parquet");
    // two gzip members in one file, as `cat a.gz b.gz` makes them
    let half = ROWS.find('\n').unwrap() + 1;
    let members = [
        gzip(&ROWS.as_bytes()[..half]),
        gzip(&ROWS.as_bytes()[half..]),
    ]
    .concat();
    let arrow = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/arrow");
    for path in [
        folder.write("list.json", &list),
        folder.write("lines.json", ROWS),
        folder.write("no-ending", ROWS),
        folder.write("dos.jsonl", ROWS.replace('\n', "\r\n")),
        folder.write("table.csv", csv),
        folder.write("table.tsv", csv.replace(',', "\t")),
        folder.write("one.jsonl.gz", gzip(ROWS.as_bytes())),
        folder.write("two.jsonl.gz", members),
        folder.write("one.csv.gz", gzip(csv.as_bytes())),
        folder.write(
            "one.jsonl.zst",
            zstd::encode_all(ROWS.as_bytes(), 3).unwrap(),
        ),
        folder.write("misnamed.jsonl", gzip(ROWS.as_bytes())),
        parquet.join("none.parquet"),
        parquet.join("snappy.parquet"),
        parquet.join("gzip.parquet"),
        parquet.join("zstd.parquet"),
        parquet.join("lz4.parquet"),
        parquet.join("brotli.parquet"),
        arrow.join("saved"),
        arrow.join("saved/train"),
        arrow.join("saved/train/data-00000-of-00001.arrow"),
    ] {
        assert_eq!(texts(&read(&path).rows), expected, "{}", path.display());
    }
    for path in [parquet.join("messages.parquet"), arrow.join("messages")] {
        let messages = read(&path);
        let Text::Conversation(turns) = &messages.rows[0].chosen else {
            panic!("messages are a conversation");
        };
        assert_eq!(
            (turns[0].role.as_str(), turns[0].content.as_str()),
            ("assistant", "Hello")
        );
    }
}

#[test]
fn folders_and_patterns_are_read_in_order() {
    let folder = Folder::new();
    let row =
        |n: usize| format!("{{\"prompt\": \"{n}\", \"chosen\": \"a\", \"rejected\": \"b\"}}\n");
    folder.write("b.jsonl", row(2));
    folder.write("a.jsonl", row(1));
    folder.write("c.json", row(3));
    folder.write("readme.txt", "no data");
    let prompts = |path: &Path| -> Vec<String> {
        read(path)
            .rows
            .iter()
            .map(|p| p.prompt.to_string())
            .collect()
    };
    assert_eq!(prompts(folder.0.path()), ["1", "2", "3"]);
    assert_eq!(prompts(&folder.0.path().join("*.jsonl")), ["1", "2"]);
    let none = ReadOptions::default();
    let empty = folder.0.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    insta::assert_snapshot!(
        [
            folder.error(&folder.0.path().join("*.parquet"), &none),
            folder.error(&empty, &none),
            folder.error(&folder.0.path().join("absent.jsonl"), &none),
        ]
        .join("\n")
    );
}

#[test]
fn every_shape_becomes_pairs() {
    assert_eq!(
        shape(
            r#"{"chosen": "Human: Hi\nBot: Hello you", "rejected": "Human: Hi\nBot: Go"}"#,
            Shape::ImplicitPrompt
        ),
        [["Human: Hi\nBot:", " Hello you", " Go"]]
    );
    let user = r#"{"role": "user", "content": "Hi"}"#;
    let bot = |text: &str| format!(r#"{{"role": "assistant", "content": "{text}"}}"#);
    assert_eq!(
        shape(
            &format!(
                r#"{{"chosen": [{user}, {}], "rejected": [{user}, {}]}}"#,
                bot("Hello"),
                bot("Go")
            ),
            Shape::ImplicitPrompt
        ),
        [["Hi", "Hello", "Go"]]
    );
    assert_eq!(
        shape(
            r#"{"conversations": [{"from": "human", "value": "Hi"}], "chosen": {"from": "gpt", "value": "Hello"}, "rejected": {"from": "gpt", "value": "Go"}}"#,
            Shape::ShareGpt
        ),
        [["Hi", "Hello", "Go"]]
    );
    assert_eq!(
        shape(
            r#"{"prompt": "Hi", "responses": ["a", "b", "c", "d"], "ratings": [2, 5, 1, 5]}"#,
            Shape::Rated
        ),
        [["Hi", "b", "c"]]
    );
    let rows: Vec<String> = [
        ("Hi", "a", 2),
        ("Hi", "b", 4),
        ("Yo", "c", 1),
        ("Yo", "d", 0),
        ("Yo", "e", 3),
    ]
    .iter()
    .map(|(p, r, n)| format!(r#"{{"prompt": "{p}", "response": "{r}", "rating": {n}}}"#))
    .collect();
    assert_eq!(
        shape(&rows.join("\n"), Shape::RatedRows),
        [["Hi", "b", "a"], ["Yo", "e", "d"]]
    );
}

#[test]
fn columns_can_be_renamed() {
    let folder = Folder::new();
    let path = folder.write(
        "rows.jsonl",
        r#"{"question": "q", "answer": "a", "chosen": "no field of ours", "wrong": "b"}"#,
    );
    let mut options = ReadOptions::default();
    for (field, name) in [
        ("prompt", "question"),
        ("chosen", "answer"),
        ("rejected", "wrong"),
    ] {
        options.columns.insert(field.to_owned(), name.to_owned());
    }
    let read = read_with(&path, &options).unwrap();
    assert_eq!(texts(&read.rows), [["q", "a", "b"]]);
    options
        .columns
        .insert("promt".to_owned(), "question".to_owned());
    insta::assert_snapshot!(folder.error(&path, &options));
}

#[test]
fn bad_rows_are_named() {
    let folder = Folder::new();
    let none = ReadOptions::default();
    let message = |text: &str| folder.error(&folder.write("rows.jsonl", text), &none);
    let row = "{\"prompt\": \"a\", \"chosen\": \"b\", \"rejected\": \"c\"}";
    insta::assert_snapshot!([
        message("{\"prompt\": \"a\", \"chosen\": \"b\"}"),
        message("{\"question\": \"a\"}"),
        message("{\"prompt\": \"a\", \"chosen\": \"b\", \"rejected\": \"b\"}"),
        message("{\"prompt\": \"a\", \"chosen\": 3, \"rejected\": \"b\"}"),
        message("{\"prompt\": \"a\", \"responses\": [\"b\", \"c\"], \"ratings\": [1, 1]}"),
        message("{\"prompt\": \"a\", \"responses\": [\"b\", \"c\"], \"ratings\": [1]}"),
        message("{\"prompt\": \"a\", \"responses\": [\"b\", \"c\"], \"ratings\": [1, \"x\"]}"),
        message("{\"chosen\": \"x\", \"rejected\": \"y\"}"),
        message("{\"prompt\": \"a\", \"chosen\": \"b\", \"rejected\": \"c\", \"chosen_scores\": [[1, 2]]}"),
        message("{\"prompt\": \"a\", \"chosen\": \"b\", \"rejected\": \"c\", \"chosen_scores\": [[1, 2, 3, 4, 5]]}"),
        message("{\"prompt\": \"a\", \"chosen\": \"b\", \"rejected\": \"c\", \"rejected_importance\": [2]}"),
        message("{\"prompt\": \"a\", \"chosen\": \"b\", \"rejected\": \"c\", \"chosen_parts\": [{\"label\": 1}]}"),
        message("[1]"),
        message("{\"prompt\": "),
        message("\n\n"),
        folder.error(&folder.write("cells.csv", "prompt,chosen,rejected\na,b\n"), &none),
        folder.error(&folder.write("cells.parquet", "PAR1 no"), &none),
        folder.error(&folder.write("list.json", "[{\"prompt\": 1},\n 2"), &none),
        folder.error(&folder.write("comma.json", format!("[{row},\n{row} {row}]")), &none),
        folder.error(&folder.write("rest.json", format!("[{row}]\n{row}")), &none),
        folder.error(&folder.write("bad.jsonl.gz", &gzip(ROWS.as_bytes())[..40]), &none),
    ].join("\n"));
}

#[test]
fn bad_rows_are_skipped_on_request() {
    let folder = Folder::new();
    let text = format!(
        "{ROWS}not json\n{{\"prompt\": \"only\"}}\n{}",
        "{\"prompt\": \"a\", \"chosen\": \"b\", \"rejected\": \"c\"}"
    );
    let options = ReadOptions {
        skip_bad_rows: true,
        ..ReadOptions::default()
    };
    let read = read_with(&folder.write("rows.jsonl", text), &options).unwrap();
    assert_eq!(read.rows.len(), 3);
    assert_eq!(read.rows[2].place.line, 5);
    assert_eq!(read.rejects.len(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Reading arbitrary bytes ends, with pairs or with an error.
    #[test]
    fn no_bytes_cause_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), ending in 0usize..6) {
        let folder = Folder::new();
        let name = ["a.jsonl", "a.json", "a.csv", "a.parquet", "a.jsonl.gz", "a.jsonl.zst"][ending];
        let magic: &[u8] = match ending {
            3 => b"PAR1",
            4 => &[0x1f, 0x8b, 8, 0],
            5 => &[0x28, 0xb5, 0x2f, 0xfd],
            _ => b"",
        };
        let mut all = magic.to_vec();
        all.extend(&bytes);
        if ending == 3 {
            all.extend(b"\x10\0\0\0PAR1");
        }
        let path = folder.write(name, all);
        let _ = read_with(&path, &ReadOptions { skip_bad_rows: true, ..ReadOptions::default() });
    }
}

#[test]
fn single_answers_are_read_with_their_labels() {
    let folder = Folder::new();
    let labels = |path: &Path| -> Vec<(String, bool)> {
        let read = read_examples(path, &ReadOptions::default()).unwrap();
        let of = |e: &Example| (e.completion.to_string(), e.label.unwrap());
        read.rows.iter().map(of).collect()
    };
    let expected = [("4".to_owned(), true), ("5".to_owned(), false)];
    let lines = r#"{"prompt": "2 + 2?", "completion": "4", "label": true}
{"prompt": "2 + 2?", "completion": "5", "label": 0}
"#;
    let unpaired = folder.write("unpaired.jsonl", lines);
    assert_eq!(labels(&unpaired), expected);
    let csv = "prompt,completion,label\n2 + 2?,4,True\n2 + 2?,5,0\n";
    assert_eq!(labels(&folder.write("unpaired.csv", csv)), expected);
    // a pair gives a wanted and an unwanted answer
    assert_eq!(labels(&folder.write("pairs.jsonl", ROWS))[..2], expected);
    let bad = folder.write(
        "bad.jsonl",
        r#"{"prompt": "2 + 2?", "completion": "4", "label": "good"}"#,
    );
    let empty = folder.write(
        "empty.jsonl",
        r#"{"prompt": "2 + 2?", "completion": "", "label": true}"#,
    );
    let none = ReadOptions::default();
    let messages = [&bad, &empty].map(|path| {
        let error = read_examples(path, &none).unwrap_err().to_string();
        error.replace(&folder.0.path().display().to_string(), "[folder]")
    });
    insta::assert_snapshot!([messages.join("\n"), folder.error(&unpaired, &none)].join("\n"));
}

#[test]
fn helpful_answers_are_paired_by_prompt() {
    let folder = Folder::new();
    let rows = r#"{"prompt": "a", "response": "good", "helpfulness": 4, "coherence": 4}
{"prompt": "a", "response": "bad", "helpfulness": 1, "coherence": 4}
{"prompt": "b", "response": "poor", "helpfulness": 0, "coherence": 4}
{"prompt": "b", "response": "fine", "helpfulness": 3, "coherence": 4}
"#;
    let read = read(&folder.write("helpful.jsonl", rows));
    assert_eq!(read.shape, Shape::HelpSteer);
    let [first, second] = &texts(&read.rows)[..] else {
        panic!("two prompts are two pairs");
    };
    assert_eq!(first, &["a", "good", "bad"]);
    assert_eq!(second, &["b", "fine", "poor"]);
}

#[test]
fn cells_of_a_table_hold_lists_as_json() {
    let folder = Folder::new();
    let csv = "prompt,responses,ratings,chosen_weights\n\
               2?,\"[\"\"two\"\", \"\"three\"\"]\",\"[5, 1]\",\n\
               3?,\"[\"\"three\"\", \"\"two\"\"]\",\"[5, 1]\",\"[1, 2]\"\n";
    let rated = read(&folder.write("rated.csv", csv));
    assert_eq!(rated.shape, Shape::Rated);
    assert_eq!(texts(&rated.rows)[0], ["2?", "two", "three"]);
    assert!(rated.rows[0].annotations[0].is_none());
    let annotation = rated.rows[1].annotations[0].as_ref().unwrap();
    assert_eq!(annotation.weights.as_deref(), Some(&[1.0, 2.0][..]));
    // a cell with a list is a plain text, unless the list holds messages
    let csv = "prompt,chosen,rejected\nPrimes?,\"[2, 3]\",\"[4]\"\n";
    let plain = read(&folder.write("plain.csv", csv));
    assert_eq!(texts(&plain.rows)[0], ["Primes?", "[2, 3]", "[4]"]);
}

#[test]
fn tools_and_their_calls_reach_the_template() {
    let folder = Folder::new();
    let row = r#"{"prompt": [{"role": "user", "content": "Time?"}], "chosen": [{"role": "assistant", "content": null, "tool_calls": [{"name": "clock"}]}], "rejected": [{"role": "assistant", "content": "Late."}], "tools": "[{\"name\": \"clock\"}]"}"#;
    let pair = read(&folder.write("tools.jsonl", row)).rows.remove(0);
    assert_eq!(pair.tools[0]["name"], "clock");
    let Text::Conversation(turns) = &pair.chosen else {
        panic!("messages are a conversation");
    };
    assert_eq!(turns[0].more["tool_calls"][0]["name"], "clock");
    // the row that is written reads back as the same pair
    let again = folder.write("again.jsonl", pair.to_value().to_string());
    let again = read(&again).rows.remove(0);
    let place = pair.place.clone();
    assert_eq!(Pair { place, ..again }, pair);
}

#[test]
fn damaged_parquet_is_an_error_not_a_panic() {
    let damaged = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parquet/damaged.parquet");
    let error = read_with(&damaged, &ReadOptions::default()).unwrap_err();
    let message = error.to_string();
    assert!(
        message.contains("damaged.parquet:1: not valid Parquet"),
        "{message}"
    );
}

#[test]
fn a_row_sets_its_template() {
    let folder = tempfile::tempdir().unwrap();
    let read = |name: &str, text: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        read_pairs(&file)
    };
    let row = |kwargs: &str| {
        format!(
            r#"{{"prompt": "a", "chosen": "b", "rejected": "c", "chat_template_kwargs": {kwargs}}}"#
        )
    };
    let csv =
        "prompt,chosen,rejected,chat_template_kwargs\na,b,c,\"{\"\"enable_thinking\"\": false}\"\n";
    let object = row(r#"{"enable_thinking": false}"#);
    for pairs in [read("f.jsonl", &object), read("f.csv", csv)] {
        let pairs = pairs.unwrap();
        assert_eq!(pairs.len(), 1);
        let kwargs: Vec<_> = pairs[0].template_kwargs.iter().collect();
        assert_eq!(kwargs, [("enable_thinking", &serde_json::json!(false))]);
        assert!(pairs[0].more.is_empty(), "{:?}", pairs[0].more);
        // the pair is written as it was read
        let again = read("again.jsonl", &pairs[0].to_value().to_string()).unwrap();
        assert_eq!(again[0].template_kwargs, pairs[0].template_kwargs);
    }
    for wrong in ["3", r#"{"messages": []}"#] {
        let error = read("f.jsonl", &row(wrong)).unwrap_err().to_string();
        assert!(
            error.contains("`chat_template_kwargs` must be an object of settings"),
            "{error}"
        );
    }
}

#[test]
fn damaged_arrow_is_an_error_not_a_panic() {
    let folder = Folder::new();
    let whole = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/arrow/saved/train/data-00000-of-00001.arrow");
    let whole = std::fs::read(whole).unwrap();
    let mut n_errors = 0;
    for at in (0..whole.len()).step_by(7) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0xff;
        let path = folder.write("rows.arrow", &bytes);
        n_errors += usize::from(read_with(&path, &ReadOptions::default()).is_err());
        // without its last eight bytes, an Arrow stream is complete
        let path = folder.write("cut.arrow", &whole[..at.min(whole.len() - 9)]);
        assert!(
            read_with(&path, &ReadOptions::default()).is_err(),
            "cut at {at}"
        );
    }
    assert!(n_errors > 10, "{n_errors}");
}

#[cfg(unix)]
#[test]
fn pipes_are_read_and_refused_without_a_writer() {
    let folder = Folder::new();
    let pipe = folder.0.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    assert_eq!(
        folder.error(&pipe, &ReadOptions::default()),
        "[folder]/pipe: no program has opened this pipe for writing within 3 seconds; start that program first"
    );
    let parquet = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parquet/none.parquet");
    let csv = "prompt,chosen,rejected\n2 + 2?,4,5\nGröße?,groß 🐘,klein\n";
    let expected = texts(&read_pairs(&folder.write("plain.jsonl", ROWS)).unwrap());
    for bytes in [
        ROWS.as_bytes().to_vec(),
        gzip(ROWS.as_bytes()),
        csv.as_bytes().to_vec(),
        std::fs::read(parquet).unwrap(),
    ] {
        let into = pipe.clone();
        let writer = std::thread::spawn(move || std::fs::write(into, bytes).unwrap());
        assert_eq!(texts(&read(&pipe).rows), expected);
        writer.join().unwrap();
    }
}
