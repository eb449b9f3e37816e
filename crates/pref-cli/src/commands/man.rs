//! `pref man`: writes manual pages. In: a folder. Out: one page for `pref` and one for each command
//! in that folder.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::progress;

/// Write the manual pages of pref and of each command into a folder
///
/// Read one with man -l FOLDER/pref-train.1, or write them into a folder man1 below a folder of
/// your MANPATH.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Folder for the pages; it is made if it does not exist
    #[arg(long, value_name = "FOLDER", visible_alias = "out")]
    output: PathBuf,
}

/// Writes the pages. `definition` is the command line of `pref` with all its commands.
pub(crate) fn run(args: &Args, definition: clap::Command) -> Result<ExitCode> {
    let folder = &args.output;
    let named = || folder.display().to_string();
    std::fs::create_dir_all(folder).with_context(named)?;
    clap_mangen::generate_to(definition, folder).with_context(named)?;
    progress::note(&format!("{}: manual pages written", folder.display()));
    Ok(ExitCode::SUCCESS)
}
