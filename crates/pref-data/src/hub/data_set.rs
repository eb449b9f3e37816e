//! Data sets of the hub. In: `OWNER/NAME[@REVISION][:PATTERN]`. Out: paths of downloaded files, or
//! the same text with the current commit.

use std::path::{Component, Path, PathBuf};

use hf_hub::RepoType;

use super::error::HubError;
use super::path::HubPath;
use super::repository::{HubOptions, Repository};
use crate::splits::files_of_one_split;

/// Downloads the files of a data set, `OWNER/NAME[@REVISION][:PATTERN]`, and returns their paths.
///
/// With a pattern, these are the files that it matches. Otherwise they are the data files whose
/// path has the word `train`, or all data files if no path has it; files of several splits are an
/// error. `is_data` says whether a path belongs to a data file.
///
/// # Errors
/// [`HubError`]. Files that were downloaded before stay in the cache.
pub fn hub_files(
    spec: &str,
    is_data: impl Fn(&Path) -> bool,
    options: &HubOptions,
) -> Result<Vec<PathBuf>, HubError> {
    let path = HubPath::parse(spec).ok_or_else(|| HubError::Name(spec.to_owned()))?;
    let repo = open(path, options)?;
    let all = repo.files()?.names;
    let wanted = match path.pattern {
        Some(pattern) => matching(&all, pattern)?,
        None => training_files(spec, &all, is_data)?,
    };
    if wanted.is_empty() {
        return Err(HubError::NoFile {
            dataset: path.name.to_owned(),
            wanted: match path.pattern {
                Some(pattern) => format!("matches `{pattern}`"),
                None => "is JSON, CSV, Parquet or Arrow".to_owned(),
            },
            found: match all.is_empty() {
                true => "no files".to_owned(),
                false => all.join(", "),
            },
        });
    }
    wanted.iter().map(|file| repo.get(file)).collect()
}

/// The same data set with the current commit of its revision, or of `main`. A commit never changes, so
/// the rows stay the same.
///
/// # Errors
/// [`HubError`] if the hub cannot be reached, or does not have the data set.
pub fn hub_commit(spec: &str, options: &HubOptions) -> Result<String, HubError> {
    let path = HubPath::parse(spec).ok_or_else(|| HubError::Name(spec.to_owned()))?;
    let commit = open(path, options)?.files()?.commit;
    let pattern = path.pattern.map(|pattern| format!(":{pattern}"));
    Ok(format!(
        "{}@{commit}{}",
        path.name,
        pattern.unwrap_or_default()
    ))
}

fn open(path: HubPath<'_>, options: &HubOptions) -> Result<Repository, HubError> {
    Repository::open(
        path.name,
        RepoType::Dataset,
        path.revision_or_main(),
        options,
    )
}

/// The files that a pattern matches, in alphabetical order.
fn matching(all: &[String], pattern: &str) -> Result<Vec<String>, HubError> {
    let glob = glob::Pattern::new(pattern).map_err(|e| HubError::Pattern {
        pattern: pattern.to_owned(),
        message: e.to_string(),
    })?;
    let mut files = files_inside(all);
    files.retain(|file| glob.matches(file));
    Ok(files)
}

/// The data files of the training split, in alphabetical order.
fn training_files(
    dataset: &str,
    all: &[String],
    is_data: impl Fn(&Path) -> bool,
) -> Result<Vec<String>, HubError> {
    let is_hidden = |file: &str| file.split('/').any(|part| part.starts_with('.'));
    let mut files = files_inside(all);
    files.retain(|file| is_data(Path::new(file)) && !is_hidden(file));
    files_of_one_split(files, true).map_err(|found| HubError::Splits {
        dataset: dataset.to_owned(),
        found: found.join(", "),
        first: found.into_iter().next().unwrap_or_default(),
    })
}

/// The files whose names do not lead out of the cache, in alphabetical order.
fn files_inside(all: &[String]) -> Vec<String> {
    let is_inside = |file: &&String| {
        let mut parts = Path::new(file.as_str()).components();
        parts.all(|part| matches!(part, Component::Normal(_)))
    };
    let mut files: Vec<String> = all.iter().filter(is_inside).cloned().collect();
    files.sort();
    files
}
