//! Made-up pairs for tests of training. In: a folder and a number. Out: a file of pairs. The tests of `pref` use
//! this file too.

use std::path::{Path, PathBuf};

/// Writes a file of short pairs.
pub(crate) fn write_pairs(folder: &Path, n: usize) -> PathBuf {
    let path = folder.join("pairs.jsonl");
    let line = |i: usize| {
        let (a, b) = (3 + i * 7 % 11, 2 + i * 5 % 13);
        serde_json::json!({
            "prompt": format!("Question: what is {a} plus {b}?\nAnswer:"),
            "chosen": format!(" {a} + {b} = {}\nA: {}", a + b, a + b),
            "rejected": format!(" {a} + {b} is {}, so the answer\nA: {}", a + b + 1, a + b + 1),
        })
        .to_string()
    };
    let lines: Vec<String> = (0..n).map(line).collect();
    std::fs::write(&path, lines.join("\n") + "\n").unwrap();
    path
}
