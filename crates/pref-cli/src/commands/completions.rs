//! `pref completions`: completes commands and flags in a shell. In: the shell's name. Out: a script
//! for that shell on stdout.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use clap_complete::Shell;

/// Print a script that completes commands and flags in your shell
///
/// For bash: pref completions bash > ~/.local/share/bash-completion/completions/pref
/// For zsh, into a folder of $fpath: pref completions zsh > ~/.zfunc/_pref
/// For fish: pref completions fish > ~/.config/fish/completions/pref.fish
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Shell that will read the script
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script. `definition` is the command line of `pref` with all its commands.
pub(crate) fn run(args: &Args, mut definition: clap::Command) -> Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut definition, "pref", &mut script);
    std::io::stdout().write_all(&script)?;
    Ok(ExitCode::SUCCESS)
}
