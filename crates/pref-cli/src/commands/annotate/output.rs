//! The output of a job. In: a job in a store. Out: rows, and a report of what is missing.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use pref_annotate::{Export, ExportReport, Interval, Job, Store, WorkError};

use crate::command_line::results;
use crate::progress::note;
use crate::rows::Output;

/// Writes the rows of a job, and reports what they lack.
pub(crate) fn write(store: &Store, job: &Job, mut file: Output, json: bool) -> Result<ExitCode> {
    let export = Export::new(store, job)?;
    let mut failed = None;
    let report = export.each_row(|row| {
        if failed.is_none()
            && let Err(error) = file.write(row)
        {
            failed = Some(error);
        }
        Ok::<(), WorkError>(())
    })?;
    if let Some(error) = failed {
        return Err(error);
    }
    file.finish("rows")?;
    tell(&report, store);
    if json {
        writeln!(results(), "{}", serde_json::to_string(&report)?)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints a report on stderr.
fn tell(report: &ExportReport, store: &Store) {
    note(&format!(
        "{} of {} rows written",
        report.n_rows, report.n_items
    ));
    for (reason, n) in &report.dropped {
        note(&format!("{n} rows dropped: {reason}"));
    }
    let store = store.path().display();
    if report.n_open > 0 {
        note(&format!(
            "{} rows left out: a question is not answered yet",
            report.n_open
        ));
    }
    if report.n_failed > 0 {
        note(&format!(
            "{} rows left out: a question has failed; `pref annotate status --store {store}` lists why, `pref annotate retry` asks again",
            report.n_failed
        ));
    }
    for flip in &report.flips {
        note(&format!(
            "{}: the order of the answers decides in {} of the pairs, {} are ties; first minus second answer {:+.3}",
            flip.aspect,
            percent(&flip.flips),
            percent(&flip.ties),
            flip.first_minus_second
        ));
    }
    if let Some(distances) = &report.distances {
        note(&format!(
            "{} rewrites: mean edit distance {:.1} words before, {:.1} after; share of varied words {:.3} before, {:.3} after",
            distances.n,
            distances.mean_edits[0],
            distances.mean_edits[1],
            distances.before.varied,
            distances.after.varied
        ));
    }
    if report.models.len() > 1 {
        note("warning: the model or its fingerprint changed within this set:");
        for model in &report.models {
            note(&format!(
                "  {} replies of {} ({})",
                model.n,
                model.model.as_deref().unwrap_or("a model without a name"),
                model.fingerprint.as_deref().unwrap_or("no fingerprint")
            ));
        }
    }
}

/// A rate with its interval, such as `3.1 % [1.2, 7.0]`.
pub(super) fn percent(interval: &Interval) -> String {
    format!(
        "{:.1} % [{:.1}, {:.1}]",
        interval.rate * 100.0,
        interval.low * 100.0,
        interval.high * 100.0
    )
}
