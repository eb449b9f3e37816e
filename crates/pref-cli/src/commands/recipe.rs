//! The embedded recipe: a decoder made from nothing learns word problems, then to prefer right
//! solutions. In: nothing. Out: a folder with the data, the decoder before and after, and the
//! metrics of both stages, all of it ordinary input to `pref`.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result};
use pref_data::{
    FRESH_EOS_ID, FRESH_PAD_ID, Pair, Text, Tokenizer, arithmetic_pairs, write_fresh_tokenizer,
};
use pref_model::{Config, Decoder, GenerateOptions, LlamaSizes, SaveDtype, generate};
use pref_train::TrainBackend;
use pref_train::{Outcome, Plan, Settings, has_checkpoint};
use serde_json::Map;

use super::train::report;
use crate::device::Task;
use crate::progress::{self, Progress};

/// Pairs for the decoder's first lessons, on right solutions alone.
const N_LESSONS: usize = 4000;
/// Pairs for preference training.
const N_PAIRS: usize = 600;
/// Pairs held out of both.
const N_HELD_OUT: usize = 200;
/// Problems solved by each decoder at the end.
const N_SOLVED: usize = 50;

/// The recipe, on a backend.
pub(crate) struct Recipe<'a> {
    pub(crate) folder: Option<PathBuf>,
    pub(crate) resume: bool,
    pub(crate) json: bool,
    pub(crate) stop: &'a AtomicBool,
}

impl Task for Recipe<'_> {
    type Output = ExitCode;

    fn run<B: TrainBackend>(self, device: &B::Device) -> Result<ExitCode> {
        let folder = self
            .folder
            .clone()
            .unwrap_or_else(|| PathBuf::from("runs/arithmetic"));
        let at = |name: &str| folder.join(name);
        if !at("data/lessons.jsonl").is_file() {
            write_data(&folder)?;
        }
        if !at("fresh/model.safetensors").is_file() {
            write_fresh_model::<B>(&folder, device)?;
        }

        let base = at("lessons/model");
        if !base.join("model.safetensors").is_file() {
            progress::note("1 of 2: a fresh decoder learns to solve word problems");
            let plan = plan(&folder, LESSONS)?;
            let resume = has_checkpoint(&plan.output.folder);
            let mut tracker = Progress::new();
            let outcome = pref_train::train::<B>(&plan, resume, device, &mut tracker, self.stop)?;
            if !matches!(outcome, Outcome::Finished { .. }) {
                return report(&outcome, self.json);
            }
        }
        progress::note("2 of 2: it learns to prefer right solutions to wrong ones (ADPO)");
        let plan = plan(&folder, PREFERENCES)?;
        let resume = self.resume || has_checkpoint(&plan.output.folder);
        let mut tracker = Progress::new();
        let outcome = pref_train::train::<B>(&plan, resume, device, &mut tracker, self.stop)?;
        let code = report(&outcome, self.json)?;
        if let (Outcome::Finished { model, .. }, false) = (&outcome, self.json) {
            let held_out = held_out();
            let before = solved::<B>(&base, &held_out, device)?;
            let after = solved::<B>(model, &held_out, device)?;
            writeln!(
                std::io::stdout(),
                "held-out problems solved, of {N_SOLVED}: {before} before, {after} after"
            )?;
        }
        Ok(code)
    }
}

/// The plan of the first stage.
const LESSONS: &str = r#"
[model]
path = "fresh"
[data]
train = "data/lessons.jsonl"
max-length = 160
[objective]
method = "sft"
[train]
epochs = 1.0
batch-size = 16
learning-rate = 3e-3
schedule = "cosine"
warmup-steps = 20
save-every = 50
[output]
folder = "lessons"
"#;

/// The plan of the second stage.
const PREFERENCES: &str = r#"
[model]
path = "lessons/model"
[data]
train = "data/pairs.jsonl"
eval = "data/held-out.jsonl"
max-length = 160
[objective]
method = "adpo"
beta = 0.1
granularity = { adaptive = 8 }
[train]
epochs = 1.0
batch-size = 16
learning-rate = 2e-4
schedule = "cosine"
warmup-steps = 5
save-every = 10
[output]
folder = "preferences"
"#;

/// A plan whose paths are within the recipe's folder.
fn plan(folder: &Path, text: &str) -> Result<Plan> {
    let mut table: Map<String, serde_json::Value> =
        toml::from_str(text).context("the embedded plan")?;
    for (section, key) in [
        ("model", "path"),
        ("data", "train"),
        ("data", "eval"),
        ("output", "folder"),
    ] {
        if let Some(value) = table[section].get_mut(key)
            && let Some(name) = value.as_str()
        {
            let path = folder.join(name);
            let path = path.to_str().context("the folder's name must be UTF-8")?;
            *value = path.into();
        }
    }
    let mut settings = Settings::default();
    settings.layer(&table, "the embedded recipe")?;
    Ok(Plan::from_settings(settings)?)
}

fn held_out() -> Vec<Pair> {
    arithmetic_pairs(N_HELD_OUT, 3)
}

fn write_data(folder: &Path) -> Result<()> {
    let data = folder.join("data");
    fs::create_dir_all(&data).with_context(|| data.display().to_string())?;
    for (name, pairs) in [
        ("pairs.jsonl", arithmetic_pairs(N_PAIRS, 2)),
        ("held-out.jsonl", held_out()),
        // the last one: where it is, the others are
        ("lessons.jsonl", arithmetic_pairs(N_LESSONS, 1)),
    ] {
        let mut text = String::new();
        for pair in &pairs {
            text.push_str(&serde_json::to_string(pair)?);
            text.push('\n');
        }
        let path = data.join(name);
        fs::write(&path, text).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

fn write_fresh_model<B: TrainBackend>(folder: &Path, device: &B::Device) -> Result<()> {
    let fresh = folder.join("fresh");
    let pairs = arithmetic_pairs(1000, 1);
    let texts: Vec<String> = pairs
        .iter()
        .flat_map(|pair| [&pair.prompt, &pair.chosen, &pair.rejected])
        .map(|text| plain(text).to_owned())
        .collect();
    write_fresh_tokenizer(&fresh, &texts, 384).context("a fresh tokenizer")?;
    let tokenizer = Tokenizer::from_folder(&fresh)?;
    let config = Config::llama(&LlamaSizes {
        vocab: tokenizer.vocab_size(),
        hidden: 128,
        intermediate: 256,
        layers: 3,
        heads: 4,
        kv_heads: 2,
        positions: 256,
        eos: FRESH_EOS_ID,
        pad: FRESH_PAD_ID,
    })?;
    let model = Decoder::<B::InnerBackend>::init(&config, 0, device);
    model.save(&fresh, SaveDtype::F32)?;
    Ok(())
}

/// How many problems a decoder solves: its answer is the right one.
fn solved<B: TrainBackend>(model: &Path, pairs: &[Pair], device: &B::Device) -> Result<usize> {
    let tokenizer = Tokenizer::from_folder(model)?;
    let decoder = Decoder::<B::InnerBackend>::load(model, device)?;
    let options = GenerateOptions {
        max_new_tokens: 64,
        stop_ids: tokenizer.eos_id().into_iter().collect(),
        ..GenerateOptions::default()
    };
    let mut n_solved = 0;
    for pair in pairs.iter().take(N_SOLVED) {
        let prompt = tokenizer.encode(plain(&pair.prompt))?;
        let output = generate(&decoder, &prompt, &options)?;
        let output = tokenizer.decode(&output, true)?;
        let answer = |text: &str| text.rsplit_once("A: ").map(|(_, a)| a.trim().to_owned());
        let right = answer(plain(&pair.chosen));
        n_solved += usize::from(right.is_some() && answer(&output) == right);
    }
    Ok(n_solved)
}

/// The recipe's texts are all plain.
fn plain(text: &Text) -> &str {
    match text {
        Text::Plain(text) => text,
        Text::Conversation(_) => "",
    }
}
