//! From a plan's files to examples. In: paths, shapes, a tokenizer. Out: every set of pairs as
//! tokens, with what the objective looks at; rows that were passed over go to a file.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use pref_data::{
    DiffOptions, Example, Lined, Pair, PartRules, ReadError, ReadOptions, Shape, Summary,
    TokenizeError, TokenizeOptions, TokenizeReport, Tokenized, Tokenizer, each_example, each_pair,
    hold_out, tokenize, tokenize_examples,
};

use crate::durable::write_file;
use crate::error::TrainError;
use crate::features::Examples;
use crate::plan::{OnError, Plan};
use crate::reference::Sets;
use crate::tracker::Tracker;

/// Takes rows as they are read.
type Sink<'a, R> = dyn FnMut(Vec<R>) -> Result<(), TrainError> + 'a;

/// Every set of pairs, as tokens.
pub(crate) fn examples(
    plan: &Plan,
    tokenizer: &Tokenizer,
    max_length: usize,
    tracker: &mut dyn Tracker,
) -> Result<Sets<Examples>, TrainError> {
    let data = &plan.data;
    let needs = plan.objective.needs();
    let parts = match needs.parts {
        true => Some(PartRules::new(&data.first_part, &data.parts)?),
        false => None,
    };
    let options = TokenizeOptions {
        max_length: Some(max_length),
        truncation: data.truncation,
        long_prompts: data.long_prompts,
        boundary: data.boundary,
        parts,
    };
    let diff = DiffOptions {
        algorithm: data.diff,
        ignored: match data.ignore_stop_words {
            true => tokenizer.stop_word_ids(),
            false => HashSet::new(),
        },
    };
    if needs.unpaired {
        let mut read = |path: &Path, range| {
            let tokens = |rows: &[Example]| tokenize_examples(rows, tokenizer, &options);
            let each = |path: &Path, options: &ReadOptions, sink: &mut Sink<'_, Example>| {
                each_example(path, options, sink)
            };
            tokens_of(plan, path, range, each, tokens, tracker)
        };
        let [train, eval] = split(plan, &data.train, data.eval.as_deref(), &mut read)?;
        let single = |examples| Examples::single(examples, needs, max_length);
        let none = || Examples::new(Vec::new(), needs, &diff);
        return Ok(Sets([single(train)?, single(eval)?, none()?, none()?]));
    }
    let mut read = |path: &Path, range| {
        let tokens = |rows: &[Pair]| tokenize(rows, tokenizer, &options);
        let each = |path: &Path, options: &ReadOptions, sink: &mut Sink<'_, Pair>| {
            each_pair(path, options, sink)
        };
        tokens_of(plan, path, range, each, tokens, tracker)
    };
    let [train, eval] = split(plan, &data.train, data.eval.as_deref(), &mut read)?;
    let [empty, empty_eval] = match &data.empty {
        Some(path) => split(plan, path, data.empty_eval.as_deref(), &mut read)?,
        None => [Vec::new(), Vec::new()],
    };
    let examples = |pairs| Examples::new(pairs, needs, &diff);
    Ok(Sets([
        examples(train)?,
        examples(eval)?,
        examples(empty)?,
        examples(empty_eval)?,
    ]))
}

/// What is trained on, and what is held out or in a file of its own.
fn split<T: Lined>(
    plan: &Plan,
    train: &Path,
    eval: Option<&Path>,
    read: &mut impl FnMut(&Path, Option<[usize; 2]>) -> Result<Vec<T>, TrainError>,
) -> Result<[Vec<T>; 2], TrainError> {
    let rows = read(train, plan.data.rows)?;
    let (rows, held) = match eval {
        Some(path) => (rows, read(path, None)?),
        None => hold_out_lines(rows, plan.data.eval_fraction, plan.train.seed),
    };
    if rows.is_empty() {
        return Err(TrainError::NoPairs {
            path: train.to_owned(),
            held_out: held.len(),
        });
    }
    Ok([rows, held])
}

/// Holds out a part of the rows; what is from one line stays together.
fn hold_out_lines<T: Lined>(rows: Vec<T>, fraction: f64, seed: u64) -> (Vec<T>, Vec<T>) {
    let mut lines: Vec<Vec<T>> = Vec::new();
    for row in rows {
        match lines.last_mut() {
            Some(group) if group.last().map(T::line) == Some(row.line()) => group.push(row),
            _ => lines.push(vec![row]),
        }
    }
    let (kept, held) = hold_out(lines, fraction, seed);
    let flat = |lines: Vec<Vec<T>>| lines.into_iter().flatten().collect();
    (flat(kept), flat(held))
}

/// The rows of a file, or a range of them, as tokens. Their text is never in memory whole.
fn tokens_of<R, T>(
    plan: &Plan,
    path: &Path,
    range: Option<[usize; 2]>,
    each: impl FnOnce(&Path, &ReadOptions, &mut Sink<'_, R>) -> Result<Summary, TrainError>,
    tokenize: impl Fn(&[R]) -> Result<Tokenized<T>, TokenizeError>,
    tracker: &mut dyn Tracker,
) -> Result<Vec<T>, TrainError> {
    let data = &plan.data;
    let options = ReadOptions {
        shape: data.shape,
        columns: data.columns.clone(),
        skip_bad_rows: data.on_error == OnError::Skip,
    };
    let [start, end] = range.unwrap_or([0, usize::MAX]);
    let mut n = 0;
    let mut tokens = Vec::new();
    let mut report = TokenizeReport::default();
    let summary = each(path, &options, &mut |rows: Vec<R>| {
        let within = |row: usize| row.saturating_sub(n).min(rows.len());
        let tokenized = tokenize(&rows[within(start)..within(end)]);
        let tokenized = tokenized.map_err(|source| TrainError::Tokenize {
            path: path.to_owned(),
            source,
        })?;
        n += rows.len();
        tokens.extend(tokenized.rows);
        report.extend(tokenized.report);
        Ok(())
    })?;
    if summary.shape != Shape::Pairs {
        tracker.note(&format!("{}: read as {}", path.display(), summary.shape));
    }
    keep_rejects(plan, path, &summary.rejects, tracker)?;
    if range.is_some() && end > n {
        return Err(TrainError::Rows {
            path: path.to_owned(),
            start,
            end,
            n,
        });
    }
    tracker.note(&format!("{}: {report}", path.display()));
    Ok(tokens)
}

/// Lists what was passed over in the run's folder.
fn keep_rejects(
    plan: &Plan,
    path: &Path,
    rejects: &[ReadError],
    tracker: &mut dyn Tracker,
) -> Result<(), TrainError> {
    if rejects.is_empty() {
        return Ok(());
    }
    let folder = &plan.output.folder;
    fs::create_dir_all(folder).map_err(TrainError::file(folder))?;
    let file = folder.join("rejects.txt");
    let lines: String = rejects.iter().map(|e| format!("{e}\n")).collect();
    write_file(&file, lines.as_bytes()).map_err(TrainError::file(&file))?;
    tracker.note(&format!(
        "{}: {} rows passed over, listed in {}",
        path.display(),
        rejects.len(),
        file.display()
    ));
    Ok(())
}
