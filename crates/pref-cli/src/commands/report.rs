//! `pref report`: makes a page about runs. In: folders of runs. Out: one HTML file with curves, plans, evaluations, pairs
//! by token, and tables of pairs and samples; or TensorBoard's event files.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use crate::device::DeviceArgs;
use crate::progress;
use crate::report::{Contents, report_of, write_event_files, write_page};

/// Make a page about runs: curves, plans, evaluations, pairs by token, samples
///
/// The page is one HTML file that needs no other file. It is the same, to the byte, for the same runs. A run that is
/// not finished, or that was stopped, has a page as well.
///
/// With `--tensorboard FOLDER`, event files that TensorBoard opens are written in place of the page.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Folders of runs, which `pref train`, `sft` or `reward-model train` wrote
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<PathBuf>,
    /// The page; by default report.html in the folder of the first run
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Held-out pairs that are shown by token; 0 for none. 8 by default, if the run is finished and has such pairs
    #[arg(long, value_name = "N")]
    tokens: Option<usize>,
    /// Rows of the data and of the samples that the page shows
    #[arg(long, value_name = "N", default_value_t = 8)]
    rows: usize,
    /// Files of samples to show, as `pref sample` or `pref check` writes them; those in the runs' folders are shown anyway
    #[arg(long, value_name = "FILE")]
    samples: Vec<PathBuf>,
    /// Write the metrics of each run as an event file for TensorBoard, into a folder with the run's name in FOLDER, and
    /// make no page
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["output", "tokens", "rows", "samples"])]
    tensorboard: Option<PathBuf>,
    #[command(flatten)]
    device: DeviceArgs,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    if let Some(folder) = &args.tensorboard {
        write_event_files(&args.runs, folder)?;
        return Ok(ExitCode::SUCCESS);
    }
    let contents = Contents {
        tokens: args.tokens,
        rows: args.rows,
        samples: &args.samples,
        device: args.device.device,
    };
    let output = match &args.output {
        Some(path) => path.clone(),
        None => args.runs[0].join("report.html"),
    };
    let report = report_of(&args.runs, &contents)?;
    write_page(&report, &output)?;
    progress::note(&format!("{}: written", output.display()));
    Ok(ExitCode::SUCCESS)
}
