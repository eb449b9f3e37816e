//! The event file of a run. In: the points of its lines. Out: one file with all of them, to which later ones are
//! appended.
//!
//! A process that begins or resumes a run writes a new file with the points so far, and empties the older one. So a file
//! has each step once, whatever a killed process left behind. The name of the new file is greater, because TensorBoard
//! reads the files of a folder in the order of their names, and does not come back to one that it has read. The older
//! file stays without content until the next process begins: the loader of TensorBoard that is written in Python does not
//! go on to the next file if the one that it reads is removed.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use prost::Message;
use sha2::{Digest, Sha256};

use super::event::Event;
use super::line::{EVALUATION_TAG, Line};
use super::record::{contents, record};
use super::times::{StepTimes, seconds};
use crate::digest::hex;
use crate::durable::rename;

/// The beginning of the names of event files. TensorBoard opens files with `tfevents` in their name.
const PREFIX: &str = "events.out.tfevents.";

/// A folder with the event files of a run. Other programs and runs may have files in it, which stay as they are.
#[derive(Clone, Debug)]
pub(crate) struct EventFolder {
    path: PathBuf,
    /// The end of the names of this run's files.
    suffix: String,
}

impl EventFolder {
    /// The folder inside of a run's folder.
    pub(crate) fn within(run: &Path) -> Self {
        Self {
            path: run.join("tensorboard"),
            suffix: ".pref".to_owned(),
        }
    }

    /// Another folder for the event files of the run in `run`. A hash of the run's path is in the names of its files.
    pub(crate) fn outside(path: &Path, run: &Path) -> Self {
        let run = run.canonicalize().unwrap_or_else(|_| run.to_owned());
        let hash = hex(Sha256::new_with_prefix(run.as_os_str().as_encoded_bytes()));
        Self {
            path: path.to_owned(),
            suffix: format!(".pref-{}", &hash[..12]),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The names of this run's event files, in their order.
    fn names(&self) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name.starts_with(PREFIX) && name.ends_with(&self.suffix) {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    /// Removes this run's event files.
    pub(crate) fn clear(&self) -> io::Result<()> {
        let mut names = self.names()?.into_iter();
        names.try_for_each(|name| fs::remove_file(self.path.join(name)))
    }
}

/// The event file of a run.
#[derive(Clone, Debug)]
pub(crate) struct EventFile {
    path: PathBuf,
}

impl EventFile {
    /// Writes a file with these lines in place of the older files of the run. A line that an older file has keeps its
    /// wall time.
    ///
    /// # Errors
    /// The I/O error of the file system.
    pub(crate) fn write(
        folder: &EventFolder,
        lines: &[Line],
        times: &StepTimes,
    ) -> io::Result<Self> {
        fs::create_dir_all(&folder.path)?;
        let older = folder.names()?;
        let mut known = BTreeMap::new();
        for name in &older {
            known.extend(wall_times(&fs::read(folder.path.join(name))?));
        }
        let times = times.of_lines(lines, &known);
        let begin = times.first().copied().unwrap_or_else(now);
        let mut bytes = encode(&Event::version(begin));
        bytes.extend(encode(&Event::start(begin)));
        for (line, &time) in lines.iter().zip(&times) {
            bytes.extend(encode(&Event::of(line, time)));
        }
        let suffix = &folder.suffix;
        let number = |name: &String| {
            let name = name.strip_prefix(PREFIX)?.strip_suffix(suffix)?;
            name.parse::<u64>().ok()
        };
        let after = older.iter().filter_map(number).max();
        let number = after.map_or(0, |last| last + 1).max(now() as u64);
        let file = Self {
            path: folder.path.join(format!("{PREFIX}{number:010}{suffix}")),
        };
        // TensorBoard does not open a file with this name. Only one process has the run.
        let temporary = folder.path.join(format!(".new{suffix}.tmp"));
        replace(&temporary, &file.path, &bytes)?;
        if let Some((last, others)) = older.split_last() {
            replace(&temporary, &folder.path.join(last), &[])?;
            for name in others {
                fs::remove_file(folder.path.join(name))?;
            }
        }
        Ok(file)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Appends a line that is written now.
    pub(crate) fn append(&self, line: &Line) -> io::Result<()> {
        let mut file = OpenOptions::new().append(true).open(&self.path)?;
        file.write_all(&encode(&Event::of(line, now())))
    }
}

/// Writes a file under a temporary name, and renames it.
fn replace(temporary: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    rename(temporary, path)
}

fn encode(event: &Event) -> Vec<u8> {
    record(&event.encode_to_vec())
}

/// The wall time of each line in a file, by its step and whether it is an evaluation.
fn wall_times(bytes: &[u8]) -> impl Iterator<Item = ((i64, bool), f64)> {
    contents(bytes).filter_map(|content| {
        let event = Event::decode(content).ok()?;
        let mut values = event.summary?.values.into_iter();
        let is_evaluation = values.any(|value| value.tag.starts_with(EVALUATION_TAG));
        Some(((event.step, is_evaluation), event.wall_time))
    })
}

fn now() -> f64 {
    seconds(SystemTime::now())
}
