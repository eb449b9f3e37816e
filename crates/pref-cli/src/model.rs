//! The model that `--model` and `--adapter` name. In: a folder, or `hub:OWNER/NAME[@REVISION]`. Out: a folder, or
//! the loaded model. A model of the hub is downloaded into a folder.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use burn::tensor::backend::Backend;
use pref_model::{Decoder, LoraConfig};
use pref_train::model_hash;

/// A model folder, and the folder of an adapter of the model.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ModelSource {
    pub(crate) folder: PathBuf,
    pub(crate) adapter: Option<PathBuf>,
}

/// The hash of a model's folder, and that of its adapter's.
pub(crate) type Hashes = (String, Option<String>);

impl ModelSource {
    /// The folders of `--model` and `--adapter`. A model that is the folder of an adapter stands for the adapter
    /// with the base model that it names.
    pub(crate) fn new(model: &Path, adapter: Option<&Path>) -> Result<Self> {
        let folder = model_folder(model)?;
        if !is_adapter(&folder) {
            let adapter = adapter.map(Path::to_owned);
            return Ok(Self { folder, adapter });
        }
        ensure!(
            adapter.is_none(),
            "{} holds an adapter and no model, and --adapter names another adapter; give the base model with --model",
            folder.display()
        );
        Self::of_adapter(&folder)
    }

    /// A model, or an adapter. The base model of an adapter is `base`, or the one that the adapter names.
    pub(crate) fn either(folder: &Path, base: Option<&Path>) -> Result<Self> {
        match base {
            Some(base) if is_adapter(folder) => Self::new(base, Some(folder)),
            _ => Self::new(folder, None),
        }
    }

    /// An adapter with the base model that it names, which must be a folder.
    pub(crate) fn of_adapter(adapter: &Path) -> Result<Self> {
        let named = LoraConfig::from_folder(adapter)?.base;
        let named = named.unwrap_or_default();
        // A relative path can start at the current folder, or at the folder of the adapter.
        let candidates = [PathBuf::from(&named), adapter.join(&named)];
        let base = candidates
            .into_iter()
            .find(|folder| folder.join("config.json").is_file());
        let folder = base.with_context(|| {
            let adapter = adapter.display();
            format!(
                "{adapter} holds an adapter of `{named}`, which is not a model folder here; give the base model with --model, and the adapter with --adapter {adapter}"
            )
        })?;
        let adapter = Some(adapter.to_owned());
        Ok(Self { folder, adapter })
    }

    /// What identifies the model. Every byte of the weights is read.
    pub(crate) fn hashes(&self) -> Result<Hashes> {
        let adapter = self.adapter.as_deref().map(model_hash).transpose()?;
        Ok((model_hash(&self.folder)?, adapter))
    }

    /// Loads the model, with its adapter if there is one.
    pub(crate) fn load<B: Backend>(
        &self,
        ignored: &[String],
        device: &B::Device,
    ) -> Result<Decoder<B>> {
        let model = Decoder::load_ignoring(&self.folder, ignored, device)?;
        match &self.adapter {
            Some(adapter) => Ok(model.load_lora(adapter)?),
            None => Ok(model),
        }
    }
}

/// Whether a folder holds an adapter and no model.
pub(crate) fn is_adapter(folder: &Path) -> bool {
    folder.join("adapter_config.json").is_file() && !folder.join("config.json").exists()
}

/// The folder of a model, as [`model_folder`]. The folder of an adapter is refused.
pub(crate) fn whole_model(path: &Path) -> Result<PathBuf> {
    let folder = model_folder(path)?;
    ensure!(
        !is_adapter(&folder),
        "{0} holds an adapter and no model; give its base model instead, and to train the adapter further --set train.lora.adapter={0}, or make a model of both with `pref merge --adapter {0} --output FOLDER`",
        folder.display()
    );
    Ok(folder)
}

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
