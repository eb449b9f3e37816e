//! The event file of a run in progress. In: lines of the metrics. Out: TensorBoard's event file, if the plan asks for it.

use super::folder::Folder;
use crate::error::TrainError;
use crate::metrics::MetricsLine;
use crate::plan::{OutputPlan, ReportTo};
use crate::tensorboard::{EventFile, EventFolder, Line, StepTimes};

/// Where the lines of the metrics go besides `metrics.jsonl`.
#[derive(Debug, Default)]
pub(super) struct Events {
    /// `None` if the plan asks for no event file, or if the file could not be written.
    file: Option<EventFile>,
}

impl Events {
    /// Begins the event file of a new run. Those of an earlier run in the folder are removed.
    pub(super) fn begin(plan: &OutputPlan, folder: &Folder) -> Result<Self, TrainError> {
        if folder.writes() {
            let within = EventFolder::within(folder.path());
            let cleared = within.clear();
            cleared.map_err(TrainError::file(within.path()))?;
        }
        Self::resume(plan, folder)
    }

    /// Writes an event file with the lines that the metrics have.
    pub(super) fn resume(plan: &OutputPlan, folder: &Folder) -> Result<Self, TrainError> {
        if !folder.writes() || plan.report_to == ReportTo::None {
            return Ok(Self::default());
        }
        let place = match &plan.tensorboard_folder {
            Some(path) => EventFolder::outside(path, folder.path()),
            None => EventFolder::within(folder.path()),
        };
        let records = folder.records()?;
        let lines: Vec<Line> = records.iter().filter_map(Line::of).collect();
        let times = StepTimes::of_run(folder.path())?;
        let file = EventFile::write(&place, &lines, &times);
        let file = file.map_err(TrainError::file(place.path()))?;
        Ok(Self { file: Some(file) })
    }

    /// Appends a line of the metrics.
    ///
    /// # Errors
    /// The error of the first line that cannot be written. Later lines are left out, because a part of a line would
    /// hide them.
    pub(super) fn log(&mut self, record: &MetricsLine) -> Result<(), TrainError> {
        let (Some(file), Some(line)) = (&self.file, Line::of(record)) else {
            return Ok(());
        };
        let appended = file.append(&line).map_err(TrainError::file(file.path()));
        if appended.is_err() {
            self.file = None;
        }
        appended
    }
}
