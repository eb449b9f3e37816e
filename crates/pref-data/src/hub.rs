//! Data sets of the Hugging Face hub. In: `owner/name`, with a revision and a pattern if wanted.
//! Out: files in the hub's cache, downloaded if they are not there. Nothing else in this crate
//! touches the network.

use std::path::{Component, Path, PathBuf};

use hf_hub::api::sync::{ApiBuilder, ApiError};
use hf_hub::{Repo, RepoType};
use thiserror::Error;

/// Where the hub is and where its files are kept; what is absent is as `huggingface_hub` has it:
/// `HF_ENDPOINT`, `HF_HOME`, the token of `huggingface-cli login`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HubOptions {
    /// The hub's address, such as `https://huggingface.co`.
    pub endpoint: Option<String>,
    /// Folder of downloaded files.
    pub cache: Option<PathBuf>,
}

/// A data set that cannot be had from the hub.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HubError {
    /// The name is none.
    #[error(
        "`hub:{0}` names no data set; expected hub:OWNER/NAME, hub:OWNER/NAME@REVISION or hub:OWNER/NAME:PATTERN"
    )]
    Name(String),
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
        "{dataset}: {what}: {message}; is the name right, is there a network, and does a gated data set have your token (`huggingface-cli login`)?"
    )]
    Request {
        /// The data set.
        dataset: String,
        /// What was asked for.
        what: String,
        /// What came back.
        message: String,
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
/// files whose path says `train`, or all data files where none does.
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
    let (name, revision) = dataset.split_once('@').unwrap_or((dataset, "main"));
    if name.split('/').count() != 2 || name.split('/').any(str::is_empty) || revision.is_empty() {
        return Err(HubError::Name(spec.to_owned()));
    }
    let failed = |what: &str, error: ApiError| HubError::Request {
        dataset: name.to_owned(),
        what: what.to_owned(),
        message: error.to_string(),
    };
    let mut builder = ApiBuilder::from_env().with_progress(false);
    if let Some(endpoint) = &options.endpoint {
        builder = builder.with_endpoint(endpoint.clone());
    }
    if let Some(cache) = &options.cache {
        builder = builder.with_cache_dir(cache.clone());
    }
    let api = builder.build().map_err(|e| failed("the hub", e))?;
    let (name_owned, revision) = (name.to_owned(), revision.to_owned());
    let repo = Repo::with_revision(name_owned, RepoType::Dataset, revision);
    let repo = api.repo(repo);
    let info = repo.info().map_err(|e| failed("its list of files", e))?;
    let all: Vec<String> = info
        .siblings
        .into_iter()
        .map(|file| file.rfilename)
        .collect();

    let wanted = wanted(&all, pattern, is_data)?;
    if wanted.is_empty() {
        return Err(HubError::NoFile {
            dataset: name.to_owned(),
            wanted: match pattern {
                Some(pattern) => format!("matches `{pattern}`"),
                None => "is JSON, CSV or Parquet".to_owned(),
            },
            found: match all.is_empty() {
                true => "none".to_owned(),
                false => all.join(", "),
            },
        });
    }
    let get = |file: &String| repo.get(file).map_err(|e| failed(file, e));
    wanted.into_iter().map(get).collect()
}

fn wanted<'a>(
    all: &'a [String],
    pattern: Option<&str>,
    is_data: impl Fn(&Path) -> bool,
) -> Result<Vec<&'a String>, HubError> {
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
        return Ok(files);
    }
    files.retain(|file| is_data(Path::new(file.as_str())));
    if files.iter().any(|file| file.contains("train")) {
        files.retain(|file| file.contains("train"));
    }
    Ok(files)
}
