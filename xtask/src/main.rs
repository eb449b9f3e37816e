//! The project's own commands. In: `cargo xtask <command>`. Out: other programs that run, or checks
//! and files of the project.
//!
//! A newcomer needs the commands `train` and `test`. `ci` is the gate that every change has to pass.
//! Exit codes: the exit code of the other program if a command runs one; 1 if a check fails; 2 for a
//! command or an argument that does not exist.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool: results on stdout, errors on stderr"
)]

mod deny;
mod forward;
mod gate;
mod gpu_check;
mod installed;
mod picture;
mod reference;
mod tidy;
mod wheel;
mod workspace;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{CommandFactory, Parser, Subcommand};

/// The project's own commands
///
/// Paths in ARGS are relative to the folder in which the command is called. `--device cuda:N`,
/// `ndarray` or `wgpu` in the ARGS of `train` and `pref` also compiles that backend in.
#[derive(Debug, Parser)]
#[command(name = "xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, PartialEq, Eq, Subcommand)]
enum Command {
    /// Build `pref` in release and run `pref train ARGS`; without ARGS, the embedded recipe
    Train(Forwarded),
    /// Build `pref` in release and run any command of it
    Pref(Forwarded),
    /// Run every test on both CPU backends; ARGS go to `cargo test`
    Test(Forwarded),
    /// Run the whole gate step by step, stopping at the first failure
    Ci,
    /// Check what the compiler does not: import circles, paths in the pages, invariants
    Tidy {
        /// Rewrite the list of files in ARCHITECTURE.md
        #[arg(long)]
        fix: bool,
    },
    /// Refresh fixtures/ from the reference folder
    Reference {
        /// The reference folder; ../shared/reference by default
        #[arg(long, value_name = "DIR")]
        from: Option<PathBuf>,
    },
    /// Build a folder for a machine with a GPU: a stripped `pref`, and a script that checks and measures it
    GpuCheck {
        /// Backends of the program
        #[arg(long, default_value = "cuda,wgpu", value_name = "NAMES")]
        features: String,
        /// The folder to write; target/gpu-check by default
        #[arg(long, value_name = "DIR")]
        output: Option<PathBuf>,
        /// Also run the script here; ARGS go to it
        #[arg(long)]
        run: bool,
        /// Passed on to the script, such as --device wgpu --tiny
        #[arg(last = true)]
        args: Vec<OsString>,
    },
    /// Run the benchmarks; ARGS go to `cargo bench`
    Bench(Forwarded),
    /// Draw reward accuracy and margin of a run's metrics.jsonl as SVG
    Picture {
        /// metrics.jsonl in a run's folder
        metrics: PathBuf,
        /// The SVG file to write
        output: PathBuf,
    },
    /// Train every method on small decoders, and write which claims of the papers hold into docs/evidence.md
    Reproduce(Forwarded),
    /// Build a Python wheel with `pref` in it into dist/; ARGS go to `maturin build`
    Wheel(Forwarded),
}

/// Names of the commands that pass their arguments on.
const FORWARDING: [&str; 6] = ["train", "pref", "test", "bench", "reproduce", "wheel"];

/// Arguments that another program reads.
#[derive(Debug, PartialEq, Eq, clap::Args)]
struct Forwarded {
    /// Passed on unchanged
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<OsString>,
}

fn main() -> ExitCode {
    let cli = Cli::parse_from(guarded(std::env::args_os().collect()));
    match run(cli.command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Puts `--` before arguments that are passed on, so that clap does not read them itself: neither `--help`
/// nor another `--`.
fn guarded(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let name = arguments.get(1).and_then(|name| name.to_str());
    if name.is_some_and(|name| FORWARDING.contains(&name)) {
        arguments.insert(2, "--".into());
    }
    arguments
}

fn run(command: Option<Command>) -> Result<ExitCode> {
    let Some(command) = command else {
        Cli::command().print_help()?;
        return Ok(ExitCode::SUCCESS);
    };
    match command {
        Command::Train(Forwarded { args }) => forward::pref(Some("train"), &args),
        Command::Pref(Forwarded { args }) => forward::pref(None, &args),
        Command::Test(Forwarded { args }) => forward::test(&args),
        Command::Ci => gate::run(),
        Command::Tidy { fix: false } => tidy::run(tidy::Mode::Check),
        Command::Tidy { fix: true } => tidy::run(tidy::Mode::Fix),
        Command::Reference { from } => reference::run(from.as_deref()),
        Command::GpuCheck {
            features,
            output,
            run,
            args,
        } => gpu_check::build(&features, output.as_deref(), run, &args),
        Command::Bench(Forwarded { args }) => forward::bench(&args),
        Command::Picture { metrics, output } => picture::run(&metrics, &output),
        Command::Reproduce(Forwarded { args }) => forward::reproduce(&args),
        Command::Wheel(Forwarded { args }) => wheel::build(&args),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Option<Command>, String> {
        let words = std::iter::once("xtask").chain(line.split_whitespace());
        let words = guarded(words.map(OsString::from).collect());
        let parsed = Cli::try_parse_from(words);
        parsed
            .map(|cli| cli.command)
            .map_err(|error| error.to_string())
    }

    fn forwarded(line: &str) -> Forwarded {
        Forwarded {
            args: line.split_whitespace().map(OsString::from).collect(),
        }
    }

    #[track_caller]
    fn check(line: &str, expected: Command) {
        assert_eq!(parse(line), Ok(Some(expected)), "{line}");
    }

    #[test]
    fn the_definition_of_the_commands_is_consistent() {
        Cli::command().debug_assert();
        for name in FORWARDING {
            assert!(Cli::command().find_subcommand(name).is_some(), "{name}");
        }
    }

    #[test]
    fn arguments_are_passed_on_unchanged() {
        check("train", Command::Train(forwarded("")));
        check("train --help", Command::Train(forwarded("--help")));
        let line = "--data pairs.jsonl -- --resume";
        check(&format!("train {line}"), Command::Train(forwarded(line)));
        check("test -- -p x", Command::Test(forwarded("-- -p x")));
        check("pref -V", Command::Pref(forwarded("-V")));
        check("bench data -- -h", Command::Bench(forwarded("data -- -h")));
    }

    #[test]
    fn the_other_commands_have_their_own_arguments() {
        assert_eq!(parse(""), Ok(None));
        check("tidy --fix", Command::Tidy { fix: true });
        let from = Some("folder".into());
        check("reference --from folder", Command::Reference { from });
        assert!(parse("ci now").is_err());
    }

    #[test]
    fn a_misspelt_command_gets_a_suggestion() {
        let error = parse("tran").unwrap_err();
        assert!(error.contains("'train'"), "{error}");
    }
}
