//! The list of files in `ARCHITECTURE.md`. In: the first sentence of every source file. Out: the list,
//! and a complaint if the page has another list.
//!
//! The list is between two marks in the page. The check compares it with the files, and
//! `cargo xtask tidy --fix` rewrites it. Do not edit it by hand.

use super::complaint::{Complaint, Text};

const BEGIN: &str = "<!-- tree: rewritten by `cargo xtask tidy --fix` -->\n```text\n";
const END: &str = "```\n<!-- /tree -->\n";

/// Longest description, in characters. A longer first sentence is cut between two words.
const WIDTH: usize = 76;

/// The list: one line for each folder of sources, and below it one line for each file.
pub(super) fn draw(texts: &[Text]) -> String {
    let mut lines = Vec::new();
    let mut folder = "";
    let mut sources: Vec<_> = texts
        .iter()
        .filter_map(|text| Some((split(&text.path)?, text)))
        .collect();
    sources.sort_by_key(|((folder, file), _)| (*folder, !is_entry(file), *file));
    let column = sources
        .iter()
        .map(|((_, file), _)| file.len())
        .max()
        .unwrap_or(0)
        + 4;
    for ((of, file), text) in sources {
        if of != folder {
            folder = of;
            lines.push(format!("{folder}/"));
        }
        let line = format!("  {file:<column$}{}", first_sentence(&text.text));
        lines.push(line.trim_end().to_owned());
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// A complaint if the list in the page is not `drawn`.
pub(super) fn check(page: &Text, drawn: &str) -> Option<Complaint> {
    let complaint = |message: &str| Complaint {
        path: page.path.clone(),
        line: None,
        message: message.to_owned(),
    };
    match replace(&page.text, drawn) {
        None => Some(complaint("the marks around the list of files are missing")),
        Some(text) if text != page.text => Some(complaint(
            "the list of files is out of date: run `cargo xtask tidy --fix`",
        )),
        Some(_) => None,
    }
}

/// The page's text with `drawn` between the marks; `None` if it has no marks.
pub(super) fn replace(page: &str, drawn: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}{drawn}{END}{after}"))
}

/// The path of a source file, divided into its crate's source folder and the rest.
fn split(path: &str) -> Option<(&str, &str)> {
    let at = path.find("/src/")? + "/src".len();
    path.ends_with(".rs")
        .then(|| (&path[..at], &path[at + 1..]))
}

fn is_entry(file: &str) -> bool {
    file == "lib.rs" || file == "main.rs"
}

/// The first sentence of the head of a file, as plain text.
fn first_sentence(text: &str) -> String {
    let head = text
        .lines()
        .map_while(|line| line.strip_prefix("//!"))
        .map(str::trim);
    // A title above the prose only repeats the crate's name.
    let prose = head.skip_while(|line| line.is_empty() || line.starts_with('#'));
    let paragraph: Vec<_> = prose.take_while(|line| !line.is_empty()).collect();
    let paragraph = paragraph.join(" ").replace("[`", "`").replace("`]", "`");
    let sentence = paragraph
        .split(". ")
        .next()
        .unwrap_or_default()
        .trim_end_matches(['.', ':']);
    if sentence.chars().count() <= WIDTH {
        return sentence.to_owned();
    }
    let fits: String = sentence.chars().take(WIDTH - 1).collect();
    let cut = fits.rsplit_once(' ').map_or(fits.as_str(), |(cut, _)| cut);
    format!("{} …", cut.trim_end_matches([',', ':', ';']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_sentence(text: &str, expected: &str) {
        assert_eq!(first_sentence(text), expected);
    }

    fn text(path: &str, text: &str) -> Text {
        Text {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn a_file_is_described_by_its_first_sentence() {
        check_sentence(
            "//! Rows in, [`Pair`]s out. Nothing else.\n",
            "Rows in, `Pair`s out",
        );
        check_sentence(
            "//! # pref\n//!\n//! Two\n//! lines:\n//!\n//! more\n",
            "Two lines",
        );
        check_sentence("use std::fs;\n", "");
    }

    #[test]
    fn a_long_sentence_is_cut_between_words() {
        let long = format!("//! {}", "word ".repeat(30));
        check_sentence(&long, &format!("{}…", "word ".repeat(15)));
    }

    #[test]
    fn sources_are_listed_by_folder_with_the_entry_first() {
        let texts = [
            text("crates/a/src/apple.rs", "//! Apples.\n"),
            text("crates/a/src/lib.rs", "//! Fruit.\n"),
            text("crates/a/tests/t.rs", "//! Not a source.\n"),
            text("crates/a/Cargo.toml", ""),
            text("xtask/src/main.rs", "//! Tasks.\n"),
        ];
        let expected = "crates/a/src/\n  lib.rs      Fruit\n  apple.rs    Apples\n\
                        xtask/src/\n  main.rs     Tasks\n";
        assert_eq!(draw(&texts), expected);
    }

    #[test]
    fn a_rewritten_page_passes_and_keeps_the_rest() {
        let page = format!("# A\n{BEGIN}old\n{END}\nrest\n");
        let fixed = replace(&page, "new\n").unwrap();
        assert_eq!(fixed, format!("# A\n{BEGIN}new\n{END}\nrest\n"));
        assert_eq!(check(&text("ARCHITECTURE.md", &fixed), "new\n"), None);
    }

    #[test]
    fn an_old_list_or_a_page_without_marks_is_refused() {
        let page = text("ARCHITECTURE.md", &format!("{BEGIN}old\n{END}"));
        let stale = check(&page, "new\n").unwrap();
        assert!(stale.message.contains("out of date"), "{stale}");
        let bare = check(&text("ARCHITECTURE.md", "# A\n"), "new\n").unwrap();
        assert!(bare.message.contains("marks"), "{bare}");
    }
}
