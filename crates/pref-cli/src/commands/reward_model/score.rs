//! `pref reward-model score`: scores answers with a reward model. In: a model, and pairs or single answers. Out:
//! the same rows with scores, in the form that training reads.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result, bail, ensure};
use burn::tensor::{Tensor, TensorData};
use pref_data::{
    ASPECTS, BatchLayout, Example, Record, TokenExample, TokenizeOptions, Tokenizer,
    tokenize_examples,
};
use pref_model::{Kernels, Policy, RewardModel, hidden_at};
use pref_train::{Ranks, TrainBackend, model_hash};
use serde_json::{Value, json};

use crate::device::{DeviceArgs, Task};
use crate::model::model_folder;
use crate::rows::{ReadArgs, Resumable, TokenArgs, ensure_json_lines};
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
    /// Rows to score: a file (JSON Lines, JSON, CSV, Parquet, Arrow), a folder, a pattern, or hub:OWNER/NAME
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    /// Output file, JSON Lines
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    /// Rows computed together in one forward pass
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    batch_size: u16,
    /// Key of config.json to ignore; may be repeated
    #[arg(long, value_name = "KEY")]
    ignore_config: Vec<String>,
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
    ensure_json_lines(&args.output)?;
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
        let tokenizer = Tokenizer::from_folder(&folder)?;
        let model = RewardModel::<B::InnerBackend>::load(&folder, &args.ignore_config, device)
            .with_context(|| format!("{} is no reward model", folder.display()))?;
        let scorer = Scorer {
            kind: Kind::of(&model, &folder)?,
            by: args.segments.by(Some(&tokenizer))?,
            options: TokenizeOptions {
                embedding_rows: Some(model.vocab_size()),
                unscored_segments: true,
                ..args.tokens.options()
            },
            pad_id: model.pad_id().or(tokenizer.pad_id()).or(tokenizer.eos_id()),
            tokenizer: &tokenizer,
            model,
            device: device.clone(),
        };
        let rows = Resumable {
            read: &args.read,
            data: &args.data,
            output: &args.output,
            origin: origin(args, &folder)?,
            at_a_time: usize::from(args.batch_size),
            stop: self.stop,
            ranks: self.ranks,
        };
        rows.write(|records| scorer.score(records))
    }
}

/// What the scores are made with.
fn origin(args: &Args, folder: &Path) -> Result<Value> {
    let options = args.tokens.options();
    Ok(json!({
        "model": model_hash(folder)?,
        "ignore_config": args.ignore_config,
        "segments": args.segments.describe(),
        "boundary": options.boundary,
        "chat_template_kwargs": options.template_kwargs,
    }))
}

/// What a model scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Whole answers.
    Answers,
    /// Segments in every aspect.
    Segments,
}

impl Kind {
    fn of<B: Kernels>(model: &RewardModel<B>, folder: &Path) -> Result<Self> {
        match model.labels().len() {
            1 => Ok(Kind::Answers),
            ASPECTS => Ok(Kind::Segments),
            n => bail!(
                "{}: the model gives {n} scores; expected 1, for whole answers, or {ASPECTS}, for segments in as many aspects",
                folder.display()
            ),
        }
    }
}

/// A model with everything that turns rows into its input.
struct Scorer<'a, B: Kernels> {
    kind: Kind,
    by: By<'a>,
    options: TokenizeOptions,
    /// A text's score is read at its last token with another id.
    pad_id: Option<u32>,
    tokenizer: &'a Tokenizer,
    model: RewardModel<B>,
    device: B::Device,
}

impl<B: Kernels> Scorer<'_, B> {
    /// The rows with their scores.
    fn score(&self, records: Vec<Record>) -> Result<Vec<Value>> {
        let mut answers: Vec<Example> = records.iter().flat_map(answers_of).collect();
        if self.kind == Kind::Segments {
            for answer in &mut answers {
                self.divide(answer)?;
            }
        }
        let tokens = tokenize_examples(&answers, self.tokenizer, &self.options)?.rows;
        let mut scores = self.forward(&tokens)?.into_iter();
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

    /// The scores of each answer: one row for the whole answer, or one for each segment.
    fn forward(&self, answers: &[TokenExample]) -> Result<Vec<Vec<Vec<f64>>>> {
        let ids: Vec<[&[u32]; 2]> = answers
            .iter()
            .map(|a| [&a.prompt[..], &a.completion])
            .collect();
        let layout = BatchLayout {
            pad_id: self.pad_id.unwrap_or(0),
            ..BatchLayout::default()
        };
        let batch = layout.of_one_answer(&ids);
        let limit = self.model.max_positions();
        if let Some(long) = answers
            .iter()
            .find(|a| a.prompt.len() + a.completion.len() > limit)
        {
            bail!(
                "{}: prompt and answer have {} tokens, and the model has {limit} positions; shorten them",
                long.place,
                long.prompt.len() + long.completion.len()
            );
        }
        let mut places = Vec::new();
        let mut counts = Vec::new();
        for (row, answer) in answers.iter().enumerate() {
            let start = answer.prompt.len();
            let before = places.len();
            match self.kind {
                Kind::Answers => {
                    let all = [&answer.prompt[..], &answer.completion].concat();
                    let is_text = |&t: &usize| Some(all[t]) != self.pad_id;
                    let last = (0..all.len()).rev().find(is_text);
                    places.push((row, last.unwrap_or(0)));
                }
                Kind::Segments => {
                    let segments = answer.features.iter().flat_map(|f| &f.segments);
                    let last = |range: &Range<usize>| (row, start + range.end.max(1) - 1);
                    places.extend(segments.map(last));
                }
            }
            counts.push(places.len() - before);
        }
        if places.is_empty() {
            return Ok(vec![Vec::new(); answers.len()]);
        }
        let tokens: Vec<i32> = batch.tokens.iter().map(|&id| id as i32).collect();
        let tokens = TensorData::new(tokens, [batch.rows, batch.width]);
        let tokens = Tensor::from_data(tokens, &self.device);
        let scores = self
            .model
            .logits(hidden_at(&self.model, tokens, &[], &places));
        let [_, n_labels] = scores.dims();
        let scores: Vec<f64> = scores.into_data().iter::<f64>().collect();
        if let Some(bad) = scores.iter().position(|score| !score.is_finite()) {
            let (row, _) = places[bad / n_labels];
            bail!(
                "{}: the score is not finite; check the model's weights",
                answers[row].place
            );
        }
        let mut rows = scores
            .chunks(n_labels)
            .map(|row| row.iter().map(|&s| rounded(s)).collect());
        let of_answer = |n: usize| rows.by_ref().take(n).collect();
        Ok(counts.into_iter().map(of_answer).collect())
    }

    /// A row with the scores of its answers, which `next` gives.
    fn scored(
        &self,
        record: Record,
        next: &mut impl FnMut() -> Option<(Example, Vec<Vec<f64>>)>,
    ) -> Result<Value> {
        let mut answer = || next().context("there is a score for each answer");
        match (record, self.kind) {
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

/// A score with six decimals, which is about the precision of float32.
fn rounded(score: f64) -> f64 {
    (score * 1e6).round() / 1e6
}
