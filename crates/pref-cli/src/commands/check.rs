//! `pref check`: checks final answers. In: rows with a response and an expected answer. Out: the same rows with the
//! extracted answer and a verdict, and the share that is right.

mod program;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use pref_data::{SourceRow, read_rows};
use pref_eval::{Extraction, Verdict, compare_answers, expected_answer, wilson};
use rayon::prelude::*;
use serde_json::{Map, Value, json};

use crate::command_line::results;
use crate::progress::Counter;
use crate::rows::{Fields, Output, answer_text, parse_field, response_text};
use program::Program;

/// Check the final answers of responses against expected answers
///
/// Rows have `response` (or `completion`: a text or a list of messages) and `answer`. They are written with
/// `extracted`, `verdict` (equal, different or unknown) and `is_correct`, which is true if the verdict is equal.
/// Other fields are kept. Prints how many are right, with a 95 % interval.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Files of rows (JSON Lines, JSON, CSV, Parquet, Arrow), folders, patterns, hub:OWNER/NAME, or - for stdin
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// How the final answer of a response is found: auto, gsm8k (after ####), boxed, number (the last one), regex:EXPRESSION (the first group of its last match), or command:PROGRAM, which gives verdicts itself
    #[arg(long, value_name = "HOW", default_value = "auto", value_parser = parse_checker)]
    answers: Checker,
    /// The file's own name for a field, such as answer=solution; may be repeated
    #[arg(long = "column", value_name = "FIELD=NAME", value_parser = parse_field)]
    columns: Vec<(String, String)>,
    /// Output file of the checked rows; the ending of its name says the format. Without it only the summary is printed
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Output file of the responses that are right, as rows with prompt and completion for `pref sft`
    #[arg(long, value_name = "FILE")]
    right: Option<PathBuf>,
    /// Output file of the responses that are different, as rows with prompt and completion
    #[arg(long, value_name = "FILE")]
    wrong: Option<PathBuf>,
    /// Seconds that a program of command: may take for a row
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0)]
    time_limit: f64,
    /// Print the summary as one JSON object
    #[arg(long)]
    json: bool,
}

/// What gives verdicts.
#[derive(Clone, Debug)]
enum Checker {
    Extraction(Extraction),
    /// A program and its arguments.
    Command(Vec<String>),
}

fn parse_checker(text: &str) -> Result<Checker, String> {
    let Some(command) = text.strip_prefix("command:") else {
        return text.parse().map(Checker::Extraction).map_err(
            |error: pref_eval::ExtractionError| {
                let text = error.to_string();
                match std::error::Error::source(&error) {
                    Some(source) => format!("{text}: {source}"),
                    None => format!("{text}, or command:PROGRAM"),
                }
            },
        );
    };
    let words: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
    match words.is_empty() {
        true => Err("command: needs a program, such as command:./check".to_owned()),
        false => Ok(Checker::Command(words)),
    }
}

/// Rows that are checked together.
const CHUNK: usize = 1_024;

/// The result for a row.
struct Checked {
    extracted: Option<String>,
    verdict: Verdict,
    /// Why a program gave no verdict.
    failure: Option<String>,
}

/// A row with its texts.
struct Row {
    place: String,
    object: Map<String, Value>,
    response: String,
    answer: String,
}

#[derive(Default)]
struct Summary {
    n_rows: usize,
    n_equal: usize,
    n_unknown: usize,
    n_failures: usize,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    ensure!(
        args.time_limit > 0.0 && args.time_limit <= 86_400.0,
        "--time-limit must be above 0 and at most 86400 seconds, found {}",
        args.time_limit
    );
    let known = ["prompt", "question", "response", "completion", "answer"];
    let fields = Fields::new(&args.columns, &known)?;
    let mut program = match &args.answers {
        Checker::Extraction(_) => None,
        Checker::Command(words) => {
            let limit = Duration::from_secs_f64(args.time_limit);
            Some(Program::start(words, limit)?)
        }
    };
    let mut output = match &args.output {
        Some(path) => Some(Output::new(Some(path), &args.files)?),
        None => None,
    };
    let mut sorted = Sorted::open(args)?;
    let mut summary = Summary::default();
    let mut counter = Counter::new("rows");
    let mut check = |rows: Vec<Row>| -> Result<()> {
        let results: Vec<Checked> = match (&args.answers, &mut program) {
            (Checker::Extraction(how), _) => {
                rows.par_iter().map(|row| check_row(row, how)).collect()
            }
            (Checker::Command(_), Some(program)) => {
                let ask = |row: &Row| match program.ask(&row.response, &row.answer) {
                    Ok(reply) => Checked {
                        extracted: reply.extracted,
                        verdict: reply.verdict,
                        failure: None,
                    },
                    Err(failure) => Checked {
                        extracted: None,
                        verdict: Verdict::Unknown,
                        failure: Some(failure.to_string()),
                    },
                };
                rows.iter().map(ask).collect()
            }
            (Checker::Command(_), None) => Vec::new(),
        };
        counter.add(rows.len());
        for (row, result) in rows.into_iter().zip(results) {
            summary.add(&result);
            sorted.write(&row, result.verdict, &fields)?;
            if let Some(output) = &mut output {
                output.write(&Value::Object(with_result(row.object, result)))?;
            }
        }
        Ok(())
    };
    let mut rows = Vec::new();
    for file in &args.files {
        for row in read_rows(file)? {
            rows.push(texts(row?, &fields)?);
            if rows.len() == CHUNK {
                check(std::mem::take(&mut rows))?;
            }
        }
    }
    check(rows)?;
    ensure!(
        summary.n_rows > 0,
        "no rows in the files; give rows with `response` and `answer`"
    );
    if let Some(output) = output {
        output.finish("rows")?;
    }
    sorted.finish()?;
    summary.print(args.json)?;
    Ok(ExitCode::SUCCESS)
}

/// Files of right and of wrong responses.
struct Sorted {
    right: Option<Output>,
    wrong: Option<Output>,
}

impl Sorted {
    fn open(args: &Args) -> Result<Self> {
        let open = |path: &Option<PathBuf>| -> Result<Option<Output>> {
            let output = path.as_ref();
            output
                .map(|path| Output::new(Some(path), &args.files))
                .transpose()
        };
        Ok(Self {
            right: open(&args.right)?,
            wrong: open(&args.wrong)?,
        })
    }

    /// Writes the row to the file of its verdict, if there is one.
    fn write(&mut self, row: &Row, verdict: Verdict, fields: &Fields) -> Result<()> {
        let output = match verdict {
            Verdict::Equal => &mut self.right,
            Verdict::Different => &mut self.wrong,
            Verdict::Unknown => return Ok(()),
        };
        let Some(output) = output else {
            return Ok(());
        };
        let prompt = fields.first(&row.object, &["prompt", "question"]);
        let (_, prompt) = prompt.with_context(|| row.place.clone())?;
        let completion = match prompt {
            Value::Array(_) => json!([{"role": "assistant", "content": row.response}]),
            _ => json!(row.response),
        };
        output.write(&json!({"prompt": prompt, "completion": completion}))
    }

    fn finish(self) -> Result<()> {
        if let Some(right) = self.right {
            right.finish("right responses")?;
        }
        if let Some(wrong) = self.wrong {
            wrong.finish("wrong responses")?;
        }
        Ok(())
    }
}

fn texts(row: SourceRow, fields: &Fields) -> Result<Row> {
    let place = format!("{}:{}", row.path.display(), row.line);
    let response = response_text(&row.object, fields).with_context(|| place.clone())?;
    let answer = answer_text(&row.object, fields).with_context(|| place.clone())?;
    Ok(Row {
        place,
        object: row.object,
        response,
        answer,
    })
}

fn check_row(row: &Row, how: &Extraction) -> Checked {
    let extracted = how.extract(&row.response).map(str::to_owned);
    let verdict = match &extracted {
        Some(found) => compare_answers(expected_answer(&row.answer), found),
        None => Verdict::Unknown,
    };
    Checked {
        extracted,
        verdict,
        failure: None,
    }
}

fn with_result(mut object: Map<String, Value>, result: Checked) -> Map<String, Value> {
    object.insert("extracted".to_owned(), json!(result.extracted));
    object.insert("verdict".to_owned(), json!(result.verdict));
    object.insert(
        "is_correct".to_owned(),
        json!(result.verdict == Verdict::Equal),
    );
    // A row of an earlier check may have one.
    object.remove("check_error");
    if let Some(failure) = result.failure {
        object.insert("check_error".to_owned(), json!(failure));
    }
    object
}

impl Summary {
    fn add(&mut self, result: &Checked) {
        self.n_rows += 1;
        self.n_equal += usize::from(result.verdict == Verdict::Equal);
        self.n_unknown += usize::from(result.verdict == Verdict::Unknown);
        self.n_failures += usize::from(result.failure.is_some());
    }

    fn print(&self, as_json: bool) -> Result<()> {
        use std::io::Write;

        let right = wilson(self.n_equal, self.n_rows);
        let different = self.n_rows - self.n_equal - self.n_unknown;
        let mut stdout = results();
        if as_json {
            let summary = json!({
                "rows": self.n_rows,
                "equal": self.n_equal,
                "different": different,
                "unknown": self.n_unknown,
                "failures": self.n_failures,
                "share": right.share,
                "low": right.low,
                "high": right.high,
            });
            writeln!(stdout, "{summary}")?;
            return Ok(());
        }
        writeln!(
            stdout,
            "right: {} of {} rows, {:.4} (95 % interval {:.4} to {:.4})",
            self.n_equal, self.n_rows, right.share, right.low, right.high
        )?;
        writeln!(
            stdout,
            "different: {different}, unknown: {}",
            self.n_unknown
        )?;
        if self.n_failures > 0 {
            writeln!(
                stdout,
                "the program failed for {} of the unknown rows; their field check_error says why",
                self.n_failures
            )?;
        }
        Ok(())
    }
}
