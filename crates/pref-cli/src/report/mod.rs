//! What a page about runs shows. In: folders of runs. Out: the page of `pref-eval`, filled with what the folders have.

mod folder;
mod rows;
mod settings;
mod tokens;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use pref_eval::{Report, TokenView};
use pref_model::write_file;

use crate::device::Device;
use crate::progress;
use folder::{RunFolder, is_run, read_run};

/// Held-out pairs that are shown by token by default.
const TOKEN_PAIRS: usize = 8;

/// What a page shows besides curves and plans.
pub(crate) struct Contents<'a> {
    /// Held-out pairs that are shown by token. If absent, some are shown where that is possible.
    pub(crate) tokens: Option<usize>,
    /// Rows of tables.
    pub(crate) rows: usize,
    /// Files of samples that are not in the folders.
    pub(crate) samples: &'a [PathBuf],
    /// The device that computes the values of tokens.
    pub(crate) device: Device,
}

/// The page about some runs.
pub(crate) fn report_of(runs: &[PathBuf], contents: &Contents<'_>) -> Result<Report> {
    let folders = runs.iter().map(|path| {
        check_run(path)?;
        read_run(path)
    });
    let folders = folders.collect::<Result<Vec<RunFolder>>>()?;
    let names = names(runs);
    let mut report = Report {
        title: title(&names),
        ..Report::default()
    };
    let mut shown = BTreeSet::new();
    for (number, (mut folder, name)) in folders.into_iter().zip(names).enumerate() {
        match token_view(contents, &folder) {
            Ok(Some(view)) => report.tokens.push(TokenView {
                run: number,
                ..view
            }),
            Ok(None) => {}
            // Nobody asked for it, and the rest of the page is there.
            Err(error) if contents.tokens.is_none() => {
                let error = progress::text_of(&error);
                let note = format!("pairs are not shown by token: {error}");
                folder.run.notes.push(note);
            }
            Err(error) => return Err(error.context(folder.path.display().to_string())),
        }
        for note in &folder.run.notes {
            progress::note(&format!("{}: {note}", folder.path.display()));
        }
        report
            .tables
            .extend(rows::of_run(&folder, contents.rows, &mut shown));
        let mut run = folder.run;
        run.name = name;
        report.runs.push(run);
    }
    for file in contents.samples {
        report.tables.extend(rows::of_samples(file, contents.rows)?);
    }
    Ok(report)
}

/// The pairs of a run by token, if they are wanted and the run has some.
fn token_view(contents: &Contents<'_>, folder: &RunFolder) -> Result<Option<TokenView>> {
    let is_asked = contents.tokens.is_some();
    match contents.tokens.unwrap_or(TOKEN_PAIRS) {
        0 => Ok(None),
        n => tokens::view(folder, n, is_asked, contents.device),
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
        .filter(|path| is_run(path))
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
    match is_run(path) {
        true => Ok(()),
        false => Err(no_run(path)),
    }
}
