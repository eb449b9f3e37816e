//! The file of answers. In: answers in the order in which they end. Out: a file in the order of rows and samples.
//!
//! A line of `OUTPUT.part` is the row, `on`, `off` or `-`, the sample, a hash of the input row, and the output row.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::args::Thought;
use crate::partial::PartialFile;

/// Where an answer belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

/// The file of answers.
pub(super) struct Output {
    path: PathBuf,
    part: PartialFile,
    lines: Vec<Line>,
    n_bytes: u64,
    n_before: usize,
    /// The samples of earlier runs, with the hash of their row.
    before: HashMap<Place, (String, Vec<u64>)>,
    /// Places of earlier runs that the input has.
    seen: std::cell::RefCell<std::collections::HashSet<Place>>,
}

impl Output {
    /// Opens the file, with the answers of an earlier run that did not end.
    pub(super) fn open(path: &Path, origin: &Value) -> Result<Self> {
        let mut output = Self {
            path: path.to_owned(),
            part: PartialFile::open(path, origin)?,
            lines: Vec::new(),
            n_bytes: 0,
            n_before: 0,
            before: HashMap::new(),
            seen: Default::default(),
        };
        while let Some(text) = output.part.next_line()? {
            let (place, sample, key) = head(&text).with_context(|| {
                format!(
                    "{}.part:{}: no line of an answer; remove the file to begin again",
                    path.display(),
                    output.lines.len() + 1
                )
            })?;
            let entry = output.before.entry(place);
            let (_, samples) = entry.or_insert_with(|| (key.to_owned(), Vec::new()));
            samples.push(sample);
            output.add(place, sample, &text);
        }
        output.n_before = output.lines.len();
        Ok(output)
    }

    /// Number of answers of earlier runs.
    pub(super) fn n_before(&self) -> usize {
        self.n_before
    }

    /// Number of all answers.
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

    /// Adds an answer.
    pub(super) fn write(
        &mut self,
        place: Place,
        key: &str,
        sample: u64,
        row: &Value,
    ) -> Result<()> {
        let thinking = place.thinking.map_or("-", Thought::name);
        let text = format!("{} {thinking} {sample} {key} {row}", place.row);
        self.part.write(std::slice::from_ref(&text))?;
        self.add(place, sample, &format!("{text}\n"));
        Ok(())
    }

    /// An error if the input lacks a row of an earlier run.
    pub(super) fn check_all_seen(&self, data: &Path) -> Result<()> {
        let n = self.before.len() - self.seen.borrow().len();
        match n {
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
        self.lines.sort_by_key(|line| (line.place, line.sample));
        let places = self.lines.iter().map(|line| (line.start, line.n_bytes));
        self.part.finish_in_order(places)
    }

    fn add(&mut self, place: Place, sample: u64, text: &str) {
        let n_head = text.splitn(5, ' ').take(4).map(|word| word.len() + 1);
        let n_head: usize = n_head.sum();
        self.lines.push(Line {
            place,
            sample,
            start: self.n_bytes + n_head as u64,
            n_bytes: text.len() - n_head - 1,
        });
        self.n_bytes += text.len() as u64;
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
