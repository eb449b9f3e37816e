//! `pref lint`: what is wrong with a set of pairs. In: pairs, and a tokenizer if there is one.
//! Out: one line a finding, a summary, and exit code 1 where an error was found.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, anyhow};
use pref_data::{
    Fault, Finding, Severity, TokenLint, TokenizeOptions, Tokenizer, lint_overlap, lint_pairs,
    tokenize,
};
use serde_json::json;

use crate::pairs::ReadArgs;

/// Find what is wrong with a set of pairs before money is spent on it
///
/// Exit code 1 if a finding is an error, or with --strict a warning.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Pairs: JSON Lines, JSON, CSV or Parquet, a folder of them or a pattern
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Evaluation pairs, which the training pairs should not hold
    #[arg(long, value_name = "FILE")]
    eval: Option<PathBuf>,
    /// Folder of a model, to look at tokens as well
    #[arg(long, value_name = "FOLDER")]
    model: Option<PathBuf>,
    /// Tokens of prompt and answer together that fit
    #[arg(long, value_name = "N", default_value_t = 1024)]
    max_length: usize,
    /// Warnings fail as well
    #[arg(long)]
    strict: bool,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    read: ReadArgs,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let read = args.read.read(&args.file)?;
    let mut found: Vec<(&PathBuf, Finding)> = Vec::new();
    let file = &args.file;
    found.extend(lint_pairs(&read.rows).into_iter().map(|f| (file, f)));
    if let Some(eval) = &args.eval {
        let eval_pairs = args.read.read(eval)?.rows;
        let overlap = lint_overlap(&read.rows, &eval_pairs);
        found.extend(overlap.into_iter().map(|f| (eval, f)));
    }
    if let Some(model) = &args.model {
        let tokenizer = Tokenizer::from_folder(model)?;
        let tokenized = tokenize(&read.rows, &tokenizer, &TokenizeOptions::default());
        let tokenized = tokenized.map_err(|e| anyhow!("{}: {e}", file.display()))?;
        let boundary = tokenized.report.boundary_mismatches.iter().map(|&line| Finding {
            line: Some(line),
            fault: Fault::Boundary,
            message: "prompt and answer share a token: the tokens of both do not begin with the prompt's".to_owned(),
        });
        let lint = TokenLint {
            bos_id: tokenizer.bos_id(),
            eos_id: tokenizer.eos_id(),
            max_length: args.max_length,
        };
        let all = boundary.chain(lint.findings(&tokenized.rows));
        found.extend(all.map(|f| (file, f)));
    }
    // by file and line, what is true of the whole set last
    found.sort_by_key(|(path, f)| ((*path).clone(), f.line.unwrap_or(usize::MAX), f.fault));

    let mut stdout = std::io::stdout().lock();
    let mut counts: BTreeMap<Fault, usize> = BTreeMap::new();
    for (path, finding) in &found {
        *counts.entry(finding.fault).or_default() += 1;
        let severity = finding.fault.severity();
        if args.json {
            let line = json!({"file": path, "line": finding.line, "fault": finding.fault,
                "severity": severity, "message": finding.message});
            writeln!(stdout, "{line}")?;
            continue;
        }
        let place = match finding.line {
            Some(line) => format!("{}:{line}", path.display()),
            None => path.display().to_string(),
        };
        writeln!(stdout, "{place}: {}: {}", finding.fault, finding.message)?;
    }
    if !args.json {
        if !found.is_empty() {
            writeln!(stdout)?;
        }
        writeln!(
            stdout,
            "{} pairs, {} findings",
            read.rows.len(),
            found.len()
        )?;
        for (fault, n) in &counts {
            let severity = match fault.severity() {
                Severity::Error => "error",
                Severity::Warning => "warning",
                Severity::Hint => "hint",
            };
            writeln!(stdout, "{n:>8}  {:<18}{severity}", fault.name())?;
        }
    }
    let worst = counts.keys().map(|fault| fault.severity()).max();
    let fails = match args.strict {
        true => worst >= Some(Severity::Warning),
        false => worst == Some(Severity::Error),
    };
    Ok(if fails {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}
