//! The file of answers. In: answers of all ranks, in the order in which they end. Out: a file in the order of rows and
//! samples.
//!
//! A line of `OUTPUT.part` is the row, `on`, `off` or `-`, the sample, a hash of the input row, and the output row.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use pref_train::Ranks;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::args::Thought;
use crate::partial::PartialFile;

/// Where an answer belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) struct Place {
    /// Number of the input row, from 0.
    pub(super) row: u64,
    /// Absent without `--thinking`.
    pub(super) thinking: Option<Thought>,
}

impl Place {
    /// A number for the sampler.
    pub(super) fn key(self) -> u64 {
        let is_off = self.thinking == Some(Thought::Off);
        (self.row << 1) | u64::from(is_off)
    }
}

/// A line that was written.
#[derive(Clone, Copy, Debug)]
struct Line {
    place: Place,
    sample: u64,
    /// Where the output row begins in the part.
    start: u64,
    n_bytes: usize,
}

/// The file of answers. Rank 0 has it, and the others send their answers.
pub(super) struct Output<'a> {
    path: PathBuf,
    ranks: &'a dyn Ranks,
    /// On rank 0.
    part: Option<PartialFile>,
    /// Answers of this rank that are not written yet.
    pending: Vec<String>,
    /// What was written, on rank 0.
    lines: Vec<Line>,
    n_bytes: u64,
    n_before: usize,
    /// The samples of earlier runs, with the hash of their row.
    before: HashMap<Place, (String, Vec<u64>)>,
    /// Places of earlier runs that the input has.
    seen: RefCell<HashSet<Place>>,
}

/// What a rank tells the others after some steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    /// Whether it has nothing more to draw.
    pub(super) is_done: bool,
    /// Whether it was asked to stop.
    pub(super) is_stopped: bool,
    /// New tokens so far.
    pub(super) new_tokens: u64,
    /// Tokens of prompts so far.
    pub(super) prompt_tokens: u64,
}

impl State {
    /// What holds for all ranks together.
    fn of_all(all: impl Iterator<Item = State>) -> Self {
        let start = State {
            is_done: true,
            ..State::default()
        };
        all.fold(start, |sum, one| State {
            is_done: sum.is_done && one.is_done,
            is_stopped: sum.is_stopped || one.is_stopped,
            new_tokens: sum.new_tokens + one.new_tokens,
            prompt_tokens: sum.prompt_tokens + one.prompt_tokens,
        })
    }
}

impl<'a> Output<'a> {
    /// Opens the file, with the answers of an earlier run that did not end. `origin` is what they are made with.
    pub(super) fn open(path: &Path, origin: &Value, ranks: &'a dyn Ranks) -> Result<Self> {
        let mut output = Self {
            path: path.to_owned(),
            ranks,
            part: None,
            pending: Vec::new(),
            lines: Vec::new(),
            n_bytes: 0,
            n_before: 0,
            before: HashMap::new(),
            seen: RefCell::default(),
        };
        let before = ranks.of_first(|| output.read(origin))?;
        output.n_before = before.len();
        for (place, sample, key) in before {
            let entry = output.before.entry(place);
            entry.or_insert_with(|| (key, Vec::new())).1.push(sample);
        }
        Ok(output)
    }

    /// The answers of an earlier run: the place, the sample and the hash of the row of each.
    fn read(&mut self, origin: &Value) -> Result<Vec<(Place, u64, String)>> {
        let mut part = PartialFile::open(&self.path, origin)?;
        let mut before = Vec::new();
        while let Some(text) = part.next_line()? {
            let (place, sample, key) = head(&text).with_context(|| {
                format!(
                    "{}.part:{}: no line of an answer; remove the file to begin again",
                    self.path.display(),
                    self.lines.len() + 1
                )
            })?;
            before.push((place, sample, key.to_owned()));
            self.add(place, sample, text.trim_end_matches('\n'));
        }
        self.part = Some(part);
        Ok(before)
    }

    /// Number of answers of earlier runs.
    pub(super) fn n_before(&self) -> usize {
        self.n_before
    }

    /// Number of all answers, on rank 0.
    pub(super) fn n_answers(&self) -> usize {
        self.lines.len()
    }

    /// The samples of a row that are missing. `key` is a hash of the row.
    pub(super) fn missing(&self, place: Place, key: &str, n: u32) -> Result<Vec<u64>> {
        let all = 0..u64::from(n);
        let Some((before, samples)) = self.before.get(&place) else {
            return Ok(all.collect());
        };
        ensure!(
            before == key,
            "the row differs from the row that was answered before; remove {}.part to begin again, or choose another --output",
            self.path.display()
        );
        self.seen.borrow_mut().insert(place);
        Ok(all.filter(|sample| !samples.contains(sample)).collect())
    }

    /// Keeps an answer of this rank until [`exchange`](Self::exchange).
    pub(super) fn put(&mut self, place: Place, key: &str, sample: u64, row: &Value) {
        let thinking = place.thinking.map_or("-", Thought::name);
        let text = format!("{} {thinking} {sample} {key} {row}", place.row);
        self.pending.push(text);
    }

    /// Writes the answers of all ranks on rank 0, and gives every rank the state of all. All ranks call this together.
    pub(super) fn exchange(&mut self, state: State) -> Result<State> {
        let own = std::mem::take(&mut self.pending);
        let all = self.ranks.share((own, state))?;
        let state = State::of_all(all.iter().map(|(_, state)| *state));
        let texts: Vec<String> = all.into_iter().flat_map(|(texts, _)| texts).collect();
        if let Some(part) = &mut self.part {
            part.write(&texts)?;
            for text in &texts {
                let (place, sample, _) = head(text).context("a line of an answer")?;
                self.add(place, sample, text);
            }
        }
        Ok(state)
    }

    /// An error if the input lacks a row of an earlier run.
    pub(super) fn check_all_seen(&self, data: &Path) -> Result<()> {
        let seen: usize = self.ranks.share(self.seen.borrow().len())?.iter().sum();
        match self.before.len() - seen {
            0 => Ok(()),
            n => bail!(
                "{}.part has answers to {n} prompts that are not in {}; remove it to begin again, or choose another --output",
                self.path.display(),
                data.display()
            ),
        }
    }

    /// Writes the answers in their order, and gives the file its name.
    pub(super) fn finish(mut self) -> Result<()> {
        let Some(part) = self.part else {
            return Ok(());
        };
        self.lines.sort_by_key(|line| (line.place, line.sample));
        let places = self.lines.iter().map(|line| (line.start, line.n_bytes));
        part.finish_in_order(places)
    }

    /// Notes where a line is in the file. `text` is the line without its end.
    fn add(&mut self, place: Place, sample: u64, text: &str) {
        let n_head = text.splitn(5, ' ').take(4).map(|word| word.len() + 1);
        let n_head: usize = n_head.sum();
        self.lines.push(Line {
            place,
            sample,
            start: self.n_bytes + n_head as u64,
            n_bytes: text.len() - n_head,
        });
        self.n_bytes += text.len() as u64 + 1;
    }
}

/// The place, the sample and the hash at the beginning of a line.
fn head(text: &str) -> Option<(Place, u64, &str)> {
    let mut words = text.splitn(5, ' ');
    let row = words.next()?.parse().ok()?;
    let thinking = match words.next()? {
        "-" => None,
        "on" => Some(Thought::On),
        "off" => Some(Thought::Off),
        _ => return None,
    };
    let sample = words.next()?.parse().ok()?;
    let key = words.next()?;
    words.next()?;
    Some((Place { row, thinking }, sample, key))
}
