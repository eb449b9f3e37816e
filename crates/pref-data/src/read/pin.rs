//! Paths whose rows may change while nobody looks. In: the path of a set. Out: a path that always
//! means the same rows: a data set of the hub at the commit that it is now.

use std::path::{Path, PathBuf};

use super::error::ReadError;

/// The same set at its present commit if it is of the hub and names none; any other path as it is.
///
/// # Errors
/// [`ReadError`] if the hub cannot be asked.
pub fn pinned(path: &Path) -> Result<PathBuf, ReadError> {
    match dataset(path).filter(|dataset| !dataset.is_pinned()) {
        Some(_) => from_hub(&path.to_string_lossy()["hub:".len()..]),
        None => Ok(path.to_owned()),
    }
}

/// Whether `pin` is what [`pinned`] may have made of `path` at another time.
///
/// ```
/// use std::path::Path;
/// use pref_data::is_pin_of;
/// let commit = "0123456789abcdef0123456789abcdef01234567";
/// let pin = format!("hub:me/pairs@{commit}:*.json");
/// assert!(is_pin_of(Path::new(&pin), Path::new("hub:me/pairs:*.json")));
/// assert!(!is_pin_of(Path::new(&pin), Path::new("hub:me/pairs")));
/// ```
pub fn is_pin_of(pin: &Path, path: &Path) -> bool {
    match (dataset(pin), dataset(path)) {
        (Some(pin), Some(path)) => {
            let is_same = pin.name == path.name && pin.pattern == path.pattern;
            is_same && pin.is_pinned() && !path.is_pinned()
        }
        _ => false,
    }
}

/// `hub:NAME[@REVISION][:PATTERN]` in its parts.
struct Dataset {
    name: String,
    revision: Option<String>,
    pattern: Option<String>,
}

fn dataset(path: &Path) -> Option<Dataset> {
    let text = path.to_str()?.strip_prefix("hub:")?;
    let (dataset, pattern) = match text.split_once(':') {
        Some((dataset, pattern)) => (dataset, Some(pattern.to_owned())),
        None => (text, None),
    };
    let (name, revision) = match dataset.split_once('@') {
        Some((name, revision)) => (name, Some(revision.to_owned())),
        None => (dataset, None),
    };
    Some(Dataset {
        name: name.to_owned(),
        revision,
        pattern,
    })
}

impl Dataset {
    /// Whether the revision is a commit, which never changes; a branch or a tag may.
    fn is_pinned(&self) -> bool {
        let is_commit = |r: &str| r.len() == 40 && r.bytes().all(|b| b.is_ascii_hexdigit());
        self.revision.as_deref().is_some_and(is_commit)
    }
}

#[cfg(feature = "hub")]
fn from_hub(dataset: &str) -> Result<PathBuf, ReadError> {
    let commit = crate::hub::hub_commit(dataset, &Default::default())?;
    Ok(PathBuf::from(format!("hub:{commit}")))
}

/// Reading it is what says that there is no hub here.
#[cfg(not(feature = "hub"))]
fn from_hub(dataset: &str) -> Result<PathBuf, ReadError> {
    Ok(PathBuf::from(format!("hub:{dataset}")))
}
