//! `pref report`: makes a page about runs. In: folders of runs. Out: one HTML file with curves, plans, evaluations, pairs
//! by token, and tables of pairs and samples.

mod folder;
mod rows;
mod settings;
mod tokens;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use pref_eval::{Report, TokenView};
use pref_model::write_file;

use crate::device::DeviceArgs;
use crate::progress;
use folder::{RunFolder, read_run};

/// Make a page about runs: curves, plans, evaluations, pairs by token, samples
///
/// The page is one HTML file that needs no other file. It is the same, to the byte, for the same runs. A run that is
/// not finished, or that was stopped, has a page as well.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Folders of runs, which `pref train`, `sft` or `reward-model train` wrote
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<PathBuf>,
    /// The page; by default report.html in the folder of the first run
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Rows of the data and of the samples that the page shows
    #[arg(long, value_name = "N", default_value_t = 8)]
    rows: usize,
    /// Files of samples to show, as `pref sample` or `pref check` writes them; those in the runs' folders are shown anyway
    #[arg(long, value_name = "FILE")]
    samples: Vec<PathBuf>,
    /// Held-out pairs that are shown by token; 0 for none. 8 by default, if the run is finished and has such pairs
    #[arg(long, value_name = "N")]
    tokens: Option<usize>,
    #[command(flatten)]
    device: DeviceArgs,
}

/// Held-out pairs that are shown by token by default.
const TOKEN_PAIRS: usize = 8;

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let folders = args.runs.iter().map(|path| read_run(path));
    let folders = folders.collect::<Result<Vec<RunFolder>>>()?;
    let names = names(&args.runs);
    let mut report = Report {
        title: title(&names),
        ..Report::default()
    };
    let mut shown = BTreeSet::new();
    for (number, (mut folder, name)) in folders.into_iter().zip(names).enumerate() {
        match token_view(args, &folder) {
            Ok(Some(view)) => report.tokens.push(TokenView {
                run: number,
                ..view
            }),
            Ok(None) => {}
            // Nobody asked for it, and the rest of the page is there.
            Err(error) if args.tokens.is_none() => {
                let error = progress::text_of(&error);
                folder
                    .run
                    .notes
                    .push(format!("pairs are not shown by token: {error}"));
            }
            Err(error) => return Err(error.context(folder.path.display().to_string())),
        }
        for note in &folder.run.notes {
            progress::note(&format!("{}: {note}", folder.path.display()));
        }
        report
            .tables
            .extend(rows::of_run(&folder, args.rows, &mut shown));
        let mut run = folder.run;
        run.name = name;
        report.runs.push(run);
    }
    for file in &args.samples {
        report.tables.extend(rows::of_samples(file, args.rows)?);
    }
    let output = match &args.output {
        Some(path) => path.clone(),
        None => args.runs[0].join("report.html"),
    };
    write_page(&report, &output)?;
    progress::note(&format!("{}: written", output.display()));
    Ok(ExitCode::SUCCESS)
}

/// The pairs of a run by token, if they are wanted and the run has some.
fn token_view(args: &Args, folder: &RunFolder) -> Result<Option<TokenView>> {
    let n = args.tokens.unwrap_or(TOKEN_PAIRS);
    match n {
        0 => Ok(None),
        n => tokens::view(folder, n, args.tokens.is_some(), args.device.device),
    }
}

/// Writes the page. A page that exists stays as it is until the new one is complete.
pub(crate) fn write_page(report: &Report, path: &Path) -> Result<()> {
    ensure!(
        !path.is_dir(),
        "{}: this is a folder; give the name of a file, such as {}",
        path.display(),
        path.join("report.html").display()
    );
    write_file(path, report.to_html().as_bytes()).with_context(|| path.display().to_string())
}

/// The names of folders, with as many parts of the paths as tell them apart.
fn names(paths: &[PathBuf]) -> Vec<String> {
    let parts = |path: &Path, n: usize| -> String {
        let full = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let parts: Vec<String> = full
            .iter()
            .map(|part| part.to_string_lossy().into_owned())
            .collect();
        parts[parts.len().saturating_sub(n)..].join("/")
    };
    for n in 1..4 {
        let names: Vec<String> = paths.iter().map(|path| parts(path, n)).collect();
        if names.iter().collect::<BTreeSet<_>>().len() == names.len() {
            return names;
        }
    }
    let shown = |path: &PathBuf| path.display().to_string();
    paths.iter().map(shown).collect()
}

fn title(names: &[String]) -> String {
    match names {
        [name] => format!("Run {name}"),
        [first, second] => format!("Runs {first} and {second}"),
        _ => format!("{} runs", names.len()),
    }
}

/// The error for a folder that holds no run. It names the runs in its folders.
fn no_run(path: &Path) -> anyhow::Error {
    let inner = std::fs::read_dir(path).into_iter().flatten().flatten();
    let mut runs: Vec<String> = inner
        .map(|entry| entry.path())
        .filter(|path| folder::is_run(path))
        .map(|path| path.display().to_string())
        .collect();
    runs.sort();
    let hint = match runs.is_empty() {
        true => "give the folder of a run, which is `output.folder` of its plan".to_owned(),
        false => format!("there are runs in {}", runs.join(" and ")),
    };
    let path = path.display();
    anyhow::anyhow!("{path}: not a run: there is neither metrics.jsonl nor plan.toml; {hint}")
}

/// Checks that a path is the folder of a run.
fn check_run(path: &Path) -> Result<()> {
    if !path.exists() {
        bail!("{}: there is no such folder", path.display());
    }
    if !path.is_dir() {
        bail!(
            "{}: this is a file; give the folder of a run",
            path.display()
        );
    }
    match folder::is_run(path) {
        true => Ok(()),
        false => Err(no_run(path)),
    }
}
