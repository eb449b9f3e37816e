//! The project's own commands: `cargo xtask <command>` in, cargo commands and checks out.
//!
//! A stranger needs two of them, `train` and `test`; `ci` is the gate that every change passes.
//! Exit codes: the child's own where a command runs one, 1 where a check fails, 2 for a command
//! or an argument that does not exist.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool: results on stdout, complaints on stderr"
)]

mod forward;
mod gate;
mod reference;
mod tidy;
mod workspace;

use std::ffi::OsString;
use std::fmt;
use std::process::ExitCode;

use anyhow::Result;

const HELP: &str = "\
The project's own commands.

Usage: cargo xtask <command> [arguments]

  train [ARGS]           build `pref` in release and run `pref train ARGS`;
                         without ARGS, the embedded recipe
  pref ARGS              the same for any command of `pref`
  test [ARGS]            run every test on both CPU backends; ARGS go to `cargo test`
  ci                     the whole gate, step by step, stopping at the first failure
  tidy [--fix]           check what the compiler does not: paths named in the pages, file heads,
                         invariants of ARCHITECTURE.md; --fix rewrites the README's file tree
  reference [--from DIR] refresh fixtures/ from ../shared/reference, or from DIR
  bench [ARGS]           run the benchmarks; ARGS go to `cargo bench`
  help                   this text

Paths in ARGS are relative to the folder the command is called from. `--device cuda:N`, `ndarray`
or `wgpu` in ARGS also compiles that backend in.
";

/// One command of this tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Command {
    Train,
    Pref,
    Test,
    Ci,
    Tidy,
    Reference,
    Bench,
    Help,
}

const COMMANDS: [(&str, Command); 8] = [
    ("train", Command::Train),
    ("pref", Command::Pref),
    ("test", Command::Test),
    ("ci", Command::Ci),
    ("tidy", Command::Tidy),
    ("reference", Command::Reference),
    ("bench", Command::Bench),
    ("help", Command::Help),
];

/// Arguments that the command does not take.
#[derive(Debug)]
struct Usage(String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

fn usage(expected: &str, found: &[OsString]) -> anyhow::Error {
    Usage(format!("{expected}, found {found:?}")).into()
}

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let name = arguments.next().unwrap_or_else(|| "help".into());
    let command = match parse(&name.to_string_lossy()) {
        Ok(command) => command,
        Err(message) => {
            eprintln!("error: {message}");
            return ExitCode::from(2);
        }
    };
    match run(command, arguments.collect()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(if error.is::<Usage>() { 2 } else { 1 })
        }
    }
}

fn run(command: Command, arguments: Vec<OsString>) -> Result<ExitCode> {
    match command {
        Command::Train => forward::pref(Some("train"), &arguments),
        Command::Pref => forward::pref(None, &arguments),
        Command::Test => forward::test(&arguments),
        Command::Bench => forward::bench(&arguments),
        Command::Ci => {
            if !arguments.is_empty() {
                return Err(usage("`ci` takes no arguments", &arguments));
            }
            gate::run()
        }
        Command::Tidy => match arguments.as_slice() {
            [] => tidy::run(tidy::Mode::Check),
            [flag] if flag == "--fix" => tidy::run(tidy::Mode::Fix),
            _ => Err(usage("`tidy` takes `--fix` or nothing", &arguments)),
        },
        Command::Reference => match arguments.as_slice() {
            [] => reference::run(None),
            [flag, folder] if flag == "--from" => reference::run(Some(folder.as_ref())),
            _ => Err(usage(
                "`reference` takes `--from DIR` or nothing",
                &arguments,
            )),
        },
        Command::Help => {
            print!("{HELP}");
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn parse(name: &str) -> Result<Command, String> {
    if matches!(name, "-h" | "--help") {
        return Ok(Command::Help);
    }
    if let Some((_, command)) = COMMANDS.iter().find(|(known, _)| *known == name) {
        return Ok(*command);
    }
    let nearest = COMMANDS
        .iter()
        .map(|(known, _)| (strsim::damerau_levenshtein(name, known), *known))
        .min()
        .filter(|(distance, known)| *distance <= known.len() / 2);
    let hint = match nearest {
        Some((_, known)) => format!("did you mean `{known}`?"),
        None => "`cargo xtask help` lists the commands".to_owned(),
    };
    Err(format!("no command `{name}`; {hint}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, expected: Result<Command, &str>) {
        assert_eq!(parse(name), expected.map_err(str::to_owned));
    }

    #[test]
    fn every_command_is_found_and_in_the_help() {
        for (name, command) in COMMANDS {
            check(name, Ok(command));
            assert!(HELP.contains(&format!("\n  {name} ")), "{name} has no help");
        }
        check("--help", Ok(Command::Help));
    }

    #[test]
    fn a_misspelt_command_gets_a_suggestion() {
        check("tran", Err("no command `tran`; did you mean `train`?"));
        check("tset", Err("no command `tset`; did you mean `test`?"));
    }

    #[test]
    fn a_word_near_no_command_points_at_the_help() {
        let hint = "no command `frobnicate`; `cargo xtask help` lists the commands";
        check("frobnicate", Err(hint));
    }
}
