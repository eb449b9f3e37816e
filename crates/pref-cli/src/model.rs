//! The model that `--model` names. In: a folder, or `hub:OWNER/NAME[@REVISION]`. Out: a folder. A model of
//! the hub is downloaded into it.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

/// The folder of a model. A model of the hub is downloaded into the hub's cache if it is not there.
pub(crate) fn model_folder(path: &Path) -> Result<PathBuf> {
    let text = path.to_string_lossy();
    if let Some(name) = text.strip_prefix("hub:") {
        return from_hub(name);
    }
    if !path.exists() && is_hub_name(&text) {
        bail!("{text}: no such folder; for a model of the Hugging Face hub write hub:{text}");
    }
    Ok(path.to_owned())
}

/// Whether a text looks like the name of a model of the hub, `OWNER/NAME`.
fn is_hub_name(text: &str) -> bool {
    let is_word = |word: &str| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        word.starts_with(|c: char| c.is_ascii_alphanumeric()) && word.chars().all(allowed)
    };
    text.split_once('/')
        .is_some_and(|(owner, name)| is_word(owner) && is_word(name))
}

#[cfg(feature = "hub")]
fn from_hub(name: &str) -> Result<PathBuf> {
    Ok(pref_data::hub_model(name, &Default::default())?)
}

#[cfg(not(feature = "hub"))]
fn from_hub(name: &str) -> Result<PathBuf> {
    bail!(
        "hub:{name}: this `pref` was built without the feature `hub`; build it with its default features"
    )
}
