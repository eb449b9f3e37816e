//! Models of the hub. In: `OWNER/NAME[@REVISION]`. Out: the folder of the downloaded model.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use hf_hub::RepoType;
use serde::Deserialize;

use super::error::HubError;
use super::path::HubPath;
use super::repository::{FileList, HubOptions, Repository};

const CONFIG: &str = "config.json";
const WEIGHTS: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// Files of a model that are downloaded if the hub has them.
const OPTIONAL: [&str; 9] = [
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "XXH128SUMS",
];

/// Downloads a model, `OWNER/NAME[@REVISION]`, and returns its folder: configuration, weights in
/// safetensors, and tokenizer. All files are from the current commit of the revision, or of `main`.
///
/// # Errors
/// [`HubError`]. Files that were downloaded before stay in the cache.
pub fn hub_model(spec: &str, options: &HubOptions) -> Result<PathBuf, HubError> {
    let path = HubPath::parse(spec).filter(|path| path.pattern.is_none());
    let path = path.ok_or_else(|| HubError::ModelName(spec.to_owned()))?;
    let repo = Repository::open(path.name, RepoType::Model, path.revision_or_main(), options)?;
    let FileList { names, commit } = repo.files()?;
    // by commit, so that all files fit together even if the branch moves during the download
    let repo = Repository::open(path.name, RepoType::Model, &commit, options)?;
    let has = |file: &str| names.iter().any(|name| name == file);
    if !has(CONFIG) || !(has(WEIGHTS) || has(INDEX)) {
        return Err(HubError::NoModel {
            model: path.name.to_owned(),
            found: names.join(", "),
        });
    }
    let config = repo.get(CONFIG)?;
    for file in OPTIONAL.iter().filter(|file| has(file)) {
        repo.get(file)?;
    }
    if has(WEIGHTS) {
        repo.get(WEIGHTS)?;
    } else {
        let index = repo.get(INDEX)?;
        let shards = shards(&index).map_err(|message| repo.failed(INDEX, message))?;
        for shard in shards {
            repo.get(&shard)?;
        }
    }
    Ok(config.parent().unwrap_or(&config).to_owned())
}

/// The weight files that an index names, each once.
fn shards(index: &Path) -> Result<BTreeSet<String>, String> {
    #[derive(Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let bytes = fs::read(index).map_err(|error| error.to_string())?;
    let index: Index = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
    let shards: BTreeSet<String> = index.weight_map.into_values().collect();
    // a name with folders could lead out of the cache
    let is_plain = |shard: &&String| Path::new(shard).file_name() == Some(shard.as_ref());
    match shards.iter().find(|shard| !is_plain(shard)) {
        Some(shard) => Err(format!("`{shard}` is not a file name")),
        None => Ok(shards),
    }
}
