//! Checks the invariants of `ARCHITECTURE.md`. In: a manifest or a source file. Out: complaints.
//!
//! The list below says for each crate which dependencies and which code it must not have. A complaint quotes
//! the reason.

use super::complaint::{Complaint, Text};

/// Dependencies and code that must not appear in one crate.
struct Absence {
    /// The crate's folder; `crates/` stands for every crate but those in `except`.
    folder: &'static str,
    /// Folders of crates that the rule does not concern.
    except: &'static [&'static str],
    /// Names of dependencies. `burn*` stands for every name that begins with `burn`.
    dependencies: &'static [&'static str],
    /// Text that must not appear in the sources; tests may have it.
    code: &'static [&'static str],
    reason: &'static str,
}

const ABSENCES: [Absence; 8] = [
    Absence {
        folder: "crates/pref-core/",
        except: &[],
        dependencies: &[
            "pref-*",
            "tokenizers",
            "safetensors",
            "tempfile",
            "rayon",
            "tokio",
        ],
        code: &["std::fs", "std::net", "std::thread", "std::process"],
        reason: "pref-core computes: no files, no network, no threads, no text of tokens",
    },
    Absence {
        folder: "crates/pref-cases/",
        except: &[],
        dependencies: &["pref-data", "pref-model", "pref-train", "pref-cli"],
        code: &["std::fs", "std::net", "std::thread", "std::process"],
        reason: "pref-cases evaluates the text of a case: it knows the objectives alone, and reads no files",
    },
    Absence {
        folder: "crates/pref-data/",
        except: &[],
        dependencies: &["burn*", "pref-*"],
        code: &["burn::"],
        reason: "pref-data knows no tensor library: its batches are plain arrays",
    },
    Absence {
        folder: "crates/pref-eval/",
        except: &[],
        dependencies: &["burn*", "pref-*", "rayon", "tempfile"],
        code: &["std::fs", "std::net", "std::thread", "std::process"],
        reason: "pref-eval computes on texts and numbers: no tensors, no files, no network, no threads",
    },
    Absence {
        folder: "crates/pref-model/",
        except: &[],
        dependencies: &["pref-*"],
        code: &[],
        reason: "pref-model knows decoders, not data sets and not losses",
    },
    Absence {
        folder: "crates/pref-annotate/",
        except: &[],
        dependencies: &["burn*", "pref-core", "pref-train", "clap", "indicatif"],
        code: &["burn::", "std::env::args"],
        reason: "pref-annotate knows texts, judges and a store: no tensors, no flags, no terminal",
    },
    Absence {
        folder: "crates/pref-train/",
        except: &[],
        dependencies: &["pref-annotate", "clap", "indicatif"],
        code: &["std::env::args"],
        reason: "pref-train takes a checked plan: no flags, no terminal",
    },
    Absence {
        folder: "crates/",
        except: &["crates/pref-annotate/"],
        // Elsewhere only the crate hf-hub opens connections, with pref-data's feature `hub`.
        dependencies: &["reqwest", "ureq", "hyper"],
        code: &["std::net::"],
        reason: "only pref-annotate and the feature `hub` touch the network",
    },
];

/// Programs. They may use `anyhow`, because people read their errors and no code matches on them.
const PROGRAMS: [&str; 3] = ["crates/pref-cli/", "xtask/", "evidence/"];

/// Complaints about one file: a crate's manifest, or a source file under `src/`.
pub(super) fn check(file: &Text) -> Vec<Complaint> {
    if file.path.ends_with("/Cargo.toml") {
        return check_manifest(file);
    }
    if file.path.contains("/src/") && file.path.ends_with(".rs") {
        return check_source(file);
    }
    Vec::new()
}

fn check_manifest(file: &Text) -> Vec<Complaint> {
    let complaint = |line, message| Complaint {
        path: file.path.clone(),
        line,
        message,
    };
    let mut found = Vec::new();
    let mut section = "";
    for (i, line) in file.text.lines().enumerate() {
        if line.starts_with('[') {
            section = line.trim();
            continue;
        }
        if section != "[dependencies]" || line.starts_with('#') {
            continue;
        }
        let Some(name) = line
            .split(['.', '=', ' '])
            .next()
            .filter(|name| !name.is_empty())
        else {
            continue;
        };
        for absence in absences(&file.path) {
            if absence
                .dependencies
                .iter()
                .any(|pattern| names(pattern, name))
            {
                let message = format!("depends on `{name}`: {}", absence.reason);
                found.push(complaint(Some(i + 1), message));
            }
        }
        if name == "anyhow" && !PROGRAMS.iter().any(|folder| file.path.starts_with(folder)) {
            let message = "depends on `anyhow`: the errors of a library are typed".to_owned();
            found.push(complaint(Some(i + 1), message));
        }
    }
    // A package outside of the workspace cannot inherit its lints.
    let is_member = !file.text.contains("\n[workspace]\n");
    if is_member && !file.text.contains("[lints]\nworkspace = true") {
        let message = "does not inherit the workspace's lints: add `[lints] workspace = true`";
        found.push(complaint(None, message.to_owned()));
    }
    found
}

fn check_source(file: &Text) -> Vec<Complaint> {
    let mut found = Vec::new();
    for (i, line) in file.text.lines().enumerate() {
        // Unit tests come last in a file, and they may read fixtures.
        if line.starts_with("#[cfg(test)]") {
            break;
        }
        for absence in absences(&file.path) {
            if let Some(code) = absence.code.iter().find(|code| line.contains(**code)) {
                found.push(Complaint {
                    path: file.path.clone(),
                    line: Some(i + 1),
                    message: format!("uses `{code}`: {}", absence.reason),
                });
            }
        }
    }
    found
}

fn absences(path: &str) -> impl Iterator<Item = &'static Absence> {
    ABSENCES
        .iter()
        .filter(move |absence| path.starts_with(absence.folder))
        .filter(move |absence| !absence.except.iter().any(|folder| path.starts_with(folder)))
}

fn names(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    }
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
    fn a_manifest_breaks_an_invariant_by_its_dependencies_alone() {
        check_file(
            "crates/pref-data/Cargo.toml",
            "[dependencies]\nburn.workspace = true\n\n[lints]\nworkspace = true\n",
            &[
                "crates/pref-data/Cargo.toml:2: depends on `burn`: pref-data knows no tensor library: \
               its batches are plain arrays",
            ],
        );
        check_file(
            "crates/pref-data/Cargo.toml",
            "[dependencies]\nserde = \"1\"\n[dev-dependencies]\nburn = \"1\"\n[lints]\nworkspace = true\n",
            &[],
        );
    }

    #[test]
    fn a_library_has_typed_errors_and_the_workspaces_lints() {
        let text = "[dependencies]\nanyhow.workspace = true\n";
        let lints = "does not inherit the workspace's lints: add `[lints] workspace = true`";
        let path = "crates/pref-model/Cargo.toml";
        check_file(
            path,
            text,
            &[
                &format!("{path}:2: depends on `anyhow`: the errors of a library are typed"),
                &format!("{path}: {lints}"),
            ],
        );
        check_file(
            "xtask/Cargo.toml",
            text,
            &[&format!("xtask/Cargo.toml: {lints}")],
        );
    }

    #[test]
    fn only_tests_of_pref_core_may_read_files() {
        let path = "crates/pref-core/src/a.rs";
        check_file(
            path,
            "//! A.\nuse std::fs;\n",
            &[
                "crates/pref-core/src/a.rs:2: uses `std::fs`: pref-core computes: no files, no \
               network, no threads, no text of tokens",
            ],
        );
        check_file(
            path,
            "//! A.\n#[cfg(test)]\nmod tests {\n    use std::fs;\n}\n",
            &[],
        );
        check_file("crates/pref-core/tests/a.rs", "//! A.\nuse std::fs;\n", &[]);
        check_file("crates/pref-train/src/a.rs", "//! A.\nuse std::fs;\n", &[]);
    }
}
