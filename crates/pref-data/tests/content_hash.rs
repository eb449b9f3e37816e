//! The content hash of a row: the same in every file, and different for different content.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod common;

use std::io::Write;

use common::{Folder, read};
use pref_data::{ContentHash, Pair, ReadOptions, RowWriter, read_examples};
use serde_json::{Value, json};

/// The hashes of pairs.
fn hashes(pairs: &[Pair]) -> Vec<ContentHash> {
    pairs.iter().map(Pair::content_hash).collect()
}

/// The hash of a row.
#[track_caller]
fn hash(row: &Value) -> ContentHash {
    let folder = Folder::new();
    let pairs = read(&folder.write("row.jsonl", row.to_string())).rows;
    assert_eq!(pairs.len(), 1);
    pairs[0].content_hash()
}

/// The hash of a single answer.
fn hash_of_answer(row: &Value) -> ContentHash {
    let folder = Folder::new();
    let path = folder.write("row.jsonl", row.to_string());
    let read = read_examples(&path, &ReadOptions::default()).unwrap();
    read.rows[0].content_hash()
}

#[test]
fn a_row_has_the_same_hash_in_every_format() {
    let rows = [
        json!({
            "prompt": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Größe?"}],
            "chosen": [{"role": "assistant", "content": "groß 🐘"}],
            "rejected": [{"role": "assistant", "content": "klein"}],
            "tools": [{"name": "f", "parameters": {"type": "object"}}],
            "chosen_weights": [1, 0.5, 2],
        }),
        json!({
            "prompt": [{"role": "user", "content": "2?"}],
            "chosen": [{"role": "assistant", "content": "two"}],
            "rejected": [{"role": "assistant", "content": "three"}],
            "tools": [{"name": "g", "strict": true}],
            "rejected_segments": ["thr", "ee"],
            "id": 7,
        }),
    ];
    let folder = Folder::new();
    let lines: Vec<String> = rows.iter().map(Value::to_string).collect();
    let expected = hashes(&read(&folder.write("plain.jsonl", lines.join("\n"))).rows);
    assert_ne!(expected[0], expected[1]);
    for ending in [
        "json", "csv", "tsv", "parquet", "arrow", "jsonl.gz", "csv.zst",
    ] {
        let path = folder.0.path().join(format!("rows.{ending}"));
        let mut writer = RowWriter::create(&path).unwrap();
        for row in &rows {
            writer.write(row).unwrap();
        }
        writer.finish().unwrap();
        assert_eq!(hashes(&read(&path).rows), expected, "{ending}");
    }
}

#[test]
fn order_place_and_unknown_fields_make_no_difference() {
    let row = |text: &str| hash(&serde_json::from_str(text).unwrap());
    let plain = row(r#"{"prompt": "a", "chosen": "b", "rejected": "c"}"#);
    assert_eq!(
        row(r#"{"id": 3, "rejected": "c", "chosen": "b", "prompt": "a", "tools": null}"#),
        plain
    );
    // the same pair from other shapes
    assert_eq!(row(r#"{"chosen": "ab", "rejected": "ac"}"#), plain);
    assert_eq!(
        row(r#"{"prompt": "a", "responses": ["c", "b"], "ratings": [1, 2]}"#),
        plain
    );
    let with_tools = |tools: &str| {
        let row = format!(r#"{{"prompt": "a", "chosen": "b", "rejected": "c", "tools": {tools}}}"#);
        hash(&serde_json::from_str(&row).unwrap())
    };
    let tools = with_tools(r#"[{"name": "f", "n": 1}]"#);
    assert_eq!(with_tools(r#"[{"n": 1.0, "name": "f", "x": null}]"#), tools);
    assert_ne!(tools, plain);

    let folder = Folder::new();
    let mut file = std::fs::File::create(folder.0.path().join("two.jsonl")).unwrap();
    let line = r#"{"prompt": "a", "chosen": "b", "rejected": "c"}"#;
    write!(file, "{line}\n\n{line}\n").unwrap();
    let pairs = read(&folder.0.path().join("two.jsonl")).rows;
    assert_eq!(hashes(&pairs), [plain, plain]);
}

#[test]
fn other_content_gives_another_hash() {
    let rows = [
        json!({"prompt": "a", "chosen": "b", "rejected": "c"}),
        json!({"prompt": "a", "chosen": "c", "rejected": "b"}),
        json!({"prompt": "a ", "chosen": "b", "rejected": "c"}),
        json!({"prompt": "ab", "chosen": "b", "rejected": "c"}),
        json!({"prompt": "a", "chosen": "b", "rejected": "c", "tools": [{"name": "f"}]}),
        json!({"prompt": "a", "chosen": "b", "rejected": "c", "chat_template_kwargs": {"x": true}}),
        json!({"prompt": "a", "chosen": "b", "rejected": "c", "chosen_segments": ["b"]}),
        json!({"prompt": "a", "chosen": "b", "rejected": "c", "rejected_segments": ["c"]}),
        json!({"prompt": "a", "chosen": "b", "rejected": "c", "chosen_weights": [1, 2]}),
        json!({"prompt": "a", "chosen": "b", "rejected": "c", "chosen_importance": [1, 1]}),
        json!({"prompt": "a", "chosen": "b", "rejected": "c", "chosen_parts": [{"label": "x", "text": "b"}]}),
        json!({"prompt": [{"role": "user", "content": "a"}], "chosen": [{"role": "assistant", "content": "b"}], "rejected": [{"role": "assistant", "content": "c"}]}),
        json!({"prompt": [{"role": "system", "content": "a"}], "chosen": [{"role": "assistant", "content": "b"}], "rejected": [{"role": "assistant", "content": "c"}]}),
    ];
    let mut all: Vec<ContentHash> = rows.iter().map(hash).collect();
    for label in [true, false] {
        let row = json!({"prompt": "a", "completion": "b", "label": label});
        all.push(hash_of_answer(&row));
    }
    let n = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), n);
}

/// Stored hashes stay valid: this one must never change. It is from Python code that hashes the same
/// fields.
#[test]
fn a_hash_never_changes() {
    let hash = hash(&json!({"prompt": "2 + 2?", "chosen": "4", "rejected": "5"}));
    let text = hash.to_string();
    assert_eq!(text, "82fccb5a8e0ee51e9ffd02f5c0065f56");
    assert_eq!(text.parse(), Ok(hash));
    assert_eq!(serde_json::to_value(hash).unwrap(), json!(text));
    for wrong in ["", "+123456789abcdef0123456789abcdef", &text[1..]] {
        assert!(wrong.parse::<ContentHash>().is_err(), "{wrong}");
    }
}
