//! `pref loss`: evaluates reference cases. In: case files. Out: one JSON line a case, and exit
//! code 1 where a value is off.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use pref_core::{Case, Mismatch};
use pref_train::TrainBackend;
use serde_json::{Value, json};

use crate::device::{DeviceArgs, Task};
use crate::input::read_text;
use crate::progress;

/// Evaluate objectives on given log-probs, and compare with expected values
///
/// Prints one JSON line a case: name, loss, per pair, gradients. Where a case has `expect`, its
/// values are compared: 1e-5 relative or 1e-6 absolute.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Case files, or folders of them; `-` is stdin
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    device: DeviceArgs,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let files = expand(&args.files)?;
    args.device.device.run(Cases { files: &files })
}

struct Cases<'a> {
    files: &'a [PathBuf],
}

impl Task for Cases<'_> {
    type Output = ExitCode;

    fn run<B: TrainBackend>(self, device: &B::Device) -> Result<ExitCode> {
        let mut stdout = std::io::stdout().lock();
        let mut n_failed = 0;
        let mut worst: Option<(String, Mismatch)> = None;
        for path in self.files {
            let text = read_text(path)?;
            let case: Case = match text.parse() {
                Ok(case) => case,
                Err(error) => {
                    progress::note(&format!("{}: {error}", path.display()));
                    n_failed += 1;
                    continue;
                }
            };
            let found = match case.evaluate::<B>(device) {
                Ok(found) => found,
                Err(error) => {
                    progress::note(&format!("{}: {error}", path.display()));
                    n_failed += 1;
                    continue;
                }
            };
            let mut line = json!({"name": name(&case, path)});
            merge(&mut line, found.values());
            if let Some(mismatch) = case.expect.as_ref().and_then(|e| e.worst(&found)) {
                let is_ok = mismatch.is_within_bar();
                line["ok"] = json!(is_ok);
                if !is_ok {
                    n_failed += 1;
                    progress::note(&format!("{}: {mismatch}", path.display()));
                }
                if worst
                    .as_ref()
                    .is_none_or(|(_, w)| mismatch.excess > w.excess)
                {
                    worst = Some((name(&case, path), mismatch));
                }
            }
            writeln!(stdout, "{line}")?;
        }
        if let Some((name, mismatch)) = worst {
            progress::note(&format!("worst of all: {name}, {mismatch}"));
        }
        let n = self.files.len();
        progress::note(&format!("{n} cases, {n_failed} failed"));
        Ok(match n_failed {
            0 => ExitCode::SUCCESS,
            _ => ExitCode::FAILURE,
        })
    }
}

fn name(case: &Case, path: &Path) -> String {
    if case.name.is_empty() {
        path.display().to_string()
    } else {
        case.name.clone()
    }
}

fn merge(line: &mut Value, values: Value) {
    if let (Value::Object(line), Value::Object(values)) = (line, values) {
        line.extend(values);
    }
}

/// The files, and the JSON files in the folders, sorted.
fn expand(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let before = files.len();
            collect(path, &mut files)?;
            ensure!(
                files.len() > before,
                "{} holds no .json file",
                path.display()
            );
        } else {
            files.push(path.clone());
        }
    }
    Ok(files)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let entries = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut paths = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    paths.sort();
    for path in paths {
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|e| e == "json") {
            files.push(path);
        }
    }
    Ok(())
}
