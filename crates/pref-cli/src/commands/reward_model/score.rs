//! `pref reward-model score`: scores answers with a reward model. In: a model, and pairs or single answers. Out:
//! the same rows with scores, in the form that training reads.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result, ensure};
use pref_data::{Example, Record};
use pref_model::Kernels;
use pref_train::{Ranks, TrainBackend, model_hash};
use serde_json::{Value, json};

use crate::device::{DeviceArgs, Task};
use crate::model::model_folder;
use crate::rows::{ReadArgs, Resumable, ScoreArgs, TokenArgs};
use crate::scoring::{AnswerScorer, Kind};
use crate::segmenting::{By, SegmentArgs};
use crate::signals;

/// Score answers with a reward model
///
/// A model with five scores scores each segment of an answer. The rows are written with chosen_segments
/// and chosen_scores (rejected_…, completion_…), as 2d-dpo reads them; answers without segments are
/// divided first. A model with one score scores whole answers: pairs are written with chosen_rating and
/// rejected_rating, and single answers as prompt, response and rating. The rows are in OUTPUT.part until
/// all are scored; the same command continues a run that was stopped or killed.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Reward model: a folder in Hugging Face's layout, hub:OWNER/NAME or hub:OWNER/NAME@REVISION
    #[arg(long, value_name = "FOLDER")]
    model: PathBuf,
    #[command(flatten)]
    rows: ScoreArgs,
    #[command(flatten)]
    segments: SegmentArgs,
    #[command(flatten)]
    tokens: TokenArgs,
    #[command(flatten)]
    read: ReadArgs,
    #[command(flatten)]
    device: DeviceArgs,
}

pub(super) fn run(args: &Args, ranks: &dyn Ranks) -> Result<ExitCode> {
    args.rows.check()?;
    let stop = signals::stop_flag()?;
    args.device.device.run(Score {
        args,
        stop: &stop,
        ranks,
    })
}

struct Score<'a> {
    args: &'a Args,
    stop: &'a AtomicBool,
    ranks: &'a dyn Ranks,
}

impl Task for Score<'_> {
    type Output = ExitCode;

    fn run<B: TrainBackend>(self, device: &B::Device) -> Result<ExitCode> {
        let args = self.args;
        let folder = model_folder(&args.model)?;
        let answers = AnswerScorer::<B::InnerBackend>::load(
            &folder,
            &args.rows.ignore_config,
            args.tokens.options(),
            device,
        )?;
        let scorer = Scorer {
            by: args.segments.by(Some(&answers.tokenizer))?,
            answers: &answers,
        };
        let rows = Resumable {
            args: &args.rows,
            read: &args.read,
            stop: self.stop,
            ranks: self.ranks,
        };
        rows.write(|| origin(args, &folder), |records| scorer.score(records))
    }
}

/// What the scores are made with.
fn origin(args: &Args, folder: &Path) -> Result<Value> {
    let options = args.tokens.options();
    Ok(json!({
        "model": model_hash(folder)?,
        "ignore_config": args.rows.ignore_config,
        "segments": args.segments.describe(),
        "boundary": options.boundary,
        "chat_template_kwargs": options.template_kwargs,
    }))
}

/// A model, and how answers are divided.
struct Scorer<'a, B: Kernels> {
    by: By<'a>,
    answers: &'a AnswerScorer<B>,
}

impl<B: Kernels> Scorer<'_, B> {
    /// The rows with their scores.
    fn score(&self, records: Vec<Record>) -> Result<Vec<Value>> {
        let mut answers: Vec<Example> = records.iter().flat_map(answers_of).collect();
        if self.answers.kind == Kind::Segments {
            for answer in &mut answers {
                self.divide(answer)?;
            }
        }
        let mut scores = self.answers.scores(&answers)?.into_iter();
        let mut answers = answers.into_iter();
        let mut next = || answers.next().zip(scores.next());
        let mut rows = Vec::with_capacity(records.len());
        for record in records {
            rows.push(self.scored(record, &mut next)?);
        }
        Ok(rows)
    }

    /// Divides an answer that has no segments, and removes old scores.
    fn divide(&self, answer: &mut Example) -> Result<()> {
        ensure!(
            !answer.is_text(),
            "{}: a whole text cannot be scored by segments; give `prompt` and `completion`",
            answer.place
        );
        let old = answer.annotation.take().map(|old| *old).unwrap_or_default();
        let mut annotation = match old.segments {
            Some(_) => old,
            None => self.by.divided(&answer.completion.to_string(), old),
        };
        annotation.scores = None;
        answer.annotation = Some(Box::new(annotation));
        Ok(())
    }

    /// A row with the scores of its answers, which `next` gives.
    fn scored(
        &self,
        record: Record,
        next: &mut impl FnMut() -> Option<(Example, Vec<Vec<f64>>)>,
    ) -> Result<Value> {
        let mut answer = || next().context("there is a score for each answer");
        match (record, self.answers.kind) {
            (Record::Pair(mut pair), Kind::Segments) => {
                for annotation in &mut pair.annotations {
                    *annotation = annotated(answer()?);
                }
                Ok(pair.to_value())
            }
            (Record::Example(mut row), Kind::Segments) => {
                row.annotation = annotated(answer()?);
                Ok(row.to_value())
            }
            (Record::Pair(pair), Kind::Answers) => {
                let mut value = pair.to_value();
                for side in ["chosen", "rejected"] {
                    value[format!("{side}_rating")] = rating(&answer()?.1);
                }
                Ok(value)
            }
            (Record::Example(row), Kind::Answers) => {
                let mut value = row.to_value();
                if let Some(fields) = value.as_object_mut()
                    && let Some(response) = fields.shift_remove("completion")
                {
                    fields.insert("response".to_owned(), response);
                }
                value["rating"] = rating(&answer()?.1);
                Ok(value)
            }
        }
    }
}

/// The answers of a row.
fn answers_of(record: &Record) -> Vec<Example> {
    match record {
        Record::Example(row) => vec![row.clone()],
        Record::Pair(pair) => {
            let answers = [&pair.chosen, &pair.rejected].into_iter();
            let answer = |(text, annotation): (&pref_data::Text, &Option<Box<_>>)| Example {
                prompt: pair.prompt.clone(),
                completion: text.clone(),
                label: None,
                tools: pair.tools.clone(),
                template_kwargs: pair.template_kwargs.clone(),
                place: pair.place.clone(),
                annotation: annotation.clone(),
                more: Default::default(),
            };
            answers.zip(&pair.annotations).map(answer).collect()
        }
    }
}

/// The annotation of an answer with its scores, which the reader accepts from 0 to 4.
fn annotated((answer, scores): (Example, Vec<Vec<f64>>)) -> Option<Box<pref_data::Annotation>> {
    let mut annotation = answer.annotation?;
    let row =
        |row: Vec<f64>| std::array::from_fn(|a| row.get(a).copied().unwrap_or(0.0).clamp(0.0, 4.0));
    annotation.scores = Some(scores.into_iter().map(row).collect());
    Some(annotation)
}

fn rating(scores: &[Vec<f64>]) -> Value {
    json!(scores.first().and_then(|row| row.first()))
}
