//! The `pref` command. In: arguments and files. Out: results on stdout, logs and progress on
//! stderr, and an exit code: 0 done, 1 failed or a value is off, 2 wrong usage, 130 interrupted.

mod commands;
mod device;
mod input;
mod model;
mod outcome;
mod pairs;
mod progress;
mod recipe;
mod signals;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Tensors come and go by the megabyte: the system's allocator hands each back to the kernel, and
/// faulting the pages in again costs a CPU run a third of its speed.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// mimalloc's `purge_delay`, which its Rust bindings number but do not name.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// Freed memory stays with the process: the next step asks for as much again.
const NEVER: std::ffi::c_long = -1;

/// Preference fine-tuning of language models: from pairs to a trained model.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Train(commands::train::Args),
    Loss(commands::loss::Args),
    Logprobs(commands::logprobs::Args),
    Generate(commands::generate::Args),
    Objectives(commands::objectives::Args),
    Diff(commands::diff::Args),
    Segment(commands::segment::Args),
    Inspect(commands::inspect::Args),
    Lint(commands::lint::Args),
    Data(commands::data::Args),
}

fn main() -> ExitCode {
    // SAFETY: no thread but this one is there yet; the option's number is the same in mimalloc's
    // versions 2 and 3, and sets a duration
    #[expect(unsafe_code, reason = "mimalloc's options are C functions")]
    unsafe {
        libmimalloc_sys::mi_option_set(PURGE_DELAY, NEVER);
    }
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !pref_data::is_caught_panic(info) {
            default(info);
        }
    }));
    let result = match Cli::parse().command {
        Command::Train(args) => commands::train::run(args),
        Command::Loss(args) => commands::loss::run(&args),
        Command::Logprobs(args) => commands::logprobs::run(&args),
        Command::Generate(args) => commands::generate::run(&args),
        Command::Objectives(args) => commands::objectives::run(&args),
        Command::Diff(args) => commands::diff::run(&args),
        Command::Segment(args) => commands::segment::run(&args),
        Command::Inspect(args) => commands::inspect::run(&args),
        Command::Lint(args) => commands::lint::run(&args),
        Command::Data(args) => commands::data::run(&args),
    };
    match result {
        Ok(code) => code,
        // whoever reads the output has had enough of it
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            progress::error(&error);
            ExitCode::FAILURE
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let io = cause.downcast_ref::<std::io::Error>();
        io.is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
    })
}
