//! A command that another command runs. In: its words. Out: its parsed flags, and how it ended. The commands run in this
//! process, as if they had been typed.

use std::ffi::OsString;
use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Result, anyhow};

use crate::progress;

/// Whether commands run within another command.
static IS_WITHIN: AtomicBool = AtomicBool::new(false);

/// Where a command writes its results: stdout, or stderr within another command, whose own results are on stdout.
pub(crate) fn results() -> Box<dyn Write> {
    match IS_WITHIN.load(Ordering::Relaxed) {
        false => Box::new(io::stdout().lock()),
        true => Box::new(io::stderr().lock()),
    }
}

/// A command within another one was stopped, which stops both.
#[derive(Debug)]
struct Stopped(ExitCode);

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a command was stopped")
    }
}

impl std::error::Error for Stopped {}

/// An error if a command did not do all of its work. [`exit_code`] turns it into the exit code of both commands.
pub(crate) fn whole(code: ExitCode) -> Result<()> {
    match code == ExitCode::SUCCESS {
        true => Ok(()),
        false => Err(Stopped(code).into()),
    }
}

/// The exit code of a command that runs others.
pub(crate) fn exit_code(result: Result<()>) -> Result<ExitCode> {
    match result {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => match error.downcast_ref::<Stopped>() {
            Some(Stopped(code)) => Ok(*code),
            None => Err(error),
        },
    }
}

/// Flags in one argument, divided as a shell does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Words(Vec<String>);

impl Words {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// These flags after another one.
    pub(crate) fn after(&self, name: &str, value: u32) -> Self {
        let first = [format!("--{name}"), value.to_string()];
        Self(first.into_iter().chain(self.0.iter().cloned()).collect())
    }

    /// Whether a flag is given.
    pub(crate) fn has(&self, flag: &str) -> bool {
        self.0.iter().any(|word| {
            word.strip_prefix(flag)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
        })
    }

    /// Whether sampling with these flags draws from the model's own distribution.
    pub(crate) fn is_plain(&self) -> bool {
        const SHAPING: [&str; 7] = [
            "--temperature",
            "--top-p",
            "--top-k",
            "--min-p",
            "--repetition-penalty",
            "--greedy",
            "--thinking",
        ];
        let shapes = |word: &String| SHAPING.iter().any(|flag| word.starts_with(flag));
        !self.0.iter().any(shapes)
    }
}

impl FromStr for Words {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words = shell_words::split(text);
        words
            .map(Words)
            .map_err(|_| "a quotation mark is missing".to_owned())
    }
}

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shell_words::join(&self.0))
    }
}

/// A command line of `pref`.
pub(crate) struct Line {
    name: &'static str,
    words: Vec<OsString>,
}

impl Line {
    /// The command `name`, which may be a command with its subcommand.
    pub(crate) fn new(name: &'static str) -> Self {
        let words = Vec::new();
        Self { name, words }
    }

    pub(crate) fn word(mut self, word: impl AsRef<Path>) -> Self {
        self.words.push(word.as_ref().as_os_str().to_owned());
        self
    }

    pub(crate) fn flag(self, name: &str, value: impl AsRef<Path>) -> Self {
        self.word(format!("--{name}")).word(value)
    }

    pub(crate) fn words(mut self, words: &Words) -> Self {
        self.words.extend(words.0.iter().map(OsString::from));
        self
    }

    /// The flags of the command. Shows the line, so that it can be typed again. From now on, [`results`] is stderr.
    pub(crate) fn parse<A: clap::Args>(self) -> Result<A> {
        IS_WITHIN.store(true, Ordering::Relaxed);
        let shown: Vec<String> = self
            .words
            .iter()
            .map(|word| shell_words::quote(&word.to_string_lossy()).into_owned())
            .collect();
        progress::note(&format!("pref {} {}", self.name, shown.join(" ")));
        let command = A::augment_args(clap::Command::new(self.name))
            .no_binary_name(true)
            .disable_help_flag(true);
        let parsed = command
            .try_get_matches_from(self.words)
            .and_then(|matches| A::from_arg_matches(&matches));
        parsed.map_err(|error| {
            let text = error.to_string();
            let text = text.trim().trim_start_matches("error: ");
            anyhow!("the flags for `pref {}`: {text}", self.name)
        })
    }
}
