//! The model that `--model` names. In: a folder, or `hub:OWNER/NAME[@REVISION]`. Out: a folder,
//! downloaded if it is of the hub.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

/// The folder of a model. What is of the hub is downloaded to the hub's cache, unless it is there.
pub(crate) fn model_folder(path: &Path) -> Result<PathBuf> {
    let text = path.to_string_lossy();
    if let Some(name) = text.strip_prefix("hub:") {
        return from_hub(name);
    }
    if !path.exists() && is_hub_name(&text) {
        bail!(
            "{text}: there is no such folder; a model of the Hugging Face hub is asked for as hub:{text}"
        );
    }
    Ok(path.to_owned())
}

/// Whether a text is written as models of the hub are, `OWNER/NAME`.
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
    bail!("hub:{name}: this program was built without the feature `hub`")
}
