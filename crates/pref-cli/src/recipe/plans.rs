//! The plans of the recipe's two stages. In: the recipe's folder. Out: checked plans with paths in this folder.

use std::path::Path;

use anyhow::{Context, Result};
use pref_train::{Plan, Settings};
use serde_json::Map;

/// The first stage: supervised training on solutions of careful and careless solvers.
pub(super) const LESSONS: &str = r#"
[model]
path = "fresh"
[data]
train = "data/lessons.jsonl"
max-length = 192
[objective]
method = "sft"
[train]
epochs = 2.0
batch-size = 16
learning-rate = 3e-3
schedule = "cosine"
warmup-steps = 50
save-every = 300
[output]
folder = "lessons"
"#;

/// The second stage: preference training. The SFT term holds the likelihood of right solutions: without it the objective
/// may lower the likelihood of both solutions, as long as that of the wrong one falls more.
pub(super) const PREFERENCES: &str = r#"
[model]
path = "lessons/model"
[data]
train = "data/pairs.jsonl"
eval = "data/eval-pairs.jsonl"
max-length = 192
[objective]
method = "adpo"
beta = 0.1
granularity = { adaptive = 8 }
sft-coefficient = 1.0
[train]
epochs = 1.0
batch-size = 16
learning-rate = 1e-4
schedule = "cosine"
warmup-steps = 5
save-every = 20
[output]
folder = "preferences"
"#;

/// The folder of the second stage in the recipe's folder.
pub(super) const PREFERENCES_FOLDER: &str = "preferences";

/// Reads and checks a plan. Its paths are relative to `folder`.
pub(super) fn plan(folder: &Path, text: &str, seed: u64) -> Result<Plan> {
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
    settings.put("train.seed", seed)?;
    Ok(Plan::from_settings(settings)?)
}
