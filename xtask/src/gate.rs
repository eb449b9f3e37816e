//! `cargo xtask ci`: runs the gate. In: a checkout. Out: one verdict, and the time of each step.
//!
//! The steps run in order, and the first failure ends the gate. Steps that are quick and fail often
//! come first. Clippy and the documentation get the same packages and features, so that the
//! documentation reuses the dependencies that clippy has compiled.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::deny::{self, Verdict};
use crate::installed::Installed;
use crate::{forward, tidy, workspace};

/// All backends but CUDA, which has a step of its own.
const ALL_BUT_CUDA: &str = "pref-cli/ndarray,pref-cli/wgpu";

/// One step of the gate: its name and its action.
struct Step {
    name: &'static str,
    action: Action,
}

/// How a step ended.
enum Outcome {
    /// With a remark for the list of steps, which may be empty.
    Passed(&'static str),
    Failed,
}

impl From<bool> for Outcome {
    fn from(has_passed: bool) -> Self {
        match has_passed {
            true => Outcome::Passed(""),
            false => Outcome::Failed,
        }
    }
}

/// Remark on a step that could not check for known vulnerabilities.
const NO_ADVISORIES: &str =
    "; ADVISORIES NOT CHECKED: the database of vulnerabilities could not be fetched";

enum Action {
    /// Calls of cargo, each with its arguments.
    Cargo(Vec<Vec<OsString>>),
    /// The checks of this program.
    Tidy,
    /// The checks of cargo-deny.
    Dependencies,
}

/// Runs the gate, and prints a heading and the time of each step.
pub(crate) fn run() -> Result<ExitCode> {
    let root = workspace::root()?;
    let steps = steps(&workspace::crates()?, Installed::here());
    let total = steps.len();
    let mut times = Vec::new();
    for (i, step) in steps.iter().enumerate() {
        let heading = format!("[{}/{total}] {}", i + 1, step.name);
        println!("\n== {heading}");
        let start = Instant::now();
        let outcome = step.run(&root)?;
        let spent = minutes(start.elapsed());
        let remark = match outcome {
            Outcome::Passed(remark) => remark,
            Outcome::Failed => {
                println!("\n== {heading}: failed after {spent}");
                return Ok(ExitCode::FAILURE);
            }
        };
        println!("== {heading}: passed in {spent}{remark}");
        times.push(format!("{spent:>10}  {}{remark}", step.name));
    }
    println!("\n== the gate passed\n{}", times.join("\n"));
    Ok(ExitCode::SUCCESS)
}

impl Step {
    fn run(&self, root: &Path) -> Result<Outcome> {
        match &self.action {
            Action::Tidy => {
                let is_tidy = tidy::run(tidy::Mode::Check)? == ExitCode::SUCCESS;
                Ok(Outcome::from(is_tidy))
            }
            Action::Dependencies => Ok(match deny::check(root)? {
                Verdict::Passed => Outcome::Passed(""),
                Verdict::PassedWithoutAdvisories => Outcome::Passed(NO_ADVISORIES),
                Verdict::Failed => Outcome::Failed,
            }),
            Action::Cargo(calls) => {
                for arguments in calls {
                    let mut command = workspace::cargo();
                    command.current_dir(root).args(arguments);
                    // Only `cargo doc` reads this, so the other steps compile nothing again.
                    command.env("RUSTDOCFLAGS", "-Dwarnings");
                    if !succeeds(command, arguments)? {
                        return Ok(Outcome::Failed);
                    }
                }
                Ok(Outcome::Passed(""))
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

fn steps(crates: &[String], installed: Installed) -> Vec<Step> {
    let tests = match (installed.vulkan, installed.mpi) {
        (true, true) => "tests on both CPU backends and wgpu, and of two processes",
        (true, false) => {
            "tests on both CPU backends and wgpu (MPI IS MISSING: two processes are not tested)"
        }
        (false, true) => {
            "tests on both CPU backends, and of two processes (VULKAN IS MISSING: wgpu is not tested)"
        }
        (false, false) => {
            "tests on both CPU backends (MPI AND VULKAN ARE MISSING: two processes and wgpu are not tested)"
        }
    };
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
        Step {
            name: "dependencies",
            action: Action::Dependencies,
        },
        Step::cargo(
            "clippy, all features but CUDA",
            vec![words(
                &["clippy", "--all-targets"],
                &[&checks, &["--", "-Dwarnings"]],
            )],
        ),
        // Only this step has MPI, so that the others need no MPI library and compile nothing twice. All tests are built
        // with the same features, because another set would compile most crates a second time.
        Step::cargo(tests, vec![forward::test_arguments(&[], installed)]),
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

/// The arguments that pack all crates in one call, because they depend on each other and none is published
/// yet. They are not compiled again, because earlier steps compiled them.
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
        let installed = Installed {
            mpi: true,
            vulkan: true,
        };
        let steps = steps(&["pref-core".to_owned(), "pref-data".to_owned()], installed);
        let calls: Vec<_> = steps
            .iter()
            .filter_map(|step| match &step.action {
                Action::Cargo(calls) => Some(calls.clone()),
                Action::Tidy | Action::Dependencies => None,
            })
            .flatten()
            .collect();
        assert!(calls.contains(&forward::test_arguments(&[], installed)));
        assert!(calls.contains(&words(&["check", "--package", "pref-core"], &[])));
        assert!(calls.contains(&words(&["check", "--package", "pref-data"], &[])));
    }
}
