//! How a run of training ended. In: the outcome. Out: a report on stdout, and the exit code.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use pref_train::{Means, Outcome, Ranks};
use serde_json::json;

use crate::command_line::results;
use crate::signals::INTERRUPTED;

/// Prints how a run ended, as text or as one JSON line. Rank 0 prints it.
pub(crate) fn report(outcome: &Outcome, json: bool, ranks: &dyn Ranks) -> Result<ExitCode> {
    let mut out: Box<dyn Write> = match ranks.is_first() {
        true => results(),
        false => Box::new(std::io::sink()),
    };
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

fn write_table(out: &mut impl Write, before: &Means, after: &Means) -> Result<()> {
    let noun = match after {
        Means::Tokens(_) => "held-out answers",
        Means::Pairs(_) | Means::Rewards(_) | Means::Segments(_) => "held-out pairs",
    };
    writeln!(out, "{noun:<22} {:>10} {:>10}", "before", "after")?;
    for ((name, before), (_, after)) in lines(before).into_iter().zip(lines(after)) {
        writeln!(out, "{name:<22} {before:>10.4} {after:>10.4}")?;
    }
    Ok(())
}

/// The means that the table shows, with their names.
fn lines(means: &Means) -> Vec<(&'static str, f64)> {
    match means {
        Means::Pairs(means) => vec![
            ("loss", means.loss),
            ("reward accuracy", means.accuracies),
            ("reward margin", means.margins),
            ("log-prob of chosen", means.chosen_logps),
            ("log-prob of rejected", means.rejected_logps),
        ],
        Means::Tokens(means) => vec![
            ("loss", means.loss),
            ("token accuracy", means.mean_token_accuracy),
        ],
        Means::Rewards(means) => vec![
            ("loss", means.loss),
            ("accuracy", means.accuracy),
            ("margin", means.margin),
            ("mean reward", means.mean_reward),
        ],
        Means::Segments(means) => vec![
            ("loss", means.loss),
            ("accuracy", means.accuracy),
            ("helpfulness", means.helpfulness),
            ("correctness", means.correctness),
            ("safety", means.safety),
            ("completeness", means.completeness),
            ("clarity", means.clarity),
        ],
    }
}
