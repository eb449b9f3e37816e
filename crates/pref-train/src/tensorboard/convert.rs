//! An event file of a run that was made without one. In: the run's folder. Out: an event file in another folder.

use std::path::{Path, PathBuf};

use super::file::{EventFile, EventFolder};
use super::line::Line;
use super::times::{StepTimes, text_of};
use crate::error::TrainError;

/// An event file that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventFileSummary {
    /// The file.
    pub path: PathBuf,
    /// Number of lines of the metrics that it has.
    pub lines: usize,
    /// Number of lines that were left out, because they are damaged or not complete.
    pub damaged: usize,
}

/// Writes the metrics of a run as an event file that TensorBoard opens. The run may be finished, stopped or going on.
///
/// Every number of a line of `metrics.jsonl` becomes a point, in float32. Its step is the number of optimiser steps, and
/// its name is the one that `transformers` gives it: `train/loss`, or `eval/loss` for `eval_loss`. The wall times follow
/// from `times.jsonl` and the time at which it was last written.
///
/// `folder` is created if it does not exist. An event file that was written there from the same run is emptied, and
/// removed the next time; other files stay.
///
/// # Errors
/// [`TrainError::File`] if the metrics cannot be read, or the event file cannot be written.
pub fn write_event_file(run: &Path, folder: &Path) -> Result<EventFileSummary, TrainError> {
    let path = run.join("metrics.jsonl");
    let text = text_of(&path).map_err(TrainError::file(&path))?;
    let texts = text.lines().filter(|line| !line.trim().is_empty());
    let all: Vec<Option<Line>> = texts.map(Line::read).collect();
    let n_all = all.len();
    let lines: Vec<Line> = all.into_iter().flatten().collect();
    let times = StepTimes::of_run(run)?;
    let written = EventFile::write(&EventFolder::outside(folder, run), &lines, &times);
    let file = written.map_err(TrainError::file(folder))?;
    Ok(EventFileSummary {
        path: file.path().to_owned(),
        lines: lines.len(),
        damaged: n_all - lines.len(),
    })
}
