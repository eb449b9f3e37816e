//! Data sets and models of the Hugging Face hub. In: `owner/name`, with a revision if wanted, and
//! for data sets a pattern. Out: files in the hub's cache, downloaded if they are not there. Nothing
//! else in this crate touches the network.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use hf_hub::api::sync::{ApiBuilder, ApiRepo};
use hf_hub::{Repo, RepoType};
use serde::Deserialize;
use thiserror::Error;

use crate::read::chosen_split;

/// Where the hub is and where its files are kept; what is absent is as `huggingface_hub` has it:
/// `HF_ENDPOINT`, `HF_HOME`, the token of `huggingface-cli login`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HubOptions {
    /// The hub's address, such as `https://huggingface.co`.
    pub endpoint: Option<String>,
    /// Folder of downloaded files.
    pub cache: Option<PathBuf>,
}

/// A data set or a model that cannot be had from the hub.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HubError {
    /// The name is none.
    #[error(
        "`hub:{0}` names no data set; expected hub:OWNER/NAME, hub:OWNER/NAME@REVISION or hub:OWNER/NAME:PATTERN"
    )]
    Name(String),
    /// The name of a model is none.
    #[error("`hub:{0}` names no model; expected hub:OWNER/NAME or hub:OWNER/NAME@REVISION")]
    ModelName(String),
    /// The pattern is none.
    #[error("`{pattern}` is no pattern of files: {message}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// Why not.
        message: String,
    },
    /// The hub, or the way to it, failed.
    #[error(
        "{name}: {what}: {message}; is the name right, is there a network, and do you have a token (`huggingface-cli login`) where it is gated?"
    )]
    Request {
        /// The data set or model.
        name: String,
        /// What was asked for.
        what: String,
        /// What came back.
        message: String,
    },
    /// The files are not those of a model.
    #[error(
        "{model}: expected config.json with model.safetensors or its index; it has {found}; other formats of weights are not read"
    )]
    NoModel {
        /// The model.
        model: String,
        /// The files there are.
        found: String,
    },
    /// Files of several splits.
    #[error(
        "{dataset}: files of several splits: {found}; choose one by a pattern, such as hub:{dataset}:{first}"
    )]
    Splits {
        /// The data set.
        dataset: String,
        /// A pattern for each.
        found: String,
        /// The first of them.
        first: String,
    },
    /// No file is one of pairs.
    #[error("{dataset}: no file {wanted}; it has {found}")]
    NoFile {
        /// The data set.
        dataset: String,
        /// What was looked for.
        wanted: String,
        /// The files there are.
        found: String,
    },
}

/// The files of a data set, `OWNER/NAME[@REVISION][:PATTERN]`. Without a pattern they are the data
/// files whose path has the word `train`, or all data files where no path names a split.
///
/// # Errors
/// [`HubError`]. What was downloaded before stays in the cache.
pub fn hub_files(
    spec: &str,
    is_data: impl Fn(&Path) -> bool,
    options: &HubOptions,
) -> Result<Vec<PathBuf>, HubError> {
    let (dataset, pattern) = match spec.split_once(':') {
        Some((dataset, pattern)) => (dataset, Some(pattern)),
        None => (spec, None),
    };
    let Some((name, revision)) = name_and_revision(dataset) else {
        return Err(HubError::Name(spec.to_owned()));
    };
    let repo = Repository::open(name, RepoType::Dataset, revision, options)?;
    let all = repo.files()?.names;

    let wanted = wanted(dataset, &all, pattern, is_data)?;
    if wanted.is_empty() {
        return Err(HubError::NoFile {
            dataset: name.to_owned(),
            wanted: match pattern {
                Some(pattern) => format!("matches `{pattern}`"),
                None => "is JSON, CSV, Parquet or Arrow".to_owned(),
            },
            found: match all.is_empty() {
                true => "none".to_owned(),
                false => all.join(", "),
            },
        });
    }
    wanted.iter().map(|file| repo.get(file)).collect()
}

/// The same data set at the commit that its revision, `main` if absent, is now: its rows stay the same
/// whatever its owner does.
///
/// # Errors
/// [`HubError`] if the hub does not say which commit it is.
pub fn hub_commit(spec: &str, options: &HubOptions) -> Result<String, HubError> {
    let (dataset, pattern) = match spec.split_once(':') {
        Some((dataset, pattern)) => (dataset, format!(":{pattern}")),
        None => (spec, String::new()),
    };
    let Some((name, revision)) = name_and_revision(dataset) else {
        return Err(HubError::Name(spec.to_owned()));
    };
    let repo = Repository::open(name, RepoType::Dataset, revision, options)?;
    let commit = repo.files()?.commit;
    Ok(format!("{name}@{commit}{pattern}"))
}

/// The folder of a model, `OWNER/NAME[@REVISION]`, with its configuration, its weights in
/// safetensors and its tokenizer; of the commit that the revision, `main` if absent, is now.
///
/// # Errors
/// [`HubError`]. What was downloaded before stays in the cache.
pub fn hub_model(spec: &str, options: &HubOptions) -> Result<PathBuf, HubError> {
    let Some((name, revision)) = name_and_revision(spec) else {
        return Err(HubError::ModelName(spec.to_owned()));
    };
    let repo = Repository::open(name, RepoType::Model, revision, options)?;
    let Files { names, commit } = repo.files()?;
    // all files of one commit, also if the branch moves on meanwhile
    let repo = Repository::open(name, RepoType::Model, &commit, options)?;
    let has = |file: &str| names.iter().any(|name| name == file);
    if !has(CONFIG) || !(has(WEIGHTS) || has(INDEX)) {
        return Err(HubError::NoModel {
            model: name.to_owned(),
            found: names.join(", "),
        });
    }
    let config = repo.get(CONFIG)?;
    for file in BESIDE.iter().filter(|file| has(file)) {
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

const CONFIG: &str = "config.json";
const WEIGHTS: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// Files of a model that are downloaded where they are there.
const BESIDE: [&str; 9] = [
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

/// The files of weights that an index names, each once.
fn shards(index: &Path) -> Result<BTreeSet<String>, String> {
    #[derive(Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let bytes = fs::read(index).map_err(|error| error.to_string())?;
    let index: Index = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
    let shards: BTreeSet<String> = index.weight_map.into_values().collect();
    // a name that leads out of the cache is no shard
    let is_plain = |shard: &&String| Path::new(shard).file_name() == Some(shard.as_ref());
    match shards.iter().find(|shard| !is_plain(shard)) {
        Some(shard) => Err(format!("`{shard}` is no file's name")),
        None => Ok(shards),
    }
}

/// `OWNER/NAME` and the revision behind `@`.
fn name_and_revision(text: &str) -> Option<(&str, &str)> {
    let (name, revision) = text.split_once('@').unwrap_or((text, "main"));
    let (owner, rest) = name.split_once('/')?;
    let is_name = |part: &str| !part.is_empty() && !part.contains(['/', ':']);
    (is_name(owner) && is_name(rest) && !revision.is_empty()).then_some((name, revision))
}

/// A data set or a model at a revision.
struct Repository {
    name: String,
    repo: ApiRepo,
}

/// The files of a repository, and the commit they are of.
struct Files {
    names: Vec<String>,
    commit: String,
}

impl Repository {
    fn open(
        name: &str,
        kind: RepoType,
        revision: &str,
        options: &HubOptions,
    ) -> Result<Self, HubError> {
        let mut builder = ApiBuilder::from_env().with_progress(false);
        if let Some(endpoint) = &options.endpoint {
            builder = builder.with_endpoint(endpoint.clone());
        }
        if let Some(cache) = &options.cache {
            builder = builder.with_cache_dir(cache.clone());
        }
        let api = builder.build().map_err(|error| HubError::Request {
            name: name.to_owned(),
            what: "the hub".to_owned(),
            message: error.to_string(),
        })?;
        let repo = Repo::with_revision(name.to_owned(), kind, revision.to_owned());
        Ok(Self {
            name: name.to_owned(),
            repo: api.repo(repo),
        })
    }

    fn files(&self) -> Result<Files, HubError> {
        let info = self.repo.info();
        let info = info.map_err(|e| self.failed("its list of files", e.to_string()))?;
        let files = info.siblings.into_iter();
        Ok(Files {
            names: files.map(|file| file.rfilename).collect(),
            commit: info.sha,
        })
    }

    /// A file, from the cache if it is there.
    fn get(&self, file: &str) -> Result<PathBuf, HubError> {
        let path = self.repo.get(file);
        path.map_err(|e| self.failed(file, e.to_string()))
    }

    fn failed(&self, what: &str, message: String) -> HubError {
        HubError::Request {
            name: self.name.clone(),
            what: what.to_owned(),
            message,
        }
    }
}

fn wanted(
    dataset: &str,
    all: &[String],
    pattern: Option<&str>,
    is_data: impl Fn(&Path) -> bool,
) -> Result<Vec<String>, HubError> {
    // a name that leads out of the cache is nobody's data
    let is_inside = |file: &&String| {
        let mut parts = Path::new(file.as_str()).components();
        parts.all(|part| matches!(part, Component::Normal(_)))
    };
    let mut files: Vec<&String> = all.iter().filter(is_inside).collect();
    files.sort();
    if let Some(pattern) = pattern {
        let glob = glob::Pattern::new(pattern).map_err(|e| HubError::Pattern {
            pattern: pattern.to_owned(),
            message: e.to_string(),
        })?;
        files.retain(|file| glob.matches(file));
        return Ok(files.into_iter().cloned().collect());
    }
    // files of several splits are a question, not one set
    files.retain(|file| is_data(Path::new(file.as_str())) && !is_hidden(file));
    let names = files.into_iter().cloned().collect();
    chosen_split(names, true).map_err(|found| HubError::Splits {
        dataset: dataset.to_owned(),
        found: found.join(", "),
        first: found.into_iter().next().unwrap_or_default(),
    })
}

/// Whether a part of a path begins with a dot.
fn is_hidden(file: &str) -> bool {
    file.split('/').any(|part| part.starts_with('.'))
}
