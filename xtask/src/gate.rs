//! `cargo xtask ci`: a checkout in, one verdict out.
//!
//! Steps run in order and stop at the first failure. What is quick and fails often comes first.
//! Clippy and the documentation are given the same packages and features, so that the second
//! finds the dependencies' metadata that the first made.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::{forward, tidy, workspace};

/// Everything that compiles on a machine without the CUDA toolkit and links nothing of its own.
const ALL_BUT_CUDA: &str = "pref-cli/ndarray,pref-cli/wgpu";

/// One line of the gate: what it establishes, and the calls that establish it.
struct Step {
    name: &'static str,
    action: Action,
}

enum Action {
    /// Calls of cargo, each with its arguments.
    Cargo(Vec<Vec<OsString>>),
    /// The checks of this program.
    Tidy,
}

/// Runs the gate, with a heading and the time of each step.
pub(crate) fn run() -> Result<ExitCode> {
    let root = workspace::root()?;
    let steps = steps(&workspace::crates(&root)?);
    let total = steps.len();
    let mut times = Vec::new();
    for (i, step) in steps.iter().enumerate() {
        let heading = format!("[{}/{total}] {}", i + 1, step.name);
        println!("\n== {heading}");
        let start = Instant::now();
        let passed = step.run(&root)?;
        let spent = minutes(start.elapsed());
        if !passed {
            println!("\n== {heading}: failed after {spent}");
            return Ok(ExitCode::FAILURE);
        }
        println!("== {heading}: passed in {spent}");
        times.push(format!("{spent:>10}  {}", step.name));
    }
    println!("\n== the gate passed\n{}", times.join("\n"));
    Ok(ExitCode::SUCCESS)
}

impl Step {
    fn run(&self, root: &Path) -> Result<bool> {
        match &self.action {
            Action::Tidy => Ok(tidy::run(tidy::Mode::Check)? == ExitCode::SUCCESS),
            Action::Cargo(calls) => {
                for arguments in calls {
                    let mut command = workspace::cargo();
                    command.current_dir(root).args(arguments);
                    // Read by `cargo doc` alone, so it unsettles no other step's artefacts.
                    command.env("RUSTDOCFLAGS", "-Dwarnings");
                    if !succeeds(command, arguments)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
        }
    }
}

fn succeeds(mut command: Command, arguments: &[OsString]) -> Result<bool> {
    let line: Vec<_> = arguments
        .iter()
        .map(|word| word.to_string_lossy())
        .collect();
    let line = format!("cargo {}", line.join(" "));
    println!("$ {line}");
    let status = command.status().with_context(|| line.clone())?;
    if !status.success() {
        println!("{line}: {status}");
    }
    Ok(status.success())
}

fn steps(crates: &[String]) -> Vec<Step> {
    let checks = ["--workspace", "--features", ALL_BUT_CUDA];
    let alone = crates
        .iter()
        .map(|name| words(&["check", "--package", name], &[]));
    vec![
        Step::cargo("format", vec![words(&["fmt", "--all", "--check"], &[])]),
        Step {
            name: "tidy",
            action: Action::Tidy,
        },
        Step::cargo(
            "clippy, all features but CUDA",
            vec![words(
                &["clippy", "--all-targets"],
                &[&checks, &["--", "-Dwarnings"]],
            )],
        ),
        Step::cargo(
            "tests on both CPU backends",
            vec![forward::test_arguments(&[])],
        ),
        Step::cargo(
            "documentation",
            vec![words(&["doc", "--no-deps"], &[&checks])],
        ),
        Step::cargo("every crate alone", alone.collect()),
        Step::cargo(
            "CUDA compiles",
            vec![words(
                &["check", "--package", "pref-cli", "--features", "cuda"],
                &[],
            )],
        ),
        Step::cargo("packages", vec![pack(crates)]),
    ]
}

/// Packs the crates together, so that each finds the others where none is published yet. What is
/// in them was compiled by the steps before.
fn pack(crates: &[String]) -> Vec<OsString> {
    let options = ["package", "--no-verify", "--allow-dirty", "--quiet"];
    let mut call = words(&options, &[]);
    for name in crates {
        call.extend(["--package".into(), name.into()]);
    }
    call
}

impl Step {
    fn cargo(name: &'static str, calls: Vec<Vec<OsString>>) -> Self {
        Self {
            name,
            action: Action::Cargo(calls),
        }
    }
}

fn words(first: &[&str], rest: &[&[&str]]) -> Vec<OsString> {
    let rest = rest.iter().flat_map(|part| part.iter());
    first
        .iter()
        .chain(rest)
        .map(|word| (*word).into())
        .collect()
}

fn minutes(time: Duration) -> String {
    let seconds = time.as_secs_f64().round() as u64;
    match seconds {
        0..60 => format!("{seconds} s"),
        _ => format!("{} min {:02} s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(seconds: f64, expected: &str) {
        assert_eq!(minutes(Duration::from_secs_f64(seconds)), expected);
    }

    #[test]
    fn a_time_reads_in_minutes_from_one_minute_on() {
        check(0.4, "0 s");
        check(59.4, "59 s");
        check(59.6, "1 min 00 s");
        check(727.0, "12 min 07 s");
    }

    #[test]
    fn the_gate_runs_the_test_command_and_checks_every_crate() {
        let steps = steps(&["pref-core".to_owned(), "pref-data".to_owned()]);
        let calls: Vec<_> = steps
            .iter()
            .filter_map(|step| match &step.action {
                Action::Cargo(calls) => Some(calls.clone()),
                Action::Tidy => None,
            })
            .flatten()
            .collect();
        assert!(calls.contains(&forward::test_arguments(&[])));
        assert!(calls.contains(&words(&["check", "--package", "pref-core"], &[])));
        assert!(calls.contains(&words(&["check", "--package", "pref-data"], &[])));
    }
}
