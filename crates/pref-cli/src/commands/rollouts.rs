//! `pref rollouts`: tests whether critical tokens are critical. In: pairs with the importance of rejected tokens, and a
//! model. Out: how often the model solves the problem when it goes on before and after such a token.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use pref_data::{Pair, TokenPair, Tokenizer, tokenize};
use pref_eval::{
    Extraction, Mean, Verdict, bootstrap_mean, compare_answers, expected_answer, paired_difference,
};
use pref_model::{GenerateOptions, Prompt, sample};
use pref_train::TrainBackend;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use crate::device::{DeviceArgs, Task};
use crate::model::ModelSource;
use crate::numbers::{bracketed, points};
use crate::rows::{ReadArgs, TokenArgs};
use crate::sampling::MOST_TEXTS;

/// Test critical tokens by letting a model go on before and after them
///
/// Rows are those of `pref score-tokens`, with the field `answer`. In each rejected answer, the token with the smallest
/// importance is critical. The model goes on from the answer without this token and from the answer with it, --n times
/// each, and the final answers are checked. If the token is critical, fewer of the second are right. The same is done
/// with another token of the answer, chosen at random.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Pairs with `rejected_importance` and `answer`
    #[arg(value_name = "DATA")]
    data: PathBuf,
    /// Model that goes on: a folder, an adapter folder, hub:OWNER/NAME or hub:OWNER/NAME@REVISION
    #[arg(long, value_name = "FOLDER")]
    model: PathBuf,
    /// Number of pairs, chosen at random
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    rows: u32,
    /// Continuations from each place
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..))]
    n: u32,
    /// Most tokens of a continuation
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    max_new_tokens: u32,
    /// How the final answer is found, as in `pref check`
    #[arg(long, value_name = "HOW", default_value = "auto")]
    answers: Extraction,
    /// Seed of the choices and of the sampling
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Print the result as one JSON line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    tokens: TokenArgs,
    #[command(flatten)]
    read: ReadArgs,
    #[command(flatten)]
    device: DeviceArgs,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    args.device.device.run(Rollouts { args })
}

struct Rollouts<'a> {
    args: &'a Args,
}

/// A pair with the places of its rejected answer from which the model goes on.
struct Row {
    tokens: TokenPair,
    answer: String,
    /// The critical token, and another one.
    places: [usize; 2],
}

impl Task for Rollouts<'_> {
    type Output = ExitCode;

    fn run<B: TrainBackend>(self, device: &B::Device) -> Result<ExitCode> {
        let args = self.args;
        let source = ModelSource::new(&args.model, None)?;
        let tokenizer = Tokenizer::from_folder(&source.folder)?;
        let rows = rows(args, &tokenizer)?;
        let model = source.load::<B::InnerBackend>(&[], device)?;
        let mut stop_ids = model.config().eos_token_ids().to_vec();
        stop_ids.extend(tokenizer.eos_id());
        let options = GenerateOptions {
            max_new_tokens: args.max_new_tokens as usize,
            temperature: 1.0,
            seed: args.seed,
            stop_ids,
            ..GenerateOptions::default()
        };
        // For each row: before and after the critical token, before and after the other one.
        let starts = |row: &Row| {
            let [critical, other] = row.places;
            [critical, critical + 1, other, other + 1]
        };
        let mut prompts = Vec::new();
        for row in &rows {
            for end in starts(row) {
                prompts.push(Prompt {
                    row: prompts.len() as u64,
                    ids: [&row.tokens.prompt, &row.tokens.rejected[..end]].concat(),
                    samples: (0..u64::from(args.n)).collect(),
                });
            }
        }
        let answers = sample(&model, prompts, &options, MOST_TEXTS)?;
        let mut answers = answers.chunks(args.n as usize);
        let mut shares: [Vec<f64>; 4] = Default::default();
        for row in &rows {
            for (end, shares) in starts(row).into_iter().zip(&mut shares) {
                let drawn = answers.next().context("there are answers for each place")?;
                let mut n_right = 0;
                for answer in drawn {
                    let ids = [&row.tokens.rejected[..end], &answer.ids].concat();
                    let text = tokenizer.decode(&ids, true)?;
                    let found = args.answers.extract(&text);
                    let verdict = found.map(|f| compare_answers(expected_answer(&row.answer), f));
                    n_right += usize::from(verdict == Some(Verdict::Equal));
                }
                shares.push(n_right as f64 / drawn.len() as f64);
            }
        }
        report(args, &shares)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The rows that are tested.
fn rows(args: &Args, tokenizer: &Tokenizer) -> Result<Vec<Row>> {
    let mut pairs: Vec<Pair> = args.read.read(&args.data)?.rows;
    ensure!(!pairs.is_empty(), "{} has no pairs", args.data.display());
    let mut random = ChaCha8Rng::seed_from_u64(args.seed);
    while pairs.len() > args.rows as usize {
        let at = random.random_range(0..pairs.len() as u64) as usize;
        pairs.remove(at);
    }
    let tokens = tokenize(&pairs, tokenizer, &args.tokens.options())?.rows;
    let row = |(tokens, pair): (TokenPair, &Pair)| -> Result<Row> {
        let place = &pair.place;
        let [_, features] = &tokens.features;
        let importance = features.as_ref().and_then(|f| f.importance.as_ref());
        let importance = importance.with_context(|| {
            format!("{place}: `rejected_importance` is missing; `pref score-tokens` adds it")
        })?;
        // Nothing follows the end-of-sequence token.
        let n = importance.len().saturating_sub(1);
        ensure!(
            n > 1,
            "{place}: the rejected answer has {n} tokens before its end; expected two at least, of which one is compared with the other"
        );
        let answer = match pair.more.get("answer") {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => anyhow::bail!("{place}: `answer` is missing; expected a text or a number"),
        };
        let critical = (0..n)
            .min_by(|&a, &b| importance[a].total_cmp(&importance[b]))
            .unwrap_or(0);
        // Any token but the critical one.
        let other = random.random_range(0..n as u64 - 1) as usize;
        let other = other + usize::from(other >= critical);
        Ok(Row {
            places: [critical, other],
            answer,
            tokens,
        })
    };
    tokens.into_iter().zip(&pairs).map(row).collect()
}

fn report(args: &Args, shares: &[Vec<f64>; 4]) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    let mut object = json!({"rows": shares[0].len(), "continuations": args.n});
    if !args.json {
        writeln!(
            stdout,
            "{:<15} {:>26} {:>26} {:>24}",
            "right answers", "before the token", "after it", "difference"
        )?;
    }
    for (name, both) in [
        ("critical token", &shares[..2]),
        ("another token", &shares[2..]),
    ] {
        let means = [0, 1].map(|i| bootstrap_mean(&both[i], args.seed));
        let pairs: Vec<(f64, f64)> = both[0]
            .iter()
            .copied()
            .zip(both[1].iter().copied())
            .collect();
        let difference = paired_difference(&pairs, args.seed);
        let ([Some(before), Some(after)], Some(difference)) = (means, difference) else {
            continue;
        };
        object[name.replace(' ', "_")] =
            json!({"before": before, "after": after, "difference": difference});
        if !args.json {
            writeln!(
                stdout,
                "{name:<15} {:>26} {:>26} {:>24}",
                shown(before),
                shown(after),
                bracketed(
                    points,
                    [difference.difference, difference.low, difference.high]
                )
            )?;
        }
    }
    if args.json {
        writeln!(stdout, "{object}")?;
    } else {
        writeln!(
            stdout,
            "{} answers, {} continuations from each place, 95 % intervals over answers",
            shares[0].len(),
            args.n
        )?;
    }
    Ok(())
}

fn shown(mean: Mean) -> String {
    let [mean, low, high] = [mean.mean, mean.low, mean.high].map(|value| 100.0 * value);
    format!("{mean:.1} % [{low:.1}, {high:.1}]")
}
