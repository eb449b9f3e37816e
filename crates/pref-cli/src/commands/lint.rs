//! `pref lint`: finds problems in pairs or single answers. In: files, and a tokenizer if tokens are
//! checked. Out: one line for each problem, a summary, and exit code 1 if a problem is an error.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use pref_data::{
    Fault, Finding, Linter, Place, ReadError, Severity, TokenLint, TokenizeError, TokenizeOptions,
    TokenizeReport, Tokenizer, lint_report,
};
use serde_json::json;

use crate::model::model_folder;
use crate::rows::{ReadArgs, Rows, TokenArgs, TokenRows};

/// Find problems in pairs before you train on them
///
/// Exit code 1 if there is an error, or, with --strict, an error or a warning.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Files of pairs or single answers (JSON Lines, JSON, CSV, Parquet, Arrow), folders, patterns, hub:OWNER/NAME, or - for stdin
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// File of evaluation pairs; a prompt that is also in the training pairs is reported
    #[arg(long, value_name = "FILE")]
    eval: Option<PathBuf>,
    /// Folder of a model, to check the tokens as well
    #[arg(long, value_name = "FOLDER")]
    model: Option<PathBuf>,
    /// Most tokens of prompt and answer together; longer rows are reported
    #[arg(long, value_name = "N", default_value_t = 1024)]
    max_length: usize,
    /// Exit with code 1 for warnings as well
    #[arg(long)]
    strict: bool,
    /// Print one JSON object for each problem
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    tokens: TokenArgs,
    #[command(flatten)]
    read: ReadArgs,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let options = TokenizeOptions {
        skip_bad_rows: true,
        ..args.tokens.options()
    };
    let tokens = args.model.as_deref();
    let mut tokens = tokens
        .map(|model| Tokens::new(model, options, args.max_length))
        .transpose()?;
    let unread = |error: &ReadError| bad_row(error.row(), error);
    let mut linter = Linter::default();
    let (mut found, mut n_rows, mut noun) = (Vec::new(), 0, "pairs");
    let rejects = args.read.each_usable(&args.files, |rows| {
        n_rows += rows.len();
        noun = rows.noun();
        found.extend(match &rows {
            Rows::Pairs(pairs) => linter.pairs(pairs),
            Rows::Examples(examples) => linter.examples(examples),
        });
        if let Some(tokens) = &mut tokens {
            found.extend(tokens.lint(&rows)?);
        }
        Ok(())
    })?;
    found.extend(rejects.iter().map(unread));
    found.extend(linter.findings_of_set());
    found.extend(tokens.iter().flat_map(|tokens| lint_report(&tokens.report)));
    if let Some(eval) = &args.eval {
        let rejects = args.read.each_usable(std::slice::from_ref(eval), |rows| {
            let prompts = rows.prompts().into_iter();
            found.extend(prompts.filter_map(|(prompt, place)| linter.overlap(prompt, place)));
            Ok(())
        })?;
        found.extend(rejects.iter().map(unread));
    }
    // Sorted by file and line; problems of the whole set come last.
    found.sort_by(|a, b| {
        let key = |f: &Finding| (f.place.is_none(), f.place.clone(), f.fault);
        key(a).cmp(&key(b))
    });

    let mut stdout = std::io::stdout().lock();
    let mut counts: BTreeMap<Fault, usize> = BTreeMap::new();
    for finding in &found {
        *counts.entry(finding.fault).or_default() += 1;
        let severity = finding.fault.severity();
        if args.json {
            let place = finding.place.as_ref();
            let file = place.and_then(|place| place.file.as_deref());
            let line = json!({"file": file.unwrap_or(&args.files[0]), "line": place.map(|p| p.line),
                "fault": finding.fault, "severity": severity, "message": finding.message});
            writeln!(stdout, "{line}")?;
            continue;
        }
        let place = match &finding.place {
            Some(place) => place.to_string(),
            None => args.files[0].display().to_string(),
        };
        writeln!(stdout, "{place}: {}: {}", finding.fault, finding.message)?;
    }
    if !args.json {
        if !found.is_empty() {
            writeln!(stdout)?;
        }
        writeln!(stdout, "{n_rows} {noun}, {} findings", found.len())?;
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

/// Checks the tokens of rows.
struct Tokens {
    tokenizer: Tokenizer,
    options: TokenizeOptions,
    lint: TokenLint,
    /// The report on all rows so far.
    report: TokenizeReport,
}

impl Tokens {
    fn new(model: &Path, options: TokenizeOptions, max_length: usize) -> Result<Self> {
        let tokenizer = Tokenizer::from_folder(&model_folder(model)?)?;
        Ok(Self {
            lint: TokenLint {
                bos_id: tokenizer.bos_id(),
                eos_id: tokenizer.eos_id(),
                max_length,
            },
            tokenizer,
            options,
            report: TokenizeReport::default(),
        })
    }

    fn lint(&mut self, rows: &Rows) -> Result<Vec<Finding>> {
        let (report, rejects, findings) = match rows.tokens(&self.tokenizer, &self.options)? {
            TokenRows::Pairs(all) => (all.report, all.rejects, self.lint.pairs(&all.rows)),
            TokenRows::Examples(all) => (all.report, all.rejects, self.lint.examples(&all.rows)),
        };
        self.report.extend(report);
        let unusable = |error: &TokenizeError| bad_row(error.row().cloned(), error);
        let mut found: Vec<Finding> = rejects.iter().map(unusable).collect();
        found.extend(findings);
        Ok(found)
    }
}

/// The finding for a row that cannot be used. The error's text begins with the row's place. It is removed,
/// because every line of the output begins with a place.
fn bad_row(place: Option<Place>, error: &dyn std::error::Error) -> Finding {
    let text = error.to_string();
    let behind = place
        .as_ref()
        .and_then(|p| text.strip_prefix(&p.to_string()));
    let message = match behind.map(|rest| rest.strip_prefix(": ").ok_or(rest)) {
        Some(Ok(message)) => message.to_owned(),
        // An error of JSON has a column after the line.
        Some(Err(rest)) => format!("column {}", rest.trim_start_matches(':')),
        None => text,
    };
    Finding {
        place,
        fault: Fault::BadRow,
        message,
    }
}
