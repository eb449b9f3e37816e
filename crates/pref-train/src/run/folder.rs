//! The files of a run's folder besides its checkpoints: plan, metrics, and changes of settings. In: lines and
//! texts. Out: files that are complete at any moment.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use pref_model::write_file;

use super::checkpoint;
use super::evaluated;
use crate::durable::remove_leftovers;
use crate::error::TrainError;
use crate::metrics::MetricsLine;
use crate::plan::Plan;

/// A run's folder. Of several ranks, the first writes, and the others only read.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    path: PathBuf,
    writes: bool,
}

impl Folder {
    /// The folder at a path. Without `writes`, the methods that write do nothing.
    pub(super) fn new(path: &Path, writes: bool) -> Self {
        Self {
            path: path.to_owned(),
            writes,
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether this process writes into the folder.
    pub(super) fn writes(&self) -> bool {
        self.writes
    }

    /// The path of a file in the folder.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The folder of the final weights.
    pub(super) fn model(&self) -> PathBuf {
        self.file("model")
    }

    /// Checks that a new run can begin here.
    ///
    /// # Errors
    /// [`TrainError::Exists`] or [`TrainError::Finished`] if the folder holds another run.
    pub(super) fn check_free(&self) -> Result<(), TrainError> {
        if let Some(&step) = checkpoint::steps(&self.path).last() {
            let folder = self.path.clone();
            return Err(TrainError::Exists { folder, step });
        }
        match self.model().exists() {
            true => Err(TrainError::Finished {
                model: self.model(),
            }),
            false => Ok(()),
        }
    }

    /// Removes the temporary files of killed writes.
    pub(super) fn remove_leftovers(&self) -> Result<(), TrainError> {
        let evaluations = self.file(evaluated::FOLDER);
        for folder in [&self.path, &checkpoint::folder(&self.path), &evaluations] {
            remove_leftovers(folder).map_err(TrainError::file(folder))?;
        }
        Ok(())
    }

    /// Prepares the folder for a new run: writes the plan and empty metrics, and removes the files to
    /// which lines are appended.
    pub(super) fn begin(&self, plan: &Plan) -> Result<(), TrainError> {
        self.write("plan.toml", &plan.to_toml())?;
        self.write("metrics.jsonl", "")?;
        if !self.writes {
            return Ok(());
        }
        for name in ["changes.jsonl", "times.jsonl"] {
            let path = self.file(name);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(TrainError::file(&path)(error));
                }
                _ => {}
            }
        }
        let evaluations = self.file(evaluated::FOLDER);
        match fs::remove_dir_all(&evaluations) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(TrainError::file(&evaluations)(error))
            }
            _ => Ok(()),
        }
    }

    /// Writes a small file, which is complete or unchanged at any moment.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<(), TrainError> {
        if !self.writes {
            return Ok(());
        }
        let path = self.file(name);
        let written = path.parent().map_or(Ok(()), fs::create_dir_all);
        let written = written.and_then(|()| write_file(&path, text.as_bytes()));
        written.map_err(TrainError::file(&path))
    }

    /// Reads a small file.
    pub(super) fn read(&self, name: &str) -> Result<String, TrainError> {
        let path = self.file(name);
        fs::read_to_string(&path).map_err(TrainError::file(&path))
    }

    /// Appends lines to a file.
    pub(super) fn append(&self, name: &str, lines: &str) -> Result<(), TrainError> {
        if !self.writes {
            return Ok(());
        }
        let path = self.file(name);
        let mut options = OpenOptions::new();
        let opened = options.append(true).create(true).open(&path);
        let written = opened.and_then(|mut file| file.write_all(lines.as_bytes()));
        written.map_err(TrainError::file(&path))
    }

    /// Appends a line to the metrics.
    pub(super) fn log(&self, record: &MetricsLine) -> Result<(), TrainError> {
        self.append("metrics.jsonl", &line(record))
    }

    /// The lines of the metrics, as text and as records. A line that a killed process did not complete is
    /// left out.
    fn lines(&self) -> Result<Vec<(String, MetricsLine)>, TrainError> {
        let text = match self.read("metrics.jsonl") {
            Err(TrainError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                String::new()
            }
            text => text?,
        };
        let complete = |text: &str| Some((format!("{text}\n"), serde_json::from_str(text).ok()?));
        Ok(text.lines().filter_map(complete).collect())
    }

    /// The records in the metrics so far.
    pub(super) fn records(&self) -> Result<Vec<MetricsLine>, TrainError> {
        let lines = self.lines()?.into_iter();
        Ok(lines.map(|(_, record)| record).collect())
    }

    /// Removes the lines of the metrics after `step`, and adds `unwritten`, a line that could not be written
    /// when its step ended.
    pub(super) fn rewind(
        &self,
        step: usize,
        unwritten: Option<&MetricsLine>,
    ) -> Result<(), TrainError> {
        let mut lines = self.lines()?;
        lines.retain(|(_, record)| record.step() <= step);
        if let Some(record) = unwritten
            && !lines.iter().any(|(_, other)| other == record)
        {
            lines.push((line(record), record.clone()));
        }
        let text: String = lines.into_iter().map(|(text, _)| text).collect();
        self.write("metrics.jsonl", &text)
    }
}

fn line(record: &MetricsLine) -> String {
    let text = serde_json::to_string(record).expect("a record consists of numbers with names");
    format!("{text}\n")
}
