//! Shapes, splits and fields of rows, and the errors of files that are ambiguous.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod common;

use std::path::PathBuf;

use common::{Folder, ROWS, read, shape, texts};
use pref_data::{ReadOptions, Shape, Text, read_with};

#[test]
fn a_null_prompt_in_the_first_row_tells_no_shape() {
    let folder = Folder::new();
    let file = folder.write(
        "rows.jsonl",
        r#"{"prompt": null, "chosen": "a", "rejected": "b"}
{"prompt": "p", "chosen": "c", "rejected": "d"}
{"prompt": "q", "chosen": null, "rejected": "d"}
"#,
    );
    let skipping = ReadOptions {
        skip_bad_rows: true,
        ..ReadOptions::default()
    };
    let read = read_with(&file, &skipping).unwrap();
    assert_eq!(read.shape, Shape::Pairs);
    assert_eq!(texts(&read.rows), [["p", "c", "d"]]);
    let shown: Vec<String> = read.rejects.iter().map(ToString::to_string).collect();
    let folder = folder.0.path().display().to_string();
    insta::assert_snapshot!(shown.join("\n").replace(&folder, "[folder]"));
}

#[test]
fn a_prompt_column_of_only_nulls_does_not_count() {
    let row = r#"{"prompt": null, "chosen": "Hi: a", "rejected": "Hi: b"}"#;
    let rows = format!("{row}\n{row}");
    assert_eq!(shape(&rows, Shape::ImplicitPrompt)[0], ["Hi:", " a", " b"]);
}

#[test]
fn files_with_several_shapes_are_refused() {
    let folder = Folder::new();
    let none = ReadOptions::default();
    let pair = r#"{"prompt": "p", "chosen": "a", "rejected": "b"}"#;
    let implicit = r#"{"chosen": "p a", "rejected": "p b"}"#;
    let mixed = folder.write("mixed.jsonl", format!("{implicit}\n{pair}\n{implicit}"));
    // after the rows that determine the shape
    let late = format!("{}{implicit}", format!("{pair}\n").repeat(1200));
    let late = folder.write("late.jsonl", late);
    let asked = [folder.error(&mixed, &none), folder.error(&late, &none)];
    insta::assert_snapshot!(asked.join("\n"));
    let said = ReadOptions {
        shape: Some(Shape::Pairs),
        skip_bad_rows: true,
        ..ReadOptions::default()
    };
    assert_eq!(read_with(&mixed, &said).unwrap().rows.len(), 1);
}

#[test]
fn a_plain_prompt_becomes_the_messages_that_both_answers_begin_with() {
    let row = r#"{"prompt": "Hi", "chosen": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}], "rejected": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Go"}], "score_chosen": 8}"#;
    let folder = Folder::new();
    let path = folder.write("rows.jsonl", row);
    let pair = read(&path).rows.remove(0);
    assert_eq!(texts(std::slice::from_ref(&pair)), [["Hi", "Hello", "Go"]]);
    assert!(matches!(&pair.prompt, Text::Conversation(turns) if turns.len() == 1));
    assert_eq!(pair.more["score_chosen"], 8);
    let other = folder.write(
        "other.jsonl",
        row.replace("\"prompt\": \"Hi\"", "\"prompt\": \"Ho\""),
    );
    let same = folder.write("same.jsonl", row.replace("Go", "Hello"));
    let none = ReadOptions::default();
    insta::assert_snapshot!([folder.error(&other, &none), folder.error(&same, &none)].join("\n"));
}

#[test]
fn contents_of_blocks_are_their_texts() {
    let row = |block: &str| {
        format!(
            r#"{{"prompt": [{{"role": "user", "content": [{{"type": "text", "text": "2 "}}, {block}]}}], "chosen": [{{"role": "assistant", "content": "4"}}], "rejected": [{{"role": "assistant", "content": [{{"type": "text", "text": "5", "image": null}}]}}]}}"#
        )
    };
    let read = shape(&row(r#"{"type": "text", "text": "+ 2?"}"#), Shape::Pairs);
    assert_eq!(read, [["2 + 2?", "4", "5"]]);
    let folder = Folder::new();
    let image = folder.write("rows.jsonl", row(r#"{"type": "image", "image": "x.png"}"#));
    insta::assert_snapshot!(folder.error(&image, &ReadOptions::default()));
}

#[test]
fn all_speakers_of_share_gpt_have_a_role() {
    for name in ["gpt", "chatgpt", "bot", "model", "assistant", "ChatGPT"] {
        let folder = Folder::new();
        let row = format!(
            r#"{{"conversations": [{{"from": "human", "value": "Hi"}}], "chosen": {{"from": "{name}", "value": "Hello"}}, "rejected": {{"from": "{name}", "value": "Go"}}}}"#
        );
        let pair = read(&folder.write("rows.jsonl", row)).rows.remove(0);
        let Text::Conversation(turns) = &pair.chosen else {
            panic!("messages are a conversation");
        };
        assert_eq!(turns[0].role, "assistant", "{name}");
    }
}

#[test]
fn conversations_in_a_table_are_read_as_python_prints_them() {
    let folder = Folder::new();
    let table = |chosen: &str| {
        format!(
            "prompt,chosen,rejected,n\n\"[{{'role': 'user', 'content': \"\"What's 2+2?\"\"}}]\",\"{chosen}\",\"[{{\"\"role\"\": \"\"assistant\"\", \"\"content\"\": \"\"5\"\"}}]\",7\n"
        )
    };
    let list = "[{'role': 'assistant', 'content': 'It is\\n4.'}]";
    let pairs = read(&folder.write("rows.csv", table(list)));
    assert_eq!(texts(&pairs.rows), [["What's 2+2?", "It is\n4.", "5"]]);
    let rated = "prompt,responses,ratings\np,\"['good', 'bad']\",\"[2, 1]\"\n";
    let rated = read(&folder.write("rated.csv", rated));
    assert_eq!(texts(&rated.rows), [["p", "good", "bad"]]);
    // the cell begins like a conversation, but is not valid
    let broken = folder.write(
        "broken.csv",
        table("[{'role': 'assistant', 'content': nan}]"),
    );
    insta::assert_snapshot!(folder.error(&broken, &ReadOptions::default()));
    // code that looks similar is a plain text
    let code = "prompt,chosen,rejected\nJSON?,\"[{'a': 1}]\",\"{'a': 1}\"\n";
    let code = read(&folder.write("code.csv", code));
    assert_eq!(texts(&code.rows), [["JSON?", "[{'a': 1}]", "{'a': 1}"]]);
}

#[test]
fn unknown_fields_stay_with_the_row() {
    let folder = Folder::new();
    let row = r#"{"prompt":"a","chosen":"b","rejected":"d","id":7,"source":{"x":[1]}}"#;
    let pair = read(&folder.write("rows.jsonl", row)).rows.remove(0);
    assert_eq!(pair.to_value().to_string(), row);
    // of several rated rows only the fields with the same value in all rows stay
    let rows = r#"{"prompt": "a", "response": "b", "rating": 1, "id": 7, "by": "x"}
{"prompt": "a", "response": "c", "rating": 2, "id": 7, "by": "y"}"#;
    let pair = read(&folder.write("rated.jsonl", rows)).rows.remove(0);
    assert_eq!(serde_json::to_string(&pair.more).unwrap(), r#"{"id":7}"#);
}

#[test]
fn folders_with_several_splits_are_refused() {
    let folder = Folder::new();
    let row = r#"{"prompt": "p", "chosen": "a", "rejected": "b"}"#;
    for name in [
        ".hidden.jsonl",
        "dataset_infos.json",
        "test.jsonl",
        "train-0.jsonl",
        "train-1.jsonl",
    ] {
        folder.write(name, row);
    }
    let asked = folder.error(folder.0.path(), &ReadOptions::default());
    insta::assert_snapshot!(asked);
    let n = |path: PathBuf| read(&path).rows.len();
    assert_eq!(n(folder.0.path().join("train-*")), 2);
    std::fs::remove_file(folder.0.path().join("test.jsonl")).unwrap();
    assert_eq!(n(folder.0.path().to_owned()), 2);
    assert_eq!(n(folder.0.path().join("*.jsonl")), 2);
}

#[test]
fn the_subfolder_data_is_read() {
    let folder = Folder::new();
    std::fs::create_dir(folder.0.path().join("data")).unwrap();
    folder.write("README.md", "about");
    folder.write("data/train-00000-of-00001.jsonl", ROWS);
    folder.write("data/._train-00000-of-00001.jsonl", "no data");
    assert_eq!(read(folder.0.path()).rows.len(), 2);
}

#[test]
fn a_prompt_is_read_from_every_shape() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.jsonl");
    let user = serde_json::json!({"role": "user", "content": "2 + 2?"});
    let answer = serde_json::json!({"role": "assistant", "content": "4"});
    let conversation = serde_json::json!([user]);
    let rows = [
        (serde_json::json!({"prompt": "2 + 2?", "id": 1}), false),
        (serde_json::json!({"prompt": [user]}), true),
        (
            serde_json::json!({"prompt": "2 + 2?", "completion": "4", "label": true}),
            false,
        ),
        (serde_json::json!({"messages": [user, answer]}), true),
        (serde_json::json!({"messages": [user]}), true),
        (
            serde_json::json!({"chosen": "2 + 2? 4", "rejected": "2 + 2? 5"}),
            false,
        ),
        (
            serde_json::json!({"prompt": "2 + 2?", "chosen": [user, answer], "rejected": [user, {"role": "assistant", "content": "5"}]}),
            true,
        ),
    ];
    let lines: Vec<String> = rows.iter().map(|(row, _)| row.to_string()).collect();
    std::fs::write(&path, lines.join("\n")).unwrap();
    let found = pref_data::read_prompts(&[&path], &Default::default()).unwrap();
    let found: Vec<_> = found.map(Result::unwrap).collect();
    assert_eq!(found.len(), rows.len());
    for (found, (row, is_conversation)) in found.iter().zip(&rows) {
        let expected = match is_conversation {
            true => conversation.clone(),
            false => serde_json::json!("2 + 2?"),
        };
        assert_eq!(serde_json::json!(found.prompt), expected, "{row}");
        assert_eq!(&serde_json::Value::Object(found.fields.clone()), row);
    }
}
