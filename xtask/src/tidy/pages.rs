//! Checks paths in the pages. In: a Markdown page. Out: complaints about paths that do not exist.
//!
//! Two things count as a path. The first is the target of a link, relative to the page. The second
//! is a word in code that begins with a folder of the workspace, relative to the root.

use super::complaint::{Complaint, Text};

/// Folders of the workspace. A word in code that begins with one of them is checked as a path.
const FOLDERS: [&str; 8] = [
    ".cargo", ".ci", "benches", "crates", "docs", "fixtures", "tests", "xtask",
];

/// Complaints about one page; `exists` tells whether a path from the root exists. The changelog is
/// not checked, since it names files of earlier versions.
pub(super) fn check(page: &Text, exists: impl Fn(&str) -> bool) -> Vec<Complaint> {
    if !page.path.ends_with(".md") || page.path == "CHANGELOG.md" {
        return Vec::new();
    }
    let folder = page.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut found = Vec::new();
    let mut in_fence = false;
    for (i, line) in page.text.lines().enumerate() {
        let mut named = Vec::new();
        if line.trim_start().starts_with("```") {
            in_fence = !in_fence;
        } else if in_fence {
            named.extend(line.split_whitespace().filter_map(workspace_path));
        } else {
            // Between backticks, every second piece is code.
            let code = line.split('`').skip(1).step_by(2);
            named.extend(
                code.flat_map(str::split_whitespace)
                    .filter_map(workspace_path),
            );
            named.extend(link_targets(line).filter_map(|target| resolve(folder, target)));
        }
        let missing = named.into_iter().filter(|path| !exists(path));
        found.extend(missing.map(|path| Complaint {
            path: page.path.clone(),
            line: Some(i + 1),
            message: format!("names `{path}`, which does not exist"),
        }));
    }
    found
}

/// `word` as a path from the root, if it begins with a folder of the workspace. If it is a pattern
/// (`docs/*.md`, `crates/<name>`), the result is the folder before the pattern.
fn workspace_path(word: &str) -> Option<String> {
    let word = word.trim_matches(|c: char| ",;:()\"'".contains(c));
    let word = word.strip_prefix("./").unwrap_or(word);
    let (first, _) = word.split_once('/')?;
    if !FOLDERS.contains(&first) {
        return None;
    }
    let plain = |part: &&str| !part.contains(['*', '{', '<', '…', '$']);
    let parts: Vec<_> = word
        .trim_end_matches(['/', '.'])
        .split('/')
        .take_while(plain)
        .collect();
    Some(parts.join("/"))
}

/// Targets of `[text](target)` in a line, outside of code.
fn link_targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')').map(|(target, _)| target))
}

/// The target of a link as a path from the root; `None` for a web address or an anchor.
fn resolve(folder: &str, target: &str) -> Option<String> {
    let path = target.split('#').next().filter(|path| !path.is_empty())?;
    if path.contains("://") || path.starts_with("mailto:") {
        return None;
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            // There is nothing above the root. The dots stay, so that the path is reported.
            ".." if parts.is_empty() => return Some(path.to_owned()),
            ".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRESENT: [&str; 5] = [
        "README.md",
        "docs",
        "docs/data.md",
        "crates",
        "crates/pref-core",
    ];

    #[track_caller]
    fn check_page(path: &str, text: &str, missing: &[(usize, &str)]) {
        let page = Text {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        let found = check(&page, |path| PRESENT.contains(&path));
        let expected: Vec<_> = missing
            .iter()
            .map(|(line, name)| Complaint {
                path: path.to_owned(),
                line: Some(*line),
                message: format!("names `{name}`, which does not exist"),
            })
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn links_are_relative_to_their_page() {
        check_page(
            "README.md",
            "[a](docs/data.md#rows) and [b](README.md)",
            &[],
        );
        check_page("docs/data.md", "[a](../README.md) [b](data.md)", &[]);
        check_page("docs/data.md", "\n[a](README.md)", &[(2, "docs/README.md")]);
        check_page("README.md", "[a](../README.md)", &[(1, "../README.md")]);
    }

    #[test]
    fn links_that_leave_the_workspace_are_not_followed() {
        check_page("README.md", "[a](https://example.org/x) [b](#below)", &[]);
    }

    #[test]
    fn code_that_names_a_folder_of_the_workspace_names_a_path() {
        check_page("README.md", "`crates/pref-core` and `docs/`", &[]);
        check_page(
            "README.md",
            "`crates/pref-cor`, too",
            &[(1, "crates/pref-cor")],
        );
        check_page(
            "README.md",
            "```\ncat docs/no.md\n```\n",
            &[(2, "docs/no.md")],
        );
    }

    #[test]
    fn other_code_is_not_a_path() {
        check_page(
            "README.md",
            "`plan.toml` `runs/first/plan.toml` docs/no.md",
            &[],
        );
        check_page("CHANGELOG.md", "`docs/no.md`", &[]);
        check_page("notes.txt", "`docs/no.md`", &[]);
    }

    #[test]
    fn a_pattern_stands_for_the_folder_before_it() {
        check_page("README.md", "`docs/*.md` `crates/<name>/src`", &[]);
        check_page("README.md", "`xtask/*.rs`", &[(1, "xtask")]);
    }
}
