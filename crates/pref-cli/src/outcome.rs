//! How a run of training ended. In: the outcome. Out: a report on stdout, and the exit code.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use pref_train::{Outcome, PairMeans};
use serde_json::json;

use crate::signals::INTERRUPTED;

/// Prints how a run ended, as text or as one JSON line.
pub(crate) fn report(outcome: &Outcome, json: bool) -> Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    match outcome {
        Outcome::Finished {
            model,
            steps,
            before,
            after,
        } => {
            if json {
                let line = json!({
                    "model": model, "steps": steps, "before": before, "after": after,
                });
                writeln!(out, "{line}")?;
            } else {
                if let (Some(before), Some(after)) = (before, after) {
                    write_table(&mut out, before, after)?;
                }
                writeln!(out, "{steps} steps, model in {}", model.display())?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Outcome::Interrupted { step, checkpoint } => {
            if json {
                let line = json!({"interrupted": true, "step": step, "checkpoint": checkpoint});
                writeln!(out, "{line}")?;
            } else {
                writeln!(
                    out,
                    "stopped after step {step}; the checkpoint is {}; continue with --resume",
                    checkpoint.display()
                )?;
            }
            Ok(ExitCode::from(INTERRUPTED))
        }
        Outcome::Unstarted { scored, of } => {
            if json {
                let line = json!({"interrupted": true, "scored": scored, "pairs": of});
                writeln!(out, "{line}")?;
            } else {
                writeln!(
                    out,
                    "stopped before the first step; the reference scored {scored} of {of} rows; run the same command again to continue"
                )?;
            }
            Ok(ExitCode::from(INTERRUPTED))
        }
    }
}

fn write_table(out: &mut impl Write, before: &PairMeans, after: &PairMeans) -> Result<()> {
    writeln!(
        out,
        "{:<22} {:>10} {:>10}",
        "held-out pairs", "before", "after"
    )?;
    for (name, before, after) in [
        ("loss", before.loss, after.loss),
        ("reward accuracy", before.accuracies, after.accuracies),
        ("reward margin", before.margins, after.margins),
        (
            "log-prob of chosen",
            before.chosen_logps,
            after.chosen_logps,
        ),
        (
            "log-prob of rejected",
            before.rejected_logps,
            after.rejected_logps,
        ),
    ] {
        writeln!(out, "{name:<22} {before:>10.4} {after:>10.4}")?;
    }
    Ok(())
}
