//! When the lines of the metrics were written. In: a run's folder, and wall times of an earlier event file. Out: a
//! wall time for each line.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use serde_json::Value;

use super::line::Line;
use crate::error::TrainError;

/// How long the steps of a run took, and when the last of them ended.
#[derive(Clone, Debug, Default)]
pub(crate) struct StepTimes {
    /// Seconds by the step of the line.
    seconds: BTreeMap<i64, f64>,
    /// Wall time of the end of the last step, seconds since 1970.
    end: f64,
}

impl StepTimes {
    /// The times in a run's folder: the lines of `times.jsonl`, and the time at which it was last written. A run without
    /// this file has only the time at which its metrics were last written.
    ///
    /// A line that cannot be read is left out, and of two lines of one step the last one counts.
    pub(crate) fn of_run(run: &Path) -> Result<Self, TrainError> {
        let mut path = run.join("times.jsonl");
        let text = match text_of(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                path = run.join("metrics.jsonl");
                String::new()
            }
            text => text.map_err(TrainError::file(&path))?,
        };
        let modified = fs::metadata(&path).and_then(|metadata| metadata.modified());
        let line = |line: &str| {
            let line: Value = serde_json::from_str(line).ok()?;
            let seconds = line["seconds"].as_f64()?;
            Some((line["step"].as_i64()?, seconds))
        };
        Ok(Self {
            seconds: text.lines().filter_map(line).collect(),
            end: seconds(modified.map_err(TrainError::file(&path))?),
        })
    }

    /// A wall time for each line. If `known` does not have it, it follows from that of the next line.
    pub(super) fn of_lines(&self, lines: &[Line], known: &BTreeMap<(i64, bool), f64>) -> Vec<f64> {
        let mut next = self.end;
        let time = |line: &Line| {
            let time = *known.get(&(line.step, line.is_evaluation)).unwrap_or(&next);
            let seconds = self.seconds.get(&line.step).filter(|_| !line.is_evaluation);
            next = time - seconds.unwrap_or(&0.0);
            time
        };
        let mut times: Vec<f64> = lines.iter().rev().map(time).collect();
        times.reverse();
        times
    }
}

/// A time as event files have it: seconds since 1970.
pub(super) fn seconds(time: SystemTime) -> f64 {
    time.duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0.0, |duration| duration.as_secs_f64())
}

/// The text of a file. A byte that is not UTF-8 damages its line only.
pub(super) fn text_of(path: &Path) -> io::Result<String> {
    Ok(String::from_utf8_lossy(&fs::read(path)?).into_owned())
}
