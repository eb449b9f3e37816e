//! From the files of a plan to data sets. In: paths, shapes and a tokenizer. Out: every data set as
//! token ids, with the features that the objective needs. Rows that are left out are listed in a file.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use pref_data::{
    DiffOptions, Example, Pair, PartRules, Placed, ReadOptions, Shape, Summary, Text,
    TokenizeError, TokenizeOptions, TokenizeReport, Tokenizer, each_example, each_pair,
    each_wanted, hold_out, tokenize, tokenize_examples,
};
use pref_model::write_file;

use super::collect::RowCollector;
use super::data_set::PerSet;
use super::examples::{Entry, Examples};
use crate::error::TrainError;
use crate::plan::{OnError, Plan};
use crate::tracker::Tracker;

/// A function that takes rows as they are read.
type Sink<'a, R> = dyn FnMut(Vec<R>) -> Result<(), TrainError> + 'a;

/// Reads every data set of a plan as token ids. `embedding_rows` is the number of ids of the model. Rows that are
/// left out are listed in a file if `lists_rejects`.
///
/// # Errors
/// [`TrainError`] if a file cannot be read, a row cannot be used and the plan does not skip it, or a data set
/// does not fit the plan.
pub(crate) fn read_sets(
    plan: &Plan,
    tokenizer: &Tokenizer,
    max_length: usize,
    embedding_rows: usize,
    lists_rejects: bool,
    tracker: &mut dyn Tracker,
) -> Result<PerSet<Examples>, TrainError> {
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
        all_turns: data.all_turns,
        unscored_segments: false,
    };
    let diff = DiffOptions {
        algorithm: data.diff,
        ignored: match data.ignore_stop_words {
            true => tokenizer.stop_word_ids(),
            false => HashSet::new(),
        },
    };
    let mut collector = RowCollector::new(&plan.output.folder, needs, &diff);
    let mut files = Files {
        plan,
        rejects: Vec::new(),
        lists_rejects,
        tracker,
    };
    if needs.unpaired || needs.demonstrations {
        let mut read = |path: &Path, range| {
            let each = |path: &Path, read: &ReadOptions, sink: &mut Sink<'_, Example>| match needs
                .demonstrations
            {
                true => each_wanted(path, read, sink),
                false => each_example(path, read, sink),
            };
            let store = |rows: &[Example]| {
                let answers = tokenize_examples(rows, tokenizer, &options)?;
                let entries = collector.answers(answers.rows)?;
                Ok(TokenizedRows {
                    entries,
                    report: answers.report,
                    rejects: answers.rejects,
                })
            };
            files.entries(path, range, each, store, Example::prompt_or_text)
        };
        let [train, eval] = split(plan, &data.train, data.eval.as_deref(), &mut read)?;
        let stored = collector.finish()?;
        let none = || Examples::pairs(&stored, Vec::new());
        if needs.demonstrations {
            let capacity = plan.train.packing.then_some(max_length);
            let train = Examples::wanted(&stored, train, capacity);
            let eval = Examples::wanted(&stored, eval, None);
            return Ok(PerSet([train, eval, none(), none()]));
        }
        let single = |entries| Examples::single(&stored, entries, max_length);
        return Ok(PerSet([single(train)?, single(eval)?, none(), none()]));
    }
    let mut read = |path: &Path, range| {
        let each = |path: &Path, read: &ReadOptions, sink: &mut Sink<'_, Pair>| {
            each_pair(path, read, sink)
        };
        let store = |rows: &[Pair]| {
            let pairs = tokenize(rows, tokenizer, &options)?;
            let entries = collector.pairs(pairs.rows)?;
            Ok(TokenizedRows {
                entries,
                report: pairs.report,
                rejects: pairs.rejects,
            })
        };
        files.entries(path, range, each, store, |row| &row.prompt)
    };
    let [train, eval] = split(plan, &data.train, data.eval.as_deref(), &mut read)?;
    let [empty, empty_eval] = match &data.empty {
        Some(path) => split(plan, path, data.empty_eval.as_deref(), &mut read)?,
        None => [Vec::new(), Vec::new()],
    };
    let stored = collector.finish()?;
    let sets = [train, eval, empty, empty_eval];
    Ok(PerSet(
        sets.map(|entries| Examples::pairs(&stored, entries)),
    ))
}

/// The training rows and the evaluation rows. The evaluation rows come from the file `eval`; without it,
/// they are held out of the training rows.
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

/// An entry and the hash of its prompt.
struct Prompted {
    entry: Entry,
    prompt: u128,
}

fn entries_of(rows: Vec<Prompted>) -> Vec<Entry> {
    rows.into_iter().map(|row| row.entry).collect()
}

/// Adds the hash of its prompt to each entry. Rows and entries are in the order of the file.
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

/// Some rows after tokenization.
struct TokenizedRows {
    /// The rows that are used.
    entries: Vec<Entry>,
    /// Counts of what tokenization changed.
    report: TokenizeReport,
    /// Why the other rows are left out.
    rejects: Vec<TokenizeError>,
}

/// Reads the files of a plan.
struct Files<'a> {
    plan: &'a Plan,
    /// Why rows of any file were left out.
    rejects: Vec<String>,
    lists_rejects: bool,
    tracker: &'a mut dyn Tracker,
}

impl Files<'_> {
    /// Stores the rows of a file, or a range of them, as they are read: `each` reads the file in chunks, and
    /// `store` tokenizes and stores a chunk.
    fn entries<R: Placed>(
        &mut self,
        path: &Path,
        range: Option<[usize; 2]>,
        each: impl FnOnce(&Path, &ReadOptions, &mut Sink<'_, R>) -> Result<Summary, TrainError>,
        mut store: impl FnMut(&[R]) -> Result<TokenizedRows, TrainError>,
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
        // Number of rows of the file so far. A pair that is read as two answers is one row.
        let mut n = 0;
        let mut entries = Vec::new();
        let mut report = TokenizeReport::default();
        let n_rejects = rejects.len();
        let summary = each(path, &options, &mut |rows: Vec<R>| {
            // All answers of one row of the file are in the same chunk.
            let starts = starts_of_rows(&rows);
            let within = |row: usize| starts[row.saturating_sub(n).min(starts.len() - 1)];
            let wanted = &rows[within(start)..within(end)];
            let tokenized = store(wanted)?;
            n += starts.len() - 1;
            entries.extend(prompted(wanted, tokenized.entries, prompt));
            report.extend(tokenized.report);
            rejects.extend(tokenized.rejects.iter().map(ToString::to_string));
            Ok(())
        })?;
        if summary.shape != Shape::Pairs {
            tracker.note(&format!("{}: read as {}", path.display(), summary.shape));
        }
        rejects.extend(summary.rejects.iter().map(ToString::to_string));
        if rejects.len() > n_rejects && self.lists_rejects {
            let file = write_rejects(self.plan, rejects)?;
            tracker.note(&format!(
                "{}: {} rows skipped, listed in {}",
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

/// The indices at which a new row of the file begins, and then the number of all items.
fn starts_of_rows<R: Placed>(read: &[R]) -> Vec<usize> {
    let is_start = |&i: &usize| i == 0 || read[i].place() != read[i - 1].place();
    let starts = (0..read.len()).filter(is_start);
    starts.chain([read.len()]).collect()
}

/// Lists the rows that were left out, of all data sets, in the run's folder.
fn write_rejects(plan: &Plan, rejects: &[String]) -> Result<PathBuf, TrainError> {
    let folder = &plan.output.folder;
    fs::create_dir_all(folder).map_err(TrainError::file(folder))?;
    let file = folder.join("rejects.txt");
    let lines: String = rejects.iter().map(|line| format!("{line}\n")).collect();
    write_file(&file, lines.as_bytes()).map_err(TrainError::file(&file))?;
    Ok(file)
}
