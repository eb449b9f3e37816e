//! Runs the embedded recipe: a decoder with random weights learns to solve word problems, and then to
//! prefer right solutions. In: an output folder. Out: the data, the decoder after each stage, and the metrics
//! of both stages, in this folder. `pref` can read all these files like any other files.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result};
use pref_data::{Pair, Tokenizer};
use pref_model::{Config, Decoder, GenerateOptions, LlamaSizes, SaveDtype, generate, write_file};
use pref_train::TrainBackend;
use pref_train::{Outcome, Ranks, has_checkpoint, train_together};

use super::plans::{LESSONS, PREFERENCES, plan};
use super::task::{arithmetic_pairs, plain};
use super::tokenizer::{EOS_ID, PAD_ID, write_tokenizer};
use crate::device::Task;
use crate::outcome::report;
use crate::progress::{self, Progress};

/// Number of pairs of the first stage, which trains on the right solutions only.
const N_LESSONS: usize = 4000;
/// Number of pairs of the second stage, preference training.
const N_PAIRS: usize = 600;
/// Number of pairs for evaluation, which neither stage trains on.
const N_HELD_OUT: usize = 200;
/// Number of problems that each decoder tries to solve at the end.
const N_SOLVED: usize = 50;

/// The recipe with the user's choices.
pub(crate) struct Recipe<'a> {
    /// The output folder; `runs/arithmetic` if absent.
    pub(crate) folder: Option<PathBuf>,
    pub(crate) resume: bool,
    pub(crate) json: bool,
    pub(crate) stop: &'a AtomicBool,
    pub(crate) ranks: &'a Rc<dyn Ranks>,
}

impl Task for Recipe<'_> {
    type Output = ExitCode;

    fn run<B: TrainBackend>(self, device: &B::Device) -> Result<ExitCode> {
        let folder = self
            .folder
            .clone()
            .unwrap_or_else(|| PathBuf::from("runs/arithmetic"));
        let at = |name: &str| folder.join(name);
        let ranks = self.ranks;
        if ranks.is_first() && !at("data/lessons.jsonl").is_file() {
            write_data(&folder)?;
        }
        if ranks.is_first() && !at("fresh/model.safetensors").is_file() {
            write_fresh_model::<B>(&folder, device)?;
        }
        // The other ranks read the files of rank 0.
        ranks.meet()?;

        let base = at("lessons/model");
        if !base.join("model.safetensors").is_file() {
            progress::note("1 of 2: a decoder with random weights learns to solve word problems");
            let plan = plan(&folder, LESSONS)?;
            let resume = has_checkpoint(&plan.output.folder);
            let mut tracker = Progress::new();
            let outcome =
                train_together::<B>(&plan, resume, device, &mut tracker, self.stop, ranks)?;
            if !matches!(outcome, Outcome::Finished { .. }) {
                return report(&outcome, self.json, &**ranks);
            }
        }
        progress::note("2 of 2: it learns to prefer right solutions to wrong ones (ADPO)");
        let plan = plan(&folder, PREFERENCES)?;
        let resume = self.resume || has_checkpoint(&plan.output.folder);
        let mut tracker = Progress::new();
        let outcome = train_together::<B>(&plan, resume, device, &mut tracker, self.stop, ranks)?;
        let code = report(&outcome, self.json, &**ranks)?;
        let is_silent = self.json || !ranks.is_first();
        if let (Outcome::Finished { model, .. }, false) = (&outcome, is_silent) {
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

fn held_out() -> Vec<Pair> {
    arithmetic_pairs(N_HELD_OUT, 3)
}

fn write_data(folder: &Path) -> Result<()> {
    let data = folder.join("data");
    fs::create_dir_all(&data).with_context(|| data.display().to_string())?;
    for (name, pairs) in [
        ("pairs.jsonl", arithmetic_pairs(N_PAIRS, 2)),
        ("held-out.jsonl", held_out()),
        // This file is written last. If it exists, the other two files exist as well.
        ("lessons.jsonl", arithmetic_pairs(N_LESSONS, 1)),
    ] {
        let mut text = String::new();
        for pair in &pairs {
            text.push_str(&serde_json::to_string(pair)?);
            text.push('\n');
        }
        let path = data.join(name);
        write_file(&path, text.as_bytes()).with_context(|| path.display().to_string())?;
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
    write_tokenizer(&fresh, &texts, 384).context("the recipe's tokenizer")?;
    let tokenizer = Tokenizer::from_folder(&fresh)?;
    let config = Config::llama(&LlamaSizes {
        vocab: tokenizer.vocab_size(),
        hidden: 128,
        intermediate: 256,
        layers: 3,
        heads: 4,
        kv_heads: 2,
        positions: 256,
        eos: EOS_ID,
        pad: PAD_ID,
    })?;
    let model = Decoder::<B::InnerBackend>::init(&config, 0, device);
    model.save(&fresh, SaveDtype::F32)?;
    Ok(())
}

/// Number of the first [`N_SOLVED`] problems that a decoder answers with the right number.
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
