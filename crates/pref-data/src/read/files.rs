//! Finds the files that a path refers to. In: a file, a folder, a pattern, a data set of the hub,
//! or `-`. Out: the files to read, in order.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::error::ReadError;
use super::format::{ENDINGS, Format};
use crate::splits::files_of_one_split;

/// JSON files that describe a data set and hold no rows.
const DESCRIPTIONS: [&str; 4] = [
    "dataset_info.json",
    "dataset_infos.json",
    "dataset_dict.json",
    "state.json",
];

/// The files that a path refers to.
pub(super) fn files(path: &Path) -> Result<Vec<PathBuf>, ReadError> {
    let text = path.to_string_lossy();
    if let Some(dataset) = text.strip_prefix("hub:") {
        return from_hub(dataset);
    }
    if path.is_dir() {
        return in_folder(path);
    }
    if path.exists() || !text.contains(['*', '?', '[']) {
        return Ok(vec![path.to_owned()]);
    }
    let no_file = |why: String| ReadError::NoFile {
        path: path.to_owned(),
        why,
    };
    let without_hidden = glob::MatchOptions {
        require_literal_leading_dot: true,
        ..glob::MatchOptions::new()
    };
    let matches = glob::glob_with(&text, without_hidden).map_err(|e| no_file(e.to_string()))?;
    let mut files = Vec::new();
    for found in matches {
        let found =
            found.map_err(|e| ReadError::file(e.path(), io::Error::other(e.to_string())))?;
        files.push(found);
    }
    files.retain(|path| path.is_file());
    files.sort();
    match files.is_empty() {
        true => Err(no_file("nothing matches the pattern".to_owned())),
        false => Ok(files),
    }
}

/// Whether `output` is one of the files that the inputs refer to, so that writing it would destroy
/// an input.
pub fn is_input(output: &Path, inputs: &[impl AsRef<Path>]) -> bool {
    let Ok(output) = output.canonicalize() else {
        // the file does not exist yet
        return false;
    };
    let is_same = |file: PathBuf| {
        let file = file.canonicalize();
        file.is_ok_and(|file| file == output || is_linked(&file, &output))
    };
    let local = inputs.iter().map(AsRef::as_ref);
    let local = local.filter(|path| !path.to_string_lossy().starts_with("hub:"));
    local.flat_map(files).flatten().any(is_same)
}

/// Whether two paths are hard links to the same file.
#[cfg(unix)]
fn is_linked(a: &Path, b: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let [a, b] = [a, b].map(|path| fs::metadata(path).map(|m| (m.dev(), m.ino())));
    matches!((a, b), (Ok(a), Ok(b)) if a == b)
}

#[cfg(not(unix))]
fn is_linked(_: &Path, _: &Path) -> bool {
    false
}

/// Whether a file is a data file, judged by its name.
fn is_data(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Format::of_name(path).is_some() && !DESCRIPTIONS.contains(&&*name)
}

/// The data files of a folder.
fn in_folder(folder: &Path) -> Result<Vec<PathBuf>, ReadError> {
    if let Some(files) = saved_to_disk(folder)? {
        return Ok(files);
    }
    let mut names = data_files(folder)?;
    let mut folder = folder.to_owned();
    let data = folder.join("data");
    if names.is_empty() && data.is_dir() {
        // a copy of a data set of the hub has its files there
        names = data_files(&data)?;
        folder = data;
    }
    if names.is_empty() {
        let endings = ENDINGS.map(|(ending, _)| ending);
        return Err(ReadError::NoFile {
            path: folder,
            why: format!("the folder has none of *.{}", endings.join(", *.")),
        });
    }
    match files_of_one_split(names, false) {
        Ok(names) => Ok(names.iter().map(|name| folder.join(name)).collect()),
        Err(found) => Err(ReadError::Splits {
            found: found.iter().map(|name| folder.join(name)).collect(),
            path: folder,
        }),
    }
}

/// The names of a folder's data files, in alphabetical order.
fn data_files(folder: &Path) -> Result<Vec<String>, ReadError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(|e| ReadError::file(folder, e))? {
        let path = entry.map_err(|e| ReadError::file(folder, e))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_data = is_data(&path);
        if is_data && !name.starts_with('.') && path.is_file() {
            names.push(name.into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// The files of a folder that `save_to_disk` of the Python package `datasets` has written. None for any
/// other folder.
fn saved_to_disk(folder: &Path) -> Result<Option<Vec<PathBuf>>, ReadError> {
    let list = |file: &str, field: &str| -> Result<Option<Vec<Value>>, ReadError> {
        let path = folder.join(file);
        if !path.is_file() {
            return Ok(None);
        }
        let text = fs::read(&path).map_err(|e| ReadError::file(&path, e))?;
        let description: Option<Value> = serde_json::from_slice(&text).ok();
        let list = description.and_then(|description| description.get(field)?.as_array().cloned());
        Ok(list)
    };
    if let Some(splits) = list("dataset_dict.json", "splits")? {
        let names = splits.iter().filter_map(Value::as_str);
        let mut folders: Vec<PathBuf> = names.map(|name| folder.join(name)).collect();
        return match (folders.pop(), folders.is_empty()) {
            (Some(only), true) => in_folder(&only).map(Some),
            (Some(last), false) => {
                folders.push(last);
                let path = folder.to_owned();
                Err(ReadError::Splits {
                    path,
                    found: folders,
                })
            }
            (None, _) => Ok(None),
        };
    }
    let Some(files) = list("state.json", "_data_files")? else {
        return Ok(None);
    };
    let names = files
        .iter()
        .filter_map(|file| file.get("filename")?.as_str());
    // only the last part of a name counts, so that no file outside the folder is read
    let names = names.filter_map(|name| Path::new(name).file_name());
    let files: Vec<PathBuf> = names.map(|name| folder.join(name)).collect();
    Ok((!files.is_empty()).then_some(files))
}

#[cfg(feature = "hub")]
fn from_hub(dataset: &str) -> Result<Vec<PathBuf>, ReadError> {
    let files = crate::hub::hub_files(dataset, is_data, &Default::default());
    Ok(files?)
}

#[cfg(not(feature = "hub"))]
fn from_hub(dataset: &str) -> Result<Vec<PathBuf>, ReadError> {
    Err(ReadError::NoHub(dataset.to_owned()))
}
