//! `pref pairs`: makes pairs of samples. In: checked or scored responses that share prompts. Out: pairs for training,
//! and what they are like.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use pref_data::{SourceRow, read_rows};
use pref_eval::{Choice, NoPairs, PairOptions, Sample, choose_pairs};
use serde_json::{Map, Value, json};

use crate::command_line::results;
use crate::progress::Counter;
use crate::rows::{Fields, Output, parse_field, response_text};
use crate::thought::{EMPTY_THOUGHT, with_empty_thought};

/// Make pairs of responses to the same prompt, for training
///
/// Rows have `prompt` (or `question`), `response` (or `completion`), and `is_correct`, as `pref check` writes it, or
/// `score`. Rows with the same prompt are paired: one that is right, or has the larger score, with one that is wrong.
/// Rows whose verdict is unknown are left out. The pairs have `prompt`, `chosen` and `rejected`, and `answer` if the
/// rows have it.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Files of rows (JSON Lines, JSON, CSV, Parquet, Arrow), folders, patterns, hub:OWNER/NAME, or - for stdin
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Output file of the pairs; the ending of its name says the format
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    /// Which responses of a prompt are paired
    #[arg(long, value_name = "HOW", value_enum, default_value_t = How::Random)]
    choose: How,
    /// What says which response is better
    #[arg(long, value_name = "FIELD", value_enum, default_value_t = By::Auto)]
    by: By,
    /// Use only the samples with or without thinking, of `pref sample --thinking`; the pairs of both are data.train and data.empty of bvpo. Prompts of samples without thinking get an empty thought
    #[arg(long, value_name = "WHICH", value_enum)]
    thinking: Option<Thought>,
    /// Most pairs of a prompt; 1 by default, and no limit with --choose all
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    per_prompt: Option<u32>,
    /// Smallest difference of the scores of a pair
    #[arg(long, value_name = "X", default_value_t = 0.0)]
    min_difference: f64,
    /// Seed of the random choice
    #[arg(long, value_name = "N", default_value_t = 42)]
    seed: u64,
    /// The file's own name for a field, such as prompt=problem; may be repeated
    #[arg(long = "column", value_name = "FIELD=NAME", value_parser = parse_field)]
    columns: Vec<(String, String)>,
    /// Print the report as one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum How {
    /// A better and a worse one at random
    Random,
    /// The best and the worst one
    BestWorst,
    /// The better and the worse one that differ in the fewest words: hard negatives
    Nearest,
    /// Every better one with every worse one
    All,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum By {
    /// `is_correct` if the first row has it, otherwise `score`
    Auto,
    /// Right before wrong
    IsCorrect,
    /// A larger score before a smaller one
    Score,
}

/// Whether samples have a thought, as the field `thinking` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Thought {
    /// Samples with thinking
    On,
    /// Samples after an empty thought
    Off,
}

impl Thought {
    fn of(text: &str) -> Option<Self> {
        match text {
            "on" => Some(Thought::On),
            "off" => Some(Thought::Off),
            _ => None,
        }
    }
}

/// The responses to a prompt, in the order of the file.
struct Question {
    prompt: Value,
    answer: Option<Value>,
    responses: Vec<Response>,
}

struct Response {
    text: String,
    grade: Option<f64>,
    extracted: Option<String>,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    ensure!(
        args.min_difference >= 0.0 && args.min_difference.is_finite(),
        "--min-difference must be 0 or above, found {}",
        args.min_difference
    );
    let questions = read(args)?;
    ensure!(
        !questions.is_empty(),
        "no rows in the files; give rows with `prompt` and `response`"
    );
    let limit = match (args.per_prompt, args.choose) {
        (Some(limit), _) => limit as usize,
        (None, How::All) => usize::MAX,
        (None, How::Random | How::BestWorst | How::Nearest) => 1,
    };
    let mut output = Output::new(Some(&args.output), &args.files)?;
    let mut report = Report::default();
    for (i, question) in questions.iter().enumerate() {
        report.add_question(question);
        let samples: Vec<Sample> = question
            .responses
            .iter()
            .map(|response| Sample {
                text: &response.text,
                grade: response.grade,
            })
            .collect();
        let options = PairOptions {
            choice: match args.choose {
                How::Random => Choice::Random,
                How::BestWorst => Choice::BestWorst,
                How::Nearest => Choice::Nearest,
                How::All => Choice::All,
            },
            limit,
            min_difference: args.min_difference,
            // Each prompt has its own sequence of random numbers.
            seed: args
                .seed
                .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                .wrapping_add(i as u64),
        };
        match choose_pairs(&samples, &options) {
            Ok(pairs) => {
                report.n_paired += 1;
                for pair in pairs {
                    let [chosen, rejected] =
                        [pair.chosen, pair.rejected].map(|i| question.responses[i].text.as_str());
                    report.add_pair(chosen, rejected);
                    let is_off = args.thinking == Some(Thought::Off);
                    output.write(&row(question, chosen, rejected, is_off))?;
                }
            }
            Err(reason) => *report.dropped.entry(reason).or_default() += 1,
        }
    }
    if report.n_pairs == 0 {
        let reasons: Vec<String> = report
            .dropped
            .iter()
            .map(|(reason, n)| format!("{}: {n}", reason.name()))
            .collect();
        bail!(
            "no prompt has a better and a worse response ({}); sample more responses per prompt, or at a higher temperature",
            reasons.join(", ")
        );
    }
    output.finish("pairs")?;
    report.print(args.json)?;
    Ok(ExitCode::SUCCESS)
}

fn read(args: &Args) -> Result<Vec<Question>> {
    const KNOWN: [&str; 7] = [
        "prompt",
        "question",
        "response",
        "completion",
        "answer",
        "is_correct",
        "score",
    ];
    let fields = Fields::new(&args.columns, &KNOWN)?;
    let mut by = args.by;
    let mut questions: Vec<Question> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut counter = Counter::new("rows");
    let mut first_thought = None;
    for file in &args.files {
        for row in read_rows(file)? {
            let row = row?;
            let place = format!("{}:{}", row.path.display(), row.line);
            let thought = row.object.get("thinking").and_then(Value::as_str);
            let thought = thought.and_then(Thought::of);
            match (args.thinking, thought) {
                (Some(wanted), Some(found)) if wanted != found => continue,
                (Some(_), None) => bail!(
                    "{place}: `thinking` is missing; expected on or off, as `pref sample --thinking both` writes it"
                ),
                (None, Some(found)) if *first_thought.get_or_insert(found) != found => bail!(
                    "{place}: the rows have samples with and without thinking; make pairs of each with --thinking on and --thinking off"
                ),
                _ => {}
            }
            if by == By::Auto {
                by = match fields.first(&row.object, &["is_correct"]) {
                    Ok(_) => By::IsCorrect,
                    Err(_) => By::Score,
                };
            }
            add(&mut questions, &mut places, row, &fields, by).context(place)?;
            counter.add(1);
        }
    }
    Ok(questions)
}

fn add(
    questions: &mut Vec<Question>,
    places: &mut HashMap<String, usize>,
    row: SourceRow,
    fields: &Fields,
    by: By,
) -> Result<()> {
    let object = &row.object;
    let (_, prompt) = fields.first(object, &["prompt", "question"])?;
    let response = Response {
        text: response_text(object, fields)?,
        grade: grade(object, fields, by)?,
        extracted: object
            .get("extracted")
            .and_then(Value::as_str)
            .map(str::to_owned),
    };
    let key = prompt.to_string();
    let at = *places.entry(key).or_insert(questions.len());
    if at == questions.len() {
        questions.push(Question {
            prompt: prompt.clone(),
            answer: fields
                .first(object, &["answer"])
                .ok()
                .map(|(_, answer)| answer.clone()),
            responses: Vec::new(),
        });
    }
    questions[at].responses.push(response);
    Ok(())
}

/// 1 for right and 0 for wrong, or the score; none if the verdict is unknown.
fn grade(object: &Map<String, Value>, fields: &Fields, by: By) -> Result<Option<f64>> {
    if by == By::Score {
        let (name, value) = fields
            .first(object, &["score"])
            .context("rows need `is_correct`, which `pref check` adds, or `score`")?;
        return match value.as_f64().filter(|score| score.is_finite()) {
            Some(score) => Ok(Some(score)),
            None => bail!("`{name}` is {value}; expected a number"),
        };
    }
    if object.get("verdict").and_then(Value::as_str) == Some("unknown") {
        return Ok(None);
    }
    let (name, value) = fields.first(object, &["is_correct"])?;
    match value {
        Value::Bool(is_correct) => Ok(Some(f64::from(u8::from(*is_correct)))),
        _ => bail!("`{name}` is {value}; expected true or false"),
    }
}

/// A pair; its answers are messages if the prompt is a list of messages. An empty thought stands at the end of a text,
/// and at the beginning of the answers to messages, where the chat template leaves it.
fn row(question: &Question, chosen: &str, rejected: &str, has_empty_thought: bool) -> Value {
    let thought = match has_empty_thought {
        true => EMPTY_THOUGHT,
        false => "",
    };
    let prompt = match &question.prompt {
        Value::String(text) if has_empty_thought => json!(with_empty_thought(text)),
        prompt => prompt.clone(),
    };
    let answer = |text: &str| match prompt {
        Value::Array(_) => json!([{"role": "assistant", "content": format!("{thought}{text}")}]),
        _ => json!(text),
    };
    let mut row = json!({
        "prompt": prompt,
        "chosen": answer(chosen),
        "rejected": answer(rejected),
    });
    if let Some(answer) = &question.answer {
        row["answer"] = answer.clone();
    }
    row
}

/// What the samples and the pairs are like.
#[derive(Default)]
struct Report {
    n_questions: usize,
    n_paired: usize,
    n_pairs: usize,
    dropped: BTreeMap<NoPairs, usize>,
    n_responses: usize,
    n_unknown: usize,
    sum_of_grades: f64,
    n_texts: usize,
    n_answers: usize,
    n_extracted: usize,
    chosen_characters: usize,
    rejected_characters: usize,
    n_chosen_longer: usize,
}

impl Report {
    fn add_question(&mut self, question: &Question) {
        let responses = &question.responses;
        self.n_questions += 1;
        self.n_responses += responses.len();
        self.n_unknown += responses
            .iter()
            .filter(|response| response.grade.is_none())
            .count();
        self.sum_of_grades += responses
            .iter()
            .filter_map(|response| response.grade)
            .sum::<f64>();
        let texts: HashSet<&str> = responses
            .iter()
            .map(|response| response.text.as_str())
            .collect();
        self.n_texts += texts.len();
        let extracted = || {
            responses
                .iter()
                .filter_map(|response| response.extracted.as_deref())
        };
        self.n_extracted += extracted().count();
        self.n_answers += extracted().collect::<HashSet<_>>().len();
    }

    fn add_pair(&mut self, chosen: &str, rejected: &str) {
        let [chosen, rejected] = [chosen, rejected].map(|text| text.chars().count());
        self.n_pairs += 1;
        self.chosen_characters += chosen;
        self.rejected_characters += rejected;
        self.n_chosen_longer += usize::from(chosen > rejected);
    }

    fn print(&self, as_json: bool) -> Result<()> {
        let share = |part: usize, of: usize| part as f64 / of.max(1) as f64;
        let mean_grade = self.sum_of_grades / (self.n_responses - self.n_unknown).max(1) as f64;
        let mut stdout = results();
        if as_json {
            let dropped: Map<String, Value> = self
                .dropped
                .iter()
                .map(|(reason, n)| (reason.name().to_owned(), json!(n)))
                .collect();
            let report = json!({
                "prompts": self.n_questions,
                "paired": self.n_paired,
                "dropped": dropped,
                "pairs": self.n_pairs,
                "responses": self.n_responses,
                "unknown": self.n_unknown,
                "mean_grade": mean_grade,
                "distinct_texts": share(self.n_texts, self.n_responses),
                "distinct_answers": (self.n_extracted > 0).then(|| share(self.n_answers, self.n_extracted)),
                "chosen_characters": share(self.chosen_characters, self.n_pairs),
                "rejected_characters": share(self.rejected_characters, self.n_pairs),
                "chosen_longer": share(self.n_chosen_longer, self.n_pairs),
            });
            writeln!(stdout, "{report}")?;
            return Ok(());
        }
        writeln!(
            stdout,
            "pairs: {} of {} prompts; {} prompts have none",
            self.n_pairs,
            self.n_paired,
            self.n_questions - self.n_paired
        )?;
        for (reason, n) in &self.dropped {
            writeln!(stdout, "  {}: {n}", reason.name())?;
        }
        writeln!(
            stdout,
            "responses: {}, {} of them unknown and left out, mean grade {mean_grade:.3}",
            self.n_responses, self.n_unknown
        )?;
        write!(
            stdout,
            "distinct within a prompt: {:.3} of the texts",
            share(self.n_texts, self.n_responses)
        )?;
        match self.n_extracted {
            0 => writeln!(stdout)?,
            n => writeln!(stdout, ", {:.3} of the answers", share(self.n_answers, n))?,
        }
        writeln!(
            stdout,
            "characters: chosen {:.1}, rejected {:.1} on average; chosen is longer in {:.3} of the pairs",
            share(self.chosen_characters, self.n_pairs),
            share(self.rejected_characters, self.n_pairs),
            share(self.n_chosen_longer, self.n_pairs)
        )?;
        Ok(())
    }
}
