//! Event files of runs. In: folders of runs. Out: a folder for each run, with a file that TensorBoard opens.

use std::path::{Component, Path, PathBuf};

use anyhow::Result;
use pref_train::{EventFileSummary, write_event_file};

use super::paths::{check_run, names};
use crate::progress;

/// Writes the metrics of each run as an event file, into a folder with the run's name in `folder`.
pub(crate) fn write_event_files(runs: &[PathBuf], folder: &Path) -> Result<()> {
    runs.iter().try_for_each(|run| check_run(run))?;
    for (run, name) in runs.iter().zip(names(runs)) {
        // The name may be a whole path, which the folder must not be replaced by.
        let components = Path::new(&name).components();
        let name: PathBuf = components
            .filter(|part| matches!(part, Component::Normal(_)))
            .collect();
        let EventFileSummary {
            path,
            lines,
            damaged,
        } = write_event_file(run, &folder.join(name))?;
        if damaged > 0 {
            let run = run.display();
            progress::note(&format!(
                "{run}: lines of metrics.jsonl that are damaged or not complete and are left out: {damaged}"
            ));
        }
        let path = path.display();
        progress::note(&format!("{path}: written, lines of metrics: {lines}"));
    }
    Ok(())
}
