//! `pref loss`: evaluates reference cases. In: case files. Out: one JSON line a case, and exit code
//! 1 if a case cannot be evaluated or a value deviates from what is expected.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use pref_cases::{Case, CaseError, Deviation, Evaluation};
use pref_train::TrainBackend;
use serde_json::{Value, json};

use crate::device::{DeviceArgs, Task};
use crate::input::read_text;
use crate::progress;

/// Evaluate objectives on given log-probs, and compare the results with expected values
///
/// Prints one JSON line a case, with its name, the loss, the loss of each pair and the gradients.
/// If a case has `expect`, the values are compared with it; they may differ by 1e-5 relative or
/// 1e-6 absolute.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Case files, or folders with case files; `-` reads one case from stdin
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
        let mut largest: Option<(String, Deviation)> = None;
        for path in self.files {
            let text = read_text(path)?;
            let (case, found) = match evaluate::<B>(&text, device) {
                Ok(evaluated) => evaluated,
                Err(error) => {
                    progress::note(&format!("{}: {error}", path.display()));
                    n_failed += 1;
                    continue;
                }
            };
            let mut line = json!({"name": name(&case, path)});
            merge(&mut line, found.values());
            let expect = case.expect.as_ref();
            if let Some(deviation) = expect.and_then(|e| e.largest_deviation(&found)) {
                let is_ok = deviation.is_within_tolerance();
                line["ok"] = json!(is_ok);
                if !is_ok {
                    n_failed += 1;
                    progress::note(&format!("{}: {deviation}", path.display()));
                }
                if largest
                    .as_ref()
                    .is_none_or(|(_, largest)| deviation.error_ratio > largest.error_ratio)
                {
                    largest = Some((name(&case, path), deviation));
                }
            }
            writeln!(stdout, "{line}")?;
        }
        if let Some((name, deviation)) = largest {
            progress::note(&format!("largest deviation: {name}, {deviation}"));
        }
        let n = self.files.len();
        let cases = if n == 1 { "case" } else { "cases" };
        progress::note(&format!("{n} {cases}, {n_failed} failed"));
        Ok(match n_failed {
            0 => ExitCode::SUCCESS,
            _ => ExitCode::FAILURE,
        })
    }
}

fn evaluate<B: TrainBackend>(
    text: &str,
    device: &B::Device,
) -> Result<(Case, Evaluation), CaseError> {
    let case: Case = text.parse()?;
    let found = case.evaluate::<B>(device)?;
    Ok((case, found))
}

/// The case's name, or its path if it has none.
fn name(case: &Case, path: &Path) -> String {
    if case.name.is_empty() {
        path.display().to_string()
    } else {
        case.name.clone()
    }
}

/// Adds the entries of the JSON object `values` to the object `line`.
fn merge(line: &mut Value, values: Value) {
    if let (Value::Object(line), Value::Object(values)) = (line, values) {
        line.extend(values);
    }
}

/// The files. Each folder is replaced by all `.json` files in it and in its subfolders, sorted.
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
