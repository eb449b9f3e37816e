//! Written files: the same rows are read back, and bad names or rows are refused.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod common;

use common::{Folder, read};
use pref_data::RowWriter;

#[test]
fn a_pair_is_written_as_it_is_read() {
    let folder = Folder::new();
    let row = r#"{"prompt":"a","chosen":"b c","rejected":"d","chosen_segments":["b ","c"],"chosen_scores":[[1.0,2.0,3.0,4.0,0.0],[0.0,0.0,0.0,0.0,0.0]],"rejected_parts":[{"label":"x","text":"d"}],"rejected_weights":[1.0,0.5]}"#;
    let read = read(&folder.write("rows.jsonl", row));
    assert_eq!(read.rows[0].to_value().to_string(), row);
}

#[test]
fn rows_are_read_back_in_every_format() {
    let folder = Folder::new();
    let rows = [
        serde_json::json!({"prompt": [{"role": "user", "content": "Größe?\n\"a\", b"}], "chosen": [{"role": "assistant", "content": "groß 🐘"}], "rejected": [{"role": "assistant", "content": "klein"}], "id": 7, "score": 1.5}),
        serde_json::json!({"prompt": [{"role": "user", "content": "2?"}], "chosen": [{"role": "assistant", "content": "two"}], "rejected": [{"role": "assistant", "content": "three"}], "score": 2.0, "tags": ["x", "y"]}),
    ];
    let endings = [
        "jsonl",
        "ndjson",
        "json",
        "csv",
        "tsv",
        "parquet",
        "arrow",
        "feather",
        "jsonl.gz",
        "jsonl.zst",
        "csv.gz",
        "json.zst",
    ];
    for ending in endings {
        let path = folder.0.path().join(format!("rows.{ending}"));
        let mut writer = RowWriter::create(&path).unwrap();
        for row in &rows {
            writer.write(row).unwrap();
        }
        assert!(
            !path.exists(),
            "{ending} has its name before it is complete"
        );
        assert_eq!(writer.finish().unwrap(), 2);
        let read = read(&path).rows;
        assert_eq!(read.len(), 2, "{ending}");
        for (pair, row) in read.iter().zip(&rows) {
            let mut value = pair.to_value();
            for field in ["prompt", "chosen", "rejected"] {
                assert_eq!(value[field], row[field], "{ending}");
            }
            // in CSV and TSV numbers become texts
            if !ending.contains("sv") {
                let fields = value.as_object_mut().unwrap();
                fields.retain(|_, value| !value.is_null());
                assert_eq!(&value, row, "{ending}");
            }
        }
    }
    assert_eq!(
        std::fs::read_dir(folder.0.path()).unwrap().count(),
        endings.len()
    );
}

#[test]
fn names_and_rows_that_cannot_be_written_are_refused() {
    let folder = Folder::new();
    let create = |name: &str| RowWriter::create(&folder.0.path().join(name));
    let shown = |error: pref_data::WriteError| {
        let text = error.to_string();
        text.replace(&folder.0.path().display().to_string(), "[folder]")
    };
    let mut mixed = create("mixed.parquet").unwrap();
    for value in [serde_json::json!(1), serde_json::json!({"a": 1})] {
        mixed.write(&serde_json::json!({"prompt": value})).unwrap();
    }
    insta::assert_snapshot!(
        [
            shown(create("rows.xlsx").unwrap_err()),
            shown(create("rows.parquet.gz").unwrap_err()),
            shown(mixed.finish().unwrap_err()),
        ]
        .join("\n")
    );
    assert_eq!(std::fs::read_dir(folder.0.path()).unwrap().count(), 0);
}
