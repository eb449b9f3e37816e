//! What a page about runs shows. In: folders of runs. Out: the page of `pref-eval`, filled with what the folders have.

mod events;
mod folder;
mod paths;
mod rows;
mod settings;
mod tokens;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use pref_eval::{Report, TokenView};
use pref_model::write_file;

use crate::device::Device;
use crate::progress;
pub(crate) use events::write_event_files;
use folder::{RunFolder, read_run};
use paths::{check_run, names};

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

fn title(names: &[String]) -> String {
    match names {
        [name] => format!("Run {name}"),
        [first, second] => format!("Runs {first} and {second}"),
        _ => format!("{} runs", names.len()),
    }
}
