//! Held-out pairs by token. In: the folder of a finished run. Out: the values of each token for the page, and the file
//! `tokens.jsonl` in the folder, from which the next page takes them.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use pref_eval::{Token, TokenPair, TokenValues, TokenView};
use pref_model::write_file;
use pref_train::{
    AnswerToken, PairTokens, Plan, Settings, TokenState, TrainBackend, model_hash, reward_scale,
    token_values,
};
use serde_json::{Value, json};

use super::folder::RunFolder;
use crate::device::{Device, Task};
use crate::progress::{self, Progress};

/// The file of values in a run's folder.
const FILE: &str = "tokens.jsonl";

/// The view of a run. `None` if the run has no pairs to show; an error instead if the user asked for them.
pub(super) fn view(
    folder: &RunFolder,
    n: usize,
    is_asked: bool,
    device: Device,
) -> Result<Option<TokenView>> {
    if !folder.path.join("model").is_dir() {
        return absent(
            is_asked,
            "--tokens needs a trained model, and this run is not finished; continue it with --resume",
        );
    }
    let mut plan = Plan::from_settings(Settings::from_file(&folder.path.join("plan.toml"))?)?;
    // The folder may have been moved.
    plan.output.folder.clone_from(&folder.path);
    let header = header(&plan, n)?;
    let path = folder.path.join(FILE);
    let pairs = match stored(&path, &header) {
        Some(pairs) => pairs,
        None => {
            let pairs = device.run(Compute { plan: &plan, n })?;
            if let Err(error) = write_file(&path, text(&header, &pairs)?.as_bytes()) {
                progress::note(&format!("{}: not written: {error}", path.display()));
            }
            pairs
        }
    };
    if pairs.is_empty() {
        return absent(
            is_asked,
            "--tokens needs held-out pairs, and an objective that compares the log-probs of pairs",
        );
    }
    Ok(Some(TokenView {
        run: 0,
        reward: reward(&plan),
        pairs: pairs.into_iter().map(pair).collect(),
    }))
}

fn absent(is_asked: bool, reason: &str) -> Result<Option<TokenView>> {
    match is_asked {
        true => bail!("{reason}"),
        false => Ok(None),
    }
}

/// What the values depend on.
fn header(plan: &Plan, n: usize) -> Result<Value> {
    let hash = |path: &Path| model_hash(path);
    let reference = plan.model.reference_path.as_deref().map(hash).transpose()?;
    Ok(json!({
        "format": 1,
        "pairs": n,
        "before": hash(&plan.model.path)?,
        "after": hash(&plan.output.folder.join("model"))?,
        "reference": reference,
        "objective": plan.objective,
        "data": plan.data,
    }))
}

/// The values of an earlier page, if they have this header.
fn stored(path: &Path, header: &Value) -> Option<Vec<PairTokens>> {
    let text = fs::read_to_string(path).ok()?;
    let mut lines = text.lines();
    let first: Value = serde_json::from_str(lines.next()?).ok()?;
    if first != *header {
        return None;
    }
    lines.map(|line| serde_json::from_str(line).ok()).collect()
}

fn text(header: &Value, pairs: &[PairTokens]) -> Result<String> {
    let mut text = format!("{header}\n");
    for pair in pairs {
        text.push_str(&serde_json::to_string(pair).context("values of tokens")?);
        text.push('\n');
    }
    Ok(text)
}

/// What the reward of a token is.
fn reward(plan: &Plan) -> String {
    let (beta, has_reference) = reward_scale(&plan.objective);
    let value = match has_reference {
        true => "log(π/π_ref)",
        false => "log π",
    };
    match beta {
        Some(beta) => format!("{beta} · {value}"),
        None => value.to_owned(),
    }
}

fn pair(pair: PairTokens) -> TokenPair {
    let tokens = |tokens: Vec<AnswerToken>| tokens.into_iter().map(token).collect();
    TokenPair {
        prompt: pair.prompt,
        chosen: tokens(pair.chosen),
        rejected: tokens(pair.rejected),
    }
}

fn token(token: AnswerToken) -> Token {
    let values = |state: TokenState| TokenValues {
        reward: state.reward,
        weight: state.weight.map(f64::from),
        gradient: state.gradient,
    };
    Token {
        text: token.text,
        is_critical: token.varied,
        before: values(token.before),
        after: values(token.after),
    }
}

/// The computation on any backend.
struct Compute<'a> {
    plan: &'a Plan,
    n: usize,
}

impl Task for Compute<'_> {
    type Output = Vec<PairTokens>;

    fn run<B: TrainBackend>(self, device: &B::Device) -> Result<Vec<PairTokens>> {
        let mut tracker = Progress::new();
        Ok(token_values::<B>(self.plan, self.n, device, &mut tracker)?)
    }
}
