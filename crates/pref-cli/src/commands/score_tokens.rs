//! `pref score-tokens`: the importance of the tokens of rejected answers. In: pairs, a model of right and a model of
//! wrong solutions. Out: the same pairs with `rejected_importance`, in the form that training reads.

use std::ops::Range;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use anyhow::{Result, bail, ensure};
use burn::tensor::{Int, Tensor, TensorData};
use pref_core::{position_chunks, token_importance};
use pref_data::{Annotation, Pair, Record, TokenPair, TokenizeOptions, Tokenizer, tokenize};
use pref_model::{Decoder, Kernels, ResponseTokens};
use pref_train::{Ranks, TrainBackend};
use serde_json::{Value, json};

use crate::device::{DeviceArgs, Task};
use crate::model::ModelSource;
use crate::rows::{ReadArgs, Resumable, ScoreArgs, TokenArgs};
use crate::signals;

/// Logits of each model that are in memory at the same time: 256 MB in float32.
const LOGITS: usize = 1 << 26;

/// Find the critical tokens of rejected answers, for cdpo and cadpo
///
/// One model has learned from right solutions and one from wrong solutions (`pref sft`). Each token y of a rejected
/// answer gets the importance that softmax((1+b)·log P⁺ − b·log P⁻) gives to y, over the whole vocabulary: near 0 where wrong
/// solutions go on with the token and right ones do not. The pairs are written with rejected_importance, which cdpo
/// and cadpo weigh the tokens with. The rows are in OUTPUT.part until all are scored; the same command continues a
/// run that was stopped or killed.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Model that has learned from right solutions: a model folder or an adapter folder
    #[arg(long, value_name = "FOLDER")]
    positive: PathBuf,
    /// Model that has learned from wrong solutions: a model folder or an adapter folder
    #[arg(long, value_name = "FOLDER")]
    negative: PathBuf,
    /// Base model of the adapters, if it is not where they say
    #[arg(long, value_name = "FOLDER")]
    model: Option<PathBuf>,
    #[command(flatten)]
    rows: ScoreArgs,
    /// The weight b of the difference between both models
    #[arg(long, value_name = "X", default_value_t = 1.0)]
    contrast: f64,
    #[command(flatten)]
    tokens: TokenArgs,
    #[command(flatten)]
    read: ReadArgs,
    #[command(flatten)]
    device: DeviceArgs,
}

pub(crate) fn run(args: &Args, ranks: &dyn Ranks) -> Result<ExitCode> {
    args.rows.check()?;
    ensure!(
        args.contrast.is_finite() && args.contrast >= 0.0,
        "--contrast must be 0 or above, found {}",
        args.contrast
    );
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
        let sources = [&args.positive, &args.negative]
            .map(|folder| ModelSource::either(folder, args.model.as_deref()));
        let [positive, negative] = sources;
        let sources = [positive?, negative?];
        let load = |source: &ModelSource| -> Result<Decoder<B::InnerBackend>> {
            source.load(&args.rows.ignore_config, device)
        };
        let [positive, negative] = [load(&sources[0])?, load(&sources[1])?];
        let [n_positive, n_negative] =
            [&positive, &negative].map(|model| model.config().vocab_size());
        ensure!(
            n_positive == n_negative,
            "the models have vocabularies of {n_positive} and {n_negative} tokens; both must come from one base model"
        );
        let tokenizer = Tokenizer::from_folder(&sources[0].folder)?;
        let other = match sources[0].folder == sources[1].folder {
            true => None,
            false => Some(Tokenizer::from_folder(&sources[1].folder)?),
        };
        let scorer = Scorer::<B::InnerBackend> {
            limit: positive.config().max_position_embeddings(),
            chunk: (LOGITS / n_positive.max(1)).max(1),
            contrast: args.contrast,
            options: TokenizeOptions {
                embedding_rows: Some(n_positive),
                ..args.tokens.options()
            },
            tokenizer,
            other,
            models: [positive, negative],
            device: device.clone(),
        };
        let rows = Resumable {
            args: &args.rows,
            read: &args.read,
            stop: self.stop,
            ranks: self.ranks,
        };
        rows.write(|| origin(args, &sources), |records| scorer.score(records))
    }
}

/// What the importance depends on, apart from the rows.
fn origin(args: &Args, sources: &[ModelSource; 2]) -> Result<Value> {
    let hash = |source: &ModelSource| -> Result<Value> {
        let (model, adapter) = source.hashes()?;
        Ok(json!({"model": model, "adapter": adapter}))
    };
    let options = args.tokens.options();
    Ok(json!({
        "positive": hash(&sources[0])?,
        "negative": hash(&sources[1])?,
        "contrast": args.contrast,
        "ignore_config": args.rows.ignore_config,
        "boundary": options.boundary,
        "chat_template_kwargs": options.template_kwargs,
    }))
}

/// Both models with everything that turns rows into their input.
struct Scorer<B: Kernels> {
    /// Of right solutions, then of wrong ones.
    models: [Decoder<B>; 2],
    tokenizer: Tokenizer,
    /// The tokenizer of the second model, if it is in another folder.
    other: Option<Tokenizer>,
    options: TokenizeOptions,
    contrast: f64,
    /// Most tokens of a row.
    limit: usize,
    /// Positions whose logits are computed at the same time.
    chunk: usize,
    device: B::Device,
}

impl<B: Kernels> Scorer<B> {
    /// The rows with the importance of their rejected tokens.
    fn score(&self, records: Vec<Record>) -> Result<Vec<Value>> {
        let pair = |record: Record| match record {
            Record::Pair(pair) => Ok(pair),
            Record::Example(row) => bail!(
                "{}: the row has one answer; expected pairs with `chosen` and `rejected`",
                row.place
            ),
        };
        let mut pairs: Vec<Pair> = records.into_iter().map(pair).collect::<Result<_>>()?;
        let tokens = tokenize(&pairs, &self.tokenizer, &self.options)?.rows;
        if let Some(other) = &self.other {
            let others = tokenize(&pairs, other, &self.options)?.rows;
            for (row, other) in tokens.iter().zip(&others) {
                ensure!(
                    row.prompt == other.prompt && row.rejected == other.rejected,
                    "{}: the tokenizers of both models give different tokens; both models must come from one base model",
                    row.place
                );
            }
        }
        for (pair, values) in pairs.iter_mut().zip(self.importance(&tokens)?) {
            let [_, annotation] = &mut pair.annotations;
            let old = annotation.take().map(|old| *old).unwrap_or_default();
            *annotation = Some(Box::new(Annotation {
                importance: Some(values),
                ..old
            }));
        }
        Ok(pairs.iter().map(Pair::to_value).collect())
    }

    /// The importance of each rejected token.
    fn importance(&self, rows: &[TokenPair]) -> Result<Vec<Vec<f64>>> {
        let length = |row: &TokenPair| row.prompt.len() + row.rejected.len();
        for row in rows {
            ensure!(
                length(row) <= self.limit,
                "{}: prompt and rejected answer have {} tokens, and the model has {} positions; shorten them",
                row.place,
                length(row),
                self.limit
            );
        }
        let width = rows.iter().map(length).max().unwrap_or(0);
        let ids = rows.iter().flat_map(|row| {
            let padding = std::iter::repeat_n(0, width - length(row));
            let text = row.prompt.iter().chain(&row.rejected);
            text.map(|&id| id as i32).chain(padding)
        });
        let ids = TensorData::new(ids.collect::<Vec<i32>>(), [rows.len(), width]);
        let ids: Tensor<B, 2, Int> = Tensor::from_data(ids, &self.device);
        let answers: Vec<Range<usize>> = rows
            .iter()
            .map(|row| row.prompt.len()..length(row))
            .collect();
        let tokens = ResponseTokens::new(ids, &answers);
        let [positive, negative] = [0, 1].map(|i| tokens.hidden(&self.models[i]));
        let targets = tokens.targets();
        let mut values: Vec<f64> = Vec::with_capacity(tokens.len());
        for range in position_chunks(tokens.len(), self.chunk) {
            let logits = |model: usize, hidden: &Tensor<B, 2>| {
                self.models[model].logits(hidden.clone().slice([range.clone()]))
            };
            let found = token_importance(
                logits(0, &positive),
                logits(1, &negative),
                targets.clone().slice([range.clone()]),
                self.contrast,
            );
            values.extend(found.into_data().iter::<f64>());
        }
        let mut values = values.into_iter();
        let of_row = |(row, answer): (&TokenPair, &Range<usize>)| {
            let values: Vec<f64> = values.by_ref().take(answer.len()).collect();
            match values.iter().all(|value| value.is_finite()) {
                // Six decimals are about the precision of float32, and rounding may leave 0 to 1.
                true => Ok(values
                    .iter()
                    .map(|value| (value.clamp(0.0, 1.0) * 1e6).round() / 1e6)
                    .collect()),
                false => bail!(
                    "{}: the importance is not finite; check the weights of both models",
                    row.place
                ),
            }
        };
        rows.iter().zip(&answers).map(of_row).collect()
    }
}
