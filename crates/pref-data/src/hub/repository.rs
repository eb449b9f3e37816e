//! The connection to the hub. In: the name and revision of a data set or a model. Out: its list of
//! files, and paths of downloaded files. Only this file uses the network.

use std::path::PathBuf;

use hf_hub::api::sync::{ApiBuilder, ApiRepo};
use hf_hub::{Repo, RepoType};

use super::error::HubError;

/// The address of the hub, and the folder of downloaded files. A value that is absent, and the
/// access token, are read from the same places as in Python's `huggingface_hub`: `HF_ENDPOINT`,
/// `HF_HOME`, and `HF_TOKEN` or else the token that `huggingface-cli login` stores.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HubOptions {
    /// The address of the hub, such as `https://huggingface.co`.
    pub endpoint: Option<String>,
    /// The folder of downloaded files.
    pub cache: Option<PathBuf>,
}

/// A data set or a model at a revision.
pub(super) struct Repository {
    name: String,
    repo: ApiRepo,
}

/// The list of files of a repository.
pub(super) struct FileList {
    pub(super) names: Vec<String>,
    /// The commit that the list belongs to.
    pub(super) commit: String,
}

impl Repository {
    pub(super) fn open(
        name: &str,
        kind: RepoType,
        revision: &str,
        options: &HubOptions,
    ) -> Result<Self, HubError> {
        let mut builder = ApiBuilder::from_env().with_progress(false);
        // hf-hub reads only the stored token
        let token = std::env::var("HF_TOKEN").ok();
        if let Some(token) = token.filter(|token| !token.trim().is_empty()) {
            builder = builder.with_token(Some(token.trim().to_owned()));
        }
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

    /// The names of all files, and the current commit of the revision.
    pub(super) fn files(&self) -> Result<FileList, HubError> {
        let info = self.repo.info();
        let info = info.map_err(|e| self.failed("its list of files", e.to_string()))?;
        let files = info.siblings.into_iter();
        Ok(FileList {
            names: files.map(|file| file.rfilename).collect(),
            commit: info.sha,
        })
    }

    /// The path of a file, which is downloaded unless it is in the cache.
    pub(super) fn get(&self, file: &str) -> Result<PathBuf, HubError> {
        let path = self.repo.get(file);
        path.map_err(|e| self.failed(file, e.to_string()))
    }

    /// The error of a request; `what` is the file or the list that was requested.
    pub(super) fn failed(&self, what: &str, message: String) -> HubError {
        HubError::Request {
            name: self.name.clone(),
            what: what.to_owned(),
            message,
        }
    }
}
