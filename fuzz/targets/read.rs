//! Reads a file of arbitrary bytes. In: the first byte chooses the file's name and the options, the rest
//! is the file's content. Out: nothing may panic, and a pair that is written reads back as itself.

#![no_main]

use std::cell::OnceCell;

use libfuzzer_sys::fuzz_target;
use pref_data::{ReadOptions, read_examples, read_with};

const NAMES: [&str; 7] = [
    "f.jsonl",
    "f.json",
    "f.csv",
    "f.tsv",
    "f.parquet",
    "f.jsonl.gz",
    "f.arrow",
];

thread_local! {
    static FOLDER: OnceCell<tempfile::TempDir> = const { OnceCell::new() };
}

fuzz_target!(init: {
    // prints nothing for panics that become errors; any other panic ends the process
    std::panic::set_hook(Box::new(|info| {
        if !pref_data::is_caught_panic(info) {
            eprintln!("{info}");
        }
    }));
}, |data: &[u8]| {
    let Some((&first, rest)) = data.split_first() else {
        return;
    };
    FOLDER.with(|folder| {
        let folder = folder.get_or_init(|| tempfile::tempdir().expect("a temporary folder"));
        let path = folder.path().join(NAMES[usize::from(first) % NAMES.len()]);
        std::fs::write(&path, rest).expect("a temporary file");
        let mut options = ReadOptions {
            skip_bad_rows: first >= 128,
            ..ReadOptions::default()
        };
        if first % 3 == 0 {
            options.columns.insert("prompt".to_owned(), "q".to_owned());
        }
        if let Ok(read) = read_with(&path, &options) {
            for pair in &read.rows {
                let again = folder.path().join("again.jsonl");
                std::fs::write(&again, pair.to_value().to_string()).expect("a temporary file");
                let again = read_with(&again, &ReadOptions::default()).expect("a pair").rows;
                assert_eq!(again[0].to_value(), pair.to_value());
            }
        }
        let _ = read_examples(&path, &options);
    });
});
