//! The folder of a run. In: its path. Out: metrics, settings and state, with notes about what could not be read.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use pref_eval::{EvaluatedPair, MetricsRow, Run};
use serde_json::Value;
use toml::Table;

use super::settings::{settings, text};

/// The metrics of a run.
const METRICS: &str = "metrics.jsonl";
/// The plan of a run.
const PLAN: &str = "plan.toml";
/// How long the steps of a run took.
const TIMES: &str = "times.jsonl";

/// A run with its folder.
pub(super) struct RunFolder {
    pub(super) path: PathBuf,
    pub(super) plan: Table,
    pub(super) run: Run,
}

/// Whether a folder looks like the folder of a run.
pub(super) fn is_run(path: &Path) -> bool {
    path.join(METRICS).is_file() || path.join(PLAN).is_file()
}

/// Reads the folder of a run.
pub(super) fn read_run(path: &Path) -> Result<RunFolder> {
    let mut run = Run::default();
    let plan = read_plan(path, &mut run.notes)?;
    run.settings = settings(&plan);
    run.method = text(&plan, "objective", "method").unwrap_or("–").to_owned();
    let metrics = read_or_nothing(&path.join(METRICS))?;
    read_metrics(&metrics, &mut run);
    add_throughput(&read_or_nothing(&path.join(TIMES))?, &mut run.steps);
    add_pairs(path, &mut run)?;
    run.state = state(path, &plan, &run);
    Ok(RunFolder {
        path: path.to_owned(),
        plan,
        run,
    })
}

/// The plan of a run; an empty one if it cannot be used.
fn read_plan(path: &Path, notes: &mut Vec<String>) -> Result<Table> {
    let text = read_or_nothing(&path.join(PLAN))?;
    if text.is_empty() {
        notes.push(format!("there is no {PLAN}, so settings are not shown"));
    }
    Ok(text.parse().unwrap_or_else(|error: toml::de::Error| {
        notes.push(format!(
            "{PLAN} cannot be read, so settings are not shown: {}",
            error.message()
        ));
        Table::new()
    }))
}

/// The text of a file; nothing if the file does not exist.
fn read_or_nothing(path: &Path) -> Result<String> {
    match fs::read(path) {
        // A byte that is not UTF-8 damages its line only.
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(error).with_context(|| path.display().to_string()),
    }
}

/// Reads lines of metrics. A damaged line is left out and noted.
fn read_metrics(text: &str, run: &mut Run) {
    let mut damaged = Vec::new();
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        if line.trim().is_empty() {
            continue;
        }
        match row(line) {
            Some((row, true)) => run.evaluations.push(row),
            Some((row, false)) => run.steps.push(row),
            None if !line.ends_with('\n') => run.notes.push(format!(
                "the last line of {METRICS} is not complete and is left out"
            )),
            None => damaged.push(number.to_string()),
        }
    }
    match &damaged[..] {
        [] => {}
        [line] => run.notes.push(format!(
            "line {line} of {METRICS} is damaged and is left out"
        )),
        [first, .., last] => run.notes.push(format!(
            "{} lines of {METRICS} are damaged and are left out, from line {first} to line {last}",
            damaged.len()
        )),
    }
}

/// A line of metrics, and whether it is an evaluation.
fn row(line: &str) -> Option<(MetricsRow, bool)> {
    let Value::Object(object) = serde_json::from_str(line).ok()? else {
        return None;
    };
    let step = object.get("step")?.as_u64()?;
    let is_evaluation = object.keys().any(|key| key.starts_with("eval_"));
    let mut values = BTreeMap::new();
    for (key, value) in &object {
        let name = match is_evaluation {
            true => key.strip_prefix("eval_"),
            false => Some(key.as_str()),
        };
        if let (Some(name), Some(value)) = (name, value.as_f64())
            && !["step", "pairs"].contains(&name)
        {
            values.insert(name.to_owned(), value);
        }
    }
    let n_rows = object.get("eval_pairs").and_then(Value::as_u64);
    let row = MetricsRow {
        step,
        n_rows: n_rows.unwrap_or(0),
        values,
    };
    Some((row, is_evaluation))
}

/// Adds the tokens per second of the steps whose time is known.
fn add_throughput(times: &str, steps: &mut [MetricsRow]) {
    let known: BTreeMap<u64, f64> = times
        .lines()
        .filter_map(|line| {
            let line: Value = serde_json::from_str(line).ok()?;
            let [tokens, seconds] = ["tokens", "seconds"].map(|key| line[key].as_f64());
            let per_second = tokens? / seconds?;
            Some((line["step"].as_u64()?, per_second))
        })
        .filter(|(_, per_second)| per_second.is_finite())
        .collect();
    for row in steps {
        if let Some(value) = known.get(&row.step) {
            row.values.insert("tokens_per_second".to_owned(), *value);
        }
    }
}

/// Adds the values of each pair in the first and the last evaluation, if both have the same rows.
fn add_pairs(path: &Path, run: &mut Run) -> Result<()> {
    let mut rows = None;
    for evaluation in [run.evaluations.first(), run.evaluations.last()] {
        let Some(evaluation) = evaluation else {
            continue;
        };
        let name = format!("evaluations/step-{:06}.jsonl", evaluation.step);
        let text = read_or_nothing(&path.join(&name))?;
        let pairs: Option<Vec<(String, EvaluatedPair)>> = text.lines().map(evaluated).collect();
        let Some(pairs) = pairs else {
            run.notes
                .push(format!("{name} is damaged, so intervals are not shown"));
            run.pairs.clear();
            return Ok(());
        };
        let (names, values): (Vec<String>, Vec<EvaluatedPair>) = pairs.into_iter().unzip();
        // A file of an evaluation that is repeated may be newer than its line.
        if values.len() as u64 != evaluation.n_rows
            || rows.get_or_insert_with(|| names.clone()) != &names
        {
            run.pairs.clear();
            return Ok(());
        }
        run.pairs.insert(evaluation.step, values);
    }
    Ok(())
}

/// The row and the values of a line.
fn evaluated(line: &str) -> Option<(String, EvaluatedPair)> {
    let line: Value = serde_json::from_str(line).ok()?;
    let pair = EvaluatedPair {
        loss: line["loss"].as_f64()?,
        chosen: line["rewards/chosen"].as_f64()?,
        rejected: line["rewards/rejected"].as_f64()?,
    };
    Some((line["row"].as_str()?.to_owned(), pair))
}

/// How far a run is.
fn state(path: &Path, plan: &Table, run: &Run) -> String {
    let rows = run.steps.iter().chain(&run.evaluations);
    let last = rows.map(|row| row.step).max().unwrap_or(0);
    if path.join("model").is_dir() {
        return format!("finished after {last} steps");
    }
    let steps = plan.get("train").and_then(|train| train.get("steps"));
    match steps.and_then(toml::Value::as_integer) {
        Some(total) => format!("not finished: step {last} of {total}"),
        None => format!("not finished: step {last}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

    use super::*;

    #[test]
    fn damaged_and_incomplete_lines_are_left_out_and_noted() {
        let text = "{\"step\": 1, \"loss\": 0.5}\nrubbish\n{\"step\": 2, \"eval_loss\": 0.4, \"eval_pairs\": 3}\n{\"st";
        let mut run = Run::default();
        read_metrics(text, &mut run);
        assert_eq!((run.steps.len(), run.evaluations.len()), (1, 1));
        assert_eq!(run.evaluations[0].n_rows, 3);
        assert_eq!(run.evaluations[0].values["loss"], 0.4);
        assert_eq!(
            run.notes,
            [
                "the last line of metrics.jsonl is not complete and is left out",
                "line 2 of metrics.jsonl is damaged and is left out"
            ]
        );
    }

    #[test]
    fn the_last_time_of_a_step_counts() {
        let mut run = Run::default();
        read_metrics("{\"step\": 1, \"loss\": 0.5}\n", &mut run);
        let times = "{\"step\":1,\"seconds\":1.0,\"tokens\":10}\n{\"step\":1,\"seconds\":2.0,\"tokens\":10}\n";
        add_throughput(times, &mut run.steps);
        assert_eq!(run.steps[0].values["tokens_per_second"], 5.0);
    }
}
