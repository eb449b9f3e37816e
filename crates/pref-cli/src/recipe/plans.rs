//! The plans of the recipe's two stages. In: the recipe's folder. Out: checked plans with paths in this folder.

use std::path::Path;

use anyhow::{Context, Result};
use pref_train::{Plan, Settings};
use serde_json::Map;

/// The first stage: supervised training on right solutions.
pub(super) const LESSONS: &str = r#"
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

/// The second stage: preference training.
pub(super) const PREFERENCES: &str = r#"
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

/// Reads and checks a plan. Its paths are relative to `folder`.
pub(super) fn plan(folder: &Path, text: &str) -> Result<Plan> {
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
