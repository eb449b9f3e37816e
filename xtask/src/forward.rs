//! Commands that run another program once. In: arguments. Out: the program in the place of this process.
//!
//! On Unix the program replaces this process, and `cargo run` replaces itself with `pref` in the
//! same way. So Ctrl-C reaches `pref` directly, and the caller sees the exit code of `pref`.

use std::ffi::{OsStr, OsString};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::installed::Installed;
use crate::workspace;

/// Backends that are compiled in only if `--device` names them. Each is a feature of `pref-cli`.
const OPTIONAL_BACKENDS: [&str; 3] = ["cuda", "ndarray", "wgpu"];

/// The feature that adds the second CPU backend to a build of the whole workspace.
const BOTH_CPU_BACKENDS: &str = "pref-cli/ndarray";

/// Builds `pref` in release with the backend that `arguments` name, and runs it with them.
pub(crate) fn pref(subcommand: Option<&str>, arguments: &[OsString]) -> Result<ExitCode> {
    let mut command = workspace::cargo();
    command
        .args(["run", "--release", "--package", "pref-cli", "--bin", "pref"])
        .arg("--manifest-path")
        .arg(workspace::root()?.join("Cargo.toml"));
    for feature in backends(arguments) {
        command.args(["--features", feature]);
    }
    command.arg("--").args(subcommand).args(arguments);
    become_child(command)
}

/// Runs the tests of the workspace, or of the packages that `arguments` name.
pub(crate) fn test(arguments: &[OsString]) -> Result<ExitCode> {
    let mut command = workspace::cargo();
    command
        .current_dir(workspace::root()?)
        .args(test_arguments(arguments, Installed::here()));
    become_child(command)
}

/// Runs the benchmarks of the workspace, or the one whose name comes first.
pub(crate) fn bench(arguments: &[OsString]) -> Result<ExitCode> {
    let mut command = workspace::cargo();
    command
        .current_dir(workspace::root()?)
        .args(["bench", "--package", "pref-benches"])
        .args(bench_arguments(arguments));
    become_child(command)
}

/// Builds `pref` in release, and runs the comparison of all methods with it.
pub(crate) fn reproduce(arguments: &[OsString]) -> Result<ExitCode> {
    let root = workspace::root()?;
    let build = ["build", "--release", "--package", "pref-cli"];
    let built = workspace::cargo().current_dir(&root).args(build).status();
    if !built.context("cargo build")?.success() {
        return Ok(ExitCode::FAILURE);
    }
    let mut command = workspace::cargo();
    command
        .current_dir(&root)
        .args(["run", "--release", "--package", "pref-evidence", "--"])
        .arg("--pref")
        .arg(workspace::release_folder()?.join("pref"))
        .args(arguments);
    become_child(command)
}

/// The arguments of `cargo bench`. If the first word is the name of a benchmark, only it runs, and it gets the other
/// words: `data --pairs 100` becomes `--bench data -- --pairs 100`. Without a name all benchmarks run.
fn bench_arguments(arguments: &[OsString]) -> Vec<OsString> {
    let words = words_before_separator(arguments);
    if words.first().is_some_and(|word| !word.starts_with('-')) {
        let rest = &arguments[1..];
        let all_are_its_own = words.len() > 1 && words.len() == arguments.len();
        let separator = all_are_its_own.then(|| OsString::from("--"));
        let named = [OsString::from("--bench"), arguments[0].clone()];
        let words = named.into_iter().chain(separator);
        return words.chain(rest.iter().cloned()).collect();
    }
    if words.iter().any(|word| word == "--bench") {
        return arguments.to_vec();
    }
    // Without `--bench`, cargo would pass criterion's flags to a test harness that refuses them.
    let all = ["--bench", "*"].map(OsString::from);
    all.into_iter().chain(arguments.iter().cloned()).collect()
}

/// The arguments of `cargo test` for the whole workspace on both CPU backends, doc tests included, and on what else is
/// installed. If `arguments` name packages with `-p`, only these are tested.
pub(crate) fn test_arguments(arguments: &[OsString], installed: Installed) -> Vec<OsString> {
    let packages = packages(arguments);
    let mut all: Vec<OsString> = vec!["test".into()];
    if packages.is_empty() {
        all.push("--workspace".into());
    }
    // Cargo refuses a feature of a package that it does not build.
    if packages.is_empty() || packages.iter().any(|package| package == "pref-cli") {
        let mut features = vec![BOTH_CPU_BACKENDS];
        features.extend(installed.mpi.then_some("pref-cli/mpi"));
        features.extend(installed.vulkan.then_some("pref-cli/wgpu"));
        // The tests of pref-model are a package of their own.
        let is_all = packages.is_empty();
        features.extend((is_all && installed.vulkan).then_some("pref-model-tests/wgpu"));
        all.extend(["--features".into(), features.join(",").into()]);
    }
    all.extend(arguments.iter().cloned());
    all
}

/// Values of `-p NAME`, `-pNAME`, `--package NAME` and `--package=NAME` before any `--`.
fn packages(arguments: &[OsString]) -> Vec<String> {
    let words = words_before_separator(arguments);
    let mut found = Vec::new();
    for (i, word) in words.iter().enumerate() {
        if word == "-p" || word == "--package" {
            found.extend(words.get(i + 1).cloned());
        } else if let Some(name) = word.strip_prefix("--package=") {
            found.push(name.to_owned());
        } else if let Some(name) = word.strip_prefix("-p").filter(|_| !word.starts_with("--")) {
            found.push(name.to_owned());
        }
    }
    found
}

/// Features for the devices that `--device X` and `--device=X` name. An unknown name adds none:
/// `pref` refuses it, and its message lists the known ones.
fn backends(arguments: &[OsString]) -> Vec<&'static str> {
    let words = words_before_separator(arguments);
    let mut features = Vec::new();
    for (i, word) in words.iter().enumerate() {
        let device = match word.strip_prefix("--device") {
            Some("") => words.get(i + 1).map(String::as_str),
            Some(rest) => rest.strip_prefix('='),
            None => None,
        };
        let backend = device.and_then(|device| device.split(':').next());
        let known = OPTIONAL_BACKENDS
            .into_iter()
            .find(|name| Some(*name) == backend);
        features.extend(known.filter(|name| !features.contains(name)));
    }
    features
}

fn words_before_separator(arguments: &[OsString]) -> Vec<String> {
    arguments
        .iter()
        .take_while(|argument| *argument != OsStr::new("--"))
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect()
}

/// Replaces this process by `command`.
#[cfg(unix)]
pub(crate) fn become_child(mut command: Command) -> Result<ExitCode> {
    use std::os::unix::process::CommandExt;
    // `exec` returns only if the program could not be started.
    let error = command.exec();
    Err(error).with_context(|| format!("{}", command.get_program().display()))
}

/// Runs `command` and returns its exit code, because only Unix can replace a process.
#[cfg(not(unix))]
pub(crate) fn become_child(mut command: Command) -> Result<ExitCode> {
    let status = command
        .status()
        .with_context(|| format!("{}", command.get_program().display()))?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(ExitCode::from(code.unwrap_or(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    #[track_caller]
    fn check_backends(line: &str, expected: &[&str]) {
        assert_eq!(backends(&words(line)), expected, "{line}");
    }

    #[track_caller]
    fn check_test(line: &str, expected: &str) {
        assert_eq!(
            test_arguments(&words(line), Installed::default()),
            words(expected),
            "{line}"
        );
    }

    #[track_caller]
    fn check_bench(line: &str, expected: &str) {
        assert_eq!(bench_arguments(&words(line)), words(expected), "{line}");
    }

    #[test]
    fn a_benchmark_is_called_by_its_name() {
        check_bench("", "--bench *");
        check_bench("data", "--bench data");
        check_bench("data -- --pairs 10", "--bench data -- --pairs 10");
        check_bench("data --pairs 10", "--bench data -- --pairs 10");
        check_bench("--bench losses -- dpo", "--bench losses -- dpo");
        check_bench("-- dpo", "--bench * -- dpo");
    }

    #[test]
    fn a_device_compiles_its_backend_in() {
        check_backends("--data pairs.jsonl --device cuda:1", &["cuda"]);
        check_backends("--device=ndarray --resume", &["ndarray"]);
        check_backends("--device cuda:0 --device cuda:1", &["cuda"]);
    }

    #[test]
    fn the_default_and_unknown_devices_add_no_feature() {
        check_backends("", &[]);
        check_backends("--device flex", &[]);
        check_backends("--device tpu", &[]);
        check_backends("--device", &[]);
        check_backends("--devices cuda", &[]);
        check_backends("-- --device cuda", &[]);
    }

    #[test]
    fn the_tests_of_the_workspace_use_both_cpu_backends() {
        check_test("", "test --workspace --features pref-cli/ndarray");
        check_test(
            "ranked -- --nocapture",
            "test --workspace --features pref-cli/ndarray ranked -- --nocapture",
        );
    }

    #[test]
    fn what_is_installed_is_tested_too() {
        let all = Installed {
            mpi: true,
            vulkan: true,
        };
        let expected = "test --workspace --features pref-cli/ndarray,pref-cli/mpi,pref-cli/wgpu,pref-model-tests/wgpu ranks";
        assert_eq!(test_arguments(&words("ranks"), all), words(expected));
        assert_eq!(
            test_arguments(&words("-p pref-core"), all),
            words("test -p pref-core")
        );
        let vulkan = Installed { mpi: false, ..all };
        let expected =
            "test --workspace --features pref-cli/ndarray,pref-cli/wgpu,pref-model-tests/wgpu";
        assert_eq!(test_arguments(&[], vulkan), words(expected));
    }

    #[test]
    fn a_named_package_is_tested_alone() {
        check_test("-p pref-core", "test -p pref-core");
        check_test(
            "--package=pref-data --doc",
            "test --package=pref-data --doc",
        );
        check_test("-ppref-cli", "test --features pref-cli/ndarray -ppref-cli");
        check_test(
            "-- -p pref-core",
            "test --workspace --features pref-cli/ndarray -- -p pref-core",
        );
    }
}
