//! Finds files that import each other in a circle. In: the workspace's sources. Out: complaints.
//!
//! A file imports another file if it names something that the other file defines: in a `use`, or
//! in a path such as `crate::a::f()`. A re-export is followed to the file with the definition.
//! `mod x;` alone is not an import. Code that is compiled only for tests is ignored.

mod graph;
mod modules;
mod syntax;

use graph::Graph;
use modules::Modules;

use super::complaint::{Complaint, Text};

/// One complaint for each group of files in which every file imports every other file, directly or
/// through other files; and one complaint for a crate with a file that does not parse.
pub(super) fn check(texts: &[Text]) -> Vec<Complaint> {
    let mut found = Vec::new();
    for root in texts.iter().map(|text| text.path.as_str()) {
        let Some(folder) = folder_of_root(root) else {
            continue;
        };
        match Modules::read(root, texts) {
            Ok(modules) => {
                let graph = Graph::new(&modules);
                found.extend(graph.circles().map(|circle| complaint(&circle, folder)));
            }
            Err(unreadable) => found.push(unreadable),
        }
    }
    found
}

/// The folder of the root file of a library or a program, with a `/` at its end. `None` for other files.
fn folder_of_root(path: &str) -> Option<&str> {
    let names = ["/src/lib.rs", "/src/main.rs"];
    let is_root = names.iter().any(|name| path.ends_with(name));
    is_root.then(|| &path[..path.rfind('/').map_or(0, |at| at + 1)])
}

fn complaint(circle: &graph::Circle<'_>, folder: &str) -> Complaint {
    let below = |path: &str| path.trim_start_matches(folder).to_owned();
    let steps = circle.shortest.iter().map(|import| {
        let (from, to) = (below(import.from), below(import.to));
        format!("{from}:{} imports {to}", import.line)
    });
    let steps: Vec<String> = steps.collect();
    let others: Vec<String> = circle.others.iter().map(|path| below(path)).collect();
    let others = match others.is_empty() {
        true => String::new(),
        false => format!(" (through other imports also {})", others.join(", ")),
    };
    let first = &circle.shortest[0];
    Complaint {
        path: first.from.to_owned(),
        line: Some(first.line),
        message: format!(
            "import circle: {}{others}; let imports run one way, for example by moving what both \
             sides need into a file of its own",
            steps.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks a made-up crate given as path and text of each file; `expected` holds the circle of
    /// each complaint, with the paths below `a/src/`.
    #[track_caller]
    fn check_crate(files: &[(&str, &str)], expected: &[&str]) {
        let texts: Vec<Text> = files
            .iter()
            .map(|(path, text)| Text {
                path: format!("a/src/{path}"),
                text: (*text).to_owned(),
            })
            .collect();
        let found: Vec<String> = check(&texts)
            .iter()
            .map(|complaint| {
                let text = &complaint.message;
                let text = text.strip_prefix("import circle: ").unwrap_or(text);
                text.split_once("; let")
                    .map_or(text, |(start, _)| start)
                    .to_owned()
            })
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn imports_that_run_one_way_are_no_circle() {
        check_crate(
            &[
                ("lib.rs", "mod a;\nmod b;\npub use a::A;\npub use b::B;\n"),
                ("a.rs", "use crate::b::B;\npub struct A(B);\n"),
                ("b.rs", "pub struct B;\n"),
            ],
            &[],
        );
    }

    #[test]
    fn two_files_that_import_each_other_are_a_circle() {
        check_crate(
            &[
                ("lib.rs", "mod a;\nmod b;\n"),
                ("a.rs", "//! A.\n\nuse crate::b::B;\npub struct A(B);\n"),
                ("b.rs", "pub struct B;\nfn f() {\n    super::a::g();\n}\n"),
            ],
            &["a.rs:3 imports b.rs, b.rs:3 imports a.rs"],
        );
    }

    #[test]
    fn a_circle_of_three_files_is_found_and_the_other_files_are_named() {
        check_crate(
            &[
                ("lib.rs", "mod a;\nmod b;\nmod c;\n"),
                ("a.rs", "use crate::b::B;\npub struct A;\n"),
                ("b.rs", "use crate::c::C;\npub struct B;\n"),
                ("c.rs", "use crate::a::A;\npub struct C;\n"),
            ],
            &["a.rs:1 imports b.rs, b.rs:1 imports c.rs, c.rs:1 imports a.rs"],
        );
        check_crate(
            &[
                ("lib.rs", "mod a;\nmod b;\nmod c;\n"),
                ("a.rs", "use crate::{b::B, c::C};\npub struct A;\n"),
                ("b.rs", "use crate::c::C;\npub struct B;\n"),
                ("c.rs", "use crate::a::A;\npub struct C;\n"),
            ],
            &["a.rs:1 imports c.rs, c.rs:1 imports a.rs (through other imports also b.rs)"],
        );
    }

    #[test]
    fn a_re_export_is_followed_to_the_definition() {
        let files = [
            ("lib.rs", "mod a;\nmod b;\npub use b::B;\n"),
            ("a.rs", "use crate::B;\npub struct A;\n"),
            ("b/mod.rs", "mod inner;\npub use inner::*;\n"),
            ("b/inner.rs", "use crate::a::A;\npub struct B(A);\n"),
        ];
        check_crate(
            &files,
            &["a.rs:1 imports b/inner.rs, b/inner.rs:1 imports a.rs"],
        );
        // Siblings that find each other through their parent's re-export do not import the parent.
        check_crate(
            &[
                ("lib.rs", "mod a;\nmod b;\npub use a::A;\npub use b::B;\n"),
                ("a.rs", "use crate::B;\npub struct A(B);\n"),
                ("b.rs", "pub struct B;\n"),
            ],
            &[],
        );
    }

    #[test]
    fn a_child_that_imports_from_a_parent_which_uses_it_is_a_circle() {
        let child = ("link/hinge.rs", "use super::Link;\npub struct Hinge;\n");
        check_crate(
            &[
                ("lib.rs", "mod link;\n"),
                (
                    "link/mod.rs",
                    "mod hinge;\npub use hinge::Hinge;\npub trait Link {}\n",
                ),
                child,
            ],
            &["link/hinge.rs:1 imports link/mod.rs, link/mod.rs:2 imports link/hinge.rs"],
        );
        check_crate(
            &[
                ("lib.rs", "mod link;\n"),
                (
                    "link.rs",
                    "mod hinge;\npub trait Link {}\nfn f() { hinge::g() }\n",
                ),
                child,
            ],
            &["link.rs:3 imports link/hinge.rs, link/hinge.rs:1 imports link.rs"],
        );
        // A parent that only declares its child does not import it.
        check_crate(
            &[
                ("lib.rs", "mod link;\n"),
                ("link.rs", "mod hinge;\npub trait Link {}\n"),
                child,
            ],
            &[],
        );
    }

    #[test]
    fn paths_in_macros_and_attributes_count() {
        check_crate(
            &[
                ("main.rs", "mod a;\nmod b;\n"),
                (
                    "a.rs",
                    "#[derive(Args)]\nstruct A {\n    #[arg(value_parser = crate::b::f)]\n    a: u8,\n}\npub fn g() {}\n",
                ),
                ("b.rs", "pub fn f() {\n    assert!(g(crate::a::g()));\n}\n"),
            ],
            &["a.rs:3 imports b.rs, b.rs:2 imports a.rs"],
        );
        check_crate(
            &[
                ("lib.rs", "mod a;\nmod b;\n"),
                (
                    "a.rs",
                    "struct A {\n    #[serde(default = \"crate::b::f\")]\n    a: u8,\n}\npub fn g() {}\n",
                ),
                ("b.rs", "use super::a;\npub fn f() {}\n"),
            ],
            &["a.rs:2 imports b.rs, b.rs:1 imports a.rs"],
        );
    }

    #[test]
    fn tests_visibility_documentation_and_other_crates_do_not_count() {
        let b = ("b.rs", "use crate::a::A;\npub struct B(A);\n");
        for a in [
            "pub struct A;\n#[cfg(test)]\nmod tests {\n    use crate::b::B;\n}\n",
            "pub struct A;\n#[cfg(test)]\nuse crate::b::B;\n",
            "/// See [`crate::b::B`].\npub struct A;\n",
            "pub struct A;\npub(in crate::b) fn f() {}\n",
            "use ::b::B;\npub struct A(b::B);\n",
        ] {
            check_crate(&[("lib.rs", "mod a;\nmod b;\n"), ("a.rs", a), b], &[]);
        }
    }

    #[test]
    fn an_imported_module_is_followed_by_its_own_name() {
        check_crate(
            &[
                ("lib.rs", "mod a;\nmod b;\nmod c;\n"),
                (
                    "a.rs",
                    "use crate::b::{self, c as d};\npub fn f() { d::f() }\n",
                ),
                ("b.rs", "pub use crate::c;\n"),
                ("c.rs", "pub fn f() { crate::a::f() }\n"),
            ],
            &["a.rs:1 imports c.rs, c.rs:1 imports a.rs (through other imports also b.rs)"],
        );
    }

    #[test]
    fn a_file_that_does_not_parse_is_named() {
        let texts = [Text {
            path: "a/src/lib.rs".to_owned(),
            text: "fn f( {\n".to_owned(),
        }];
        let found = check(&texts);
        assert_eq!(found.len(), 1);
        assert!(
            found[0].message.starts_with("not valid Rust"),
            "{}",
            found[0]
        );
    }
}
