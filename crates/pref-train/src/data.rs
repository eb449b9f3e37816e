//! From a plan's files to examples. In: paths, shapes, a tokenizer. Out: every set of pairs as
//! tokens, with what the objective looks at; rows that were passed over go to a file.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use pref_data::{
    DiffOptions, Example, Pair, PartRules, Placed, ReadOptions, Shape, Summary, Text,
    TokenizeError, TokenizeOptions, TokenizeReport, Tokenizer, each_example, each_pair, hold_out,
    tokenize, tokenize_examples,
};

use crate::durable::write_file;
use crate::error::TrainError;
use crate::examples::{Collector, Entry, Examples};
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
    embedding_rows: usize,
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
        template_kwargs: data.chat_template_kwargs.clone(),
        skip_bad_rows: data.on_error == OnError::Skip,
        embedding_rows: Some(embedding_rows),
    };
    let diff = DiffOptions {
        algorithm: data.diff,
        ignored: match data.ignore_stop_words {
            true => tokenizer.stop_word_ids(),
            false => HashSet::new(),
        },
    };
    let mut kept = Collector::new(&plan.output.folder, needs, &diff);
    let mut files = Files {
        plan,
        rejects: Vec::new(),
        tracker,
    };
    if needs.unpaired {
        let mut read = |path: &Path, range| {
            let each = |path: &Path, read: &ReadOptions, sink: &mut Sink<'_, Example>| {
                each_example(path, read, sink)
            };
            let keep = |rows: &[Example]| {
                let answers = tokenize_examples(rows, tokenizer, &options)?;
                let entries = kept.answers(answers.rows)?;
                Ok((entries, answers.report, answers.rejects))
            };
            files.entries(path, range, each, keep, |row| &row.prompt)
        };
        let [train, eval] = split(plan, &data.train, data.eval.as_deref(), &mut read)?;
        let kept = kept.finish()?;
        let single = |entries| Examples::single(&kept, entries, max_length);
        let none = || Examples::pairs(&kept, Vec::new());
        return Ok(Sets([single(train)?, single(eval)?, none(), none()]));
    }
    let mut read = |path: &Path, range| {
        let each = |path: &Path, read: &ReadOptions, sink: &mut Sink<'_, Pair>| {
            each_pair(path, read, sink)
        };
        let keep = |rows: &[Pair]| {
            let pairs = tokenize(rows, tokenizer, &options)?;
            let entries = kept.pairs(pairs.rows)?;
            Ok((entries, pairs.report, pairs.rejects))
        };
        files.entries(path, range, each, keep, |row| &row.prompt)
    };
    let [train, eval] = split(plan, &data.train, data.eval.as_deref(), &mut read)?;
    let [empty, empty_eval] = match &data.empty {
        Some(path) => split(plan, path, data.empty_eval.as_deref(), &mut read)?,
        None => [Vec::new(), Vec::new()],
    };
    let kept = kept.finish()?;
    let sets = [train, eval, empty, empty_eval];
    Ok(Sets(sets.map(|entries| Examples::pairs(&kept, entries))))
}

/// What is trained on, and what is held out or in a file of its own.
fn split(
    plan: &Plan,
    train: &Path,
    eval: Option<&Path>,
    read: &mut impl FnMut(&Path, Option<[usize; 2]>) -> Result<Vec<Prompted>, TrainError>,
) -> Result<[Vec<Entry>; 2], TrainError> {
    let rows = read(train, plan.data.rows)?;
    let (rows, held) = match eval {
        Some(path) => (entries_of(rows), entries_of(read(path, None)?)),
        None => {
            let fraction = plan.data.eval_fraction;
            let prompts: Vec<u128> = rows.iter().map(|row| row.prompt).collect();
            let mut is_held = hold_out(&prompts, fraction, plan.train.seed).into_iter();
            let (held, rows): (Vec<_>, Vec<_>) = rows
                .into_iter()
                .partition(|_| is_held.next().unwrap_or_default());
            if fraction > 0.0 && held.is_empty() && !rows.is_empty() {
                let path = train.to_owned();
                return Err(TrainError::NothingHeldOut { path });
            }
            (entries_of(rows), entries_of(held))
        }
    };
    if rows.is_empty() {
        return Err(TrainError::NoPairs {
            path: train.to_owned(),
            held_out: held.len(),
        });
    }
    Ok([rows, held])
}

/// An entry with what tells its prompt from others.
struct Prompted {
    entry: Entry,
    prompt: u128,
}

fn entries_of(rows: Vec<Prompted>) -> Vec<Entry> {
    rows.into_iter().map(|row| row.entry).collect()
}

/// Gives entries the prompts of the rows that they are from. Both are in the order of the file.
fn prompted<R: Placed>(
    rows: &[R],
    entries: Vec<Entry>,
    prompt: impl Fn(&R) -> &Text,
) -> impl Iterator<Item = Prompted> {
    let mut rows = rows.iter().peekable();
    entries.into_iter().map(move |entry| {
        while rows.next_if(|row| row.place() != entry.place()).is_some() {}
        let prompt = rows.peek().map_or(0, |row| prompt(row).key());
        Prompted { entry, prompt }
    })
}

/// What became of some rows: those that are kept, what tokenizing them said, and why others are not.
type Kept = (Vec<Entry>, TokenizeReport, Vec<TokenizeError>);

/// Reads the files of a plan.
struct Files<'a> {
    plan: &'a Plan,
    /// What was wrong with the rows that were passed over, of all files.
    rejects: Vec<String>,
    tracker: &'a mut dyn Tracker,
}

impl Files<'_> {
    /// The rows of a file, or a range of them, kept as tokens as they are read.
    fn entries<R: Placed>(
        &mut self,
        path: &Path,
        range: Option<[usize; 2]>,
        each: impl FnOnce(&Path, &ReadOptions, &mut Sink<'_, R>) -> Result<Summary, TrainError>,
        mut keep: impl FnMut(&[R]) -> Result<Kept, TrainError>,
        prompt: fn(&R) -> &Text,
    ) -> Result<Vec<Prompted>, TrainError> {
        let data = &self.plan.data;
        let (rejects, tracker) = (&mut self.rejects, &mut *self.tracker);
        let options = ReadOptions {
            shape: data.shape,
            columns: data.columns.clone(),
            skip_bad_rows: data.on_error == OnError::Skip,
        };
        let [start, end] = range.unwrap_or([0, usize::MAX]);
        // rows of the file: a pair that is read as two answers is one
        let mut n = 0;
        let mut entries = Vec::new();
        let mut report = TokenizeReport::default();
        let n_rejects = rejects.len();
        let summary = each(path, &options, &mut |rows: Vec<R>| {
            // what is read of a row comes in one piece
            let starts = starts_of_rows(&rows);
            let within = |row: usize| starts[row.saturating_sub(n).min(starts.len() - 1)];
            let wanted = &rows[within(start)..within(end)];
            let (kept, said, bad) = keep(wanted)?;
            n += starts.len() - 1;
            entries.extend(prompted(wanted, kept, prompt));
            report.extend(said);
            rejects.extend(bad.iter().map(ToString::to_string));
            Ok(())
        })?;
        if summary.shape != Shape::Pairs {
            tracker.note(&format!("{}: read as {}", path.display(), summary.shape));
        }
        rejects.extend(summary.rejects.iter().map(ToString::to_string));
        if rejects.len() > n_rejects {
            let file = keep_rejects(self.plan, rejects)?;
            tracker.note(&format!(
                "{}: {} rows passed over, listed in {}",
                path.display(),
                rejects.len() - n_rejects,
                file.display()
            ));
        }
        if range.is_some() && end > n {
            return Err(TrainError::Rows {
                path: path.to_owned(),
                start,
                end,
                n,
            });
        }
        tracker.note(&format!("{}: {report}", path.display()));
        Ok(entries)
    }
}

/// Where what is from another row than the one before begins, and the end.
fn starts_of_rows<R: Placed>(read: &[R]) -> Vec<usize> {
    let is_start = |&i: &usize| i == 0 || read[i].place() != read[i - 1].place();
    let starts = (0..read.len()).filter(is_start);
    starts.chain([read.len()]).collect()
}

/// Lists what was passed over, of all sets, in the run's folder.
fn keep_rejects(plan: &Plan, rejects: &[String]) -> Result<PathBuf, TrainError> {
    let folder = &plan.output.folder;
    fs::create_dir_all(folder).map_err(TrainError::file(folder))?;
    let file = folder.join("rejects.txt");
    let lines: String = rejects.iter().map(|line| format!("{line}\n")).collect();
    write_file(&file, lines.as_bytes()).map_err(TrainError::file(&file))?;
    Ok(file)
}
