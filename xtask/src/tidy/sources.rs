//! Checks each file by itself. In: a text file. Out: complaints about its first line, its length, unfinished
//! work and paths of one machine.

use super::complaint::{Complaint, Text};

/// Most lines of a Rust file. A longer one holds more than one idea.
const MAX_LINES: usize = 500;

/// Macros that mark unfinished work. Each name is split, so that the check does not find it here.
const UNFINISHED: [&str; 3] = [
    concat!("to", "do!("),
    concat!("unimplemen", "ted!("),
    concat!("db", "g!("),
];

/// Folders that exist on some machines only. Each name is split for the same reason.
const MACHINE_FOLDERS: [&str; 5] = [
    concat!("/", "work/"),
    concat!("/", "root/"),
    concat!("/", "tmp/"),
    concat!("/", "home/"),
    concat!("/", "Users/"),
];

/// Complaints about one file. Paths of one machine are complaints in any text, the other ones only in Rust.
pub(super) fn check(file: &Text) -> Vec<Complaint> {
    let complaint = |line, message: String| Complaint {
        path: file.path.clone(),
        line,
        message,
    };
    let is_rust = file.path.ends_with(".rs");
    let mut found = Vec::new();
    if is_rust {
        if !file.text.starts_with("//!") {
            let message = "the file does not begin with `//!`: say what comes in and what goes out";
            found.push(complaint(Some(1), message.to_owned()));
        }
        let n_lines = file.text.lines().count();
        if n_lines > MAX_LINES {
            let message = format!("{n_lines} lines, more than {MAX_LINES}; divide it by idea");
            found.push(complaint(None, message));
        }
    }
    for (i, line) in file.text.lines().enumerate() {
        for name in UNFINISHED
            .iter()
            .filter(|name| is_rust && line.contains(**name))
        {
            let name = name.trim_end_matches('(');
            found.push(complaint(Some(i + 1), format!("`{name}` is left in")));
        }
        for folder in MACHINE_FOLDERS
            .iter()
            .filter(|folder| names_folder(line, folder))
        {
            let message = format!("`{folder}` is a path of one machine; make it relative");
            found.push(complaint(Some(i + 1), message));
        }
    }
    found
}

/// Whether a path in `line` begins with `folder`. A path with `folder` in its middle does not count.
fn names_folder(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || "._-~/}>)".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_file(path: &str, text: &str, expected: &[&str]) {
        let file = Text {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        let found: Vec<_> = check(&file).iter().map(ToString::to_string).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_source_file_opens_with_what_it_is_for() {
        check_file("a.rs", "//! Numbers in, sums out.\n", &[]);
        check_file(
            "a.rs",
            "use std::fs;\n",
            &["a.rs:1: the file does not begin with `//!`: say what comes in and what goes out"],
        );
        check_file("a.toml", "[package]\n", &[]);
    }

    #[test]
    fn a_source_file_has_at_most_500_lines() {
        let line = "//! Long.\n";
        check_file("a.rs", &line.repeat(500), &[]);
        check_file(
            "a.rs",
            &line.repeat(501),
            &["a.rs: 501 lines, more than 500; divide it by idea"],
        );
    }

    #[test]
    fn unfinished_work_is_named_by_line() {
        let [first, ..] = UNFINISHED;
        check_file(
            "a.rs",
            &format!("//! Half.\nfn f() {{\n    {first})\n}}\n"),
            &[concat!("a.rs:3: `to", "do!` is left in")],
        );
        check_file("notes.md", &format!("{first})\n"), &[]);
    }

    #[test]
    fn a_path_of_one_machine_is_found_wherever_it_starts() {
        let [folder, ..] = MACHINE_FOLDERS;
        let message = format!("`{folder}` is a path of one machine; make it relative");
        for text in [
            format!("{folder}x"),
            format!("see `{folder}x`"),
            format!("\"{folder}x\""),
        ] {
            check_file("page.md", &text, &[&format!("page.md:1: {message}")]);
        }
        check_file("page.md", &format!("crates{folder}x"), &[]);
        check_file("page.md", &format!("..{folder}x"), &[]);
    }
}
