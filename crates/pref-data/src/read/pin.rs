//! Replaces a path whose rows may change later. In: the path of a set. Out: a path whose rows stay
//! the same; for a data set of the hub, the same data set at its current commit.

use std::path::{Path, PathBuf};

use super::error::ReadError;
use crate::hub::{HubPath, hub_text};

/// The path of a data set of the hub with its current commit, if the path does not name a commit.
/// Any other path is returned unchanged.
///
/// # Errors
/// [`ReadError`] if the hub cannot be reached, or does not have the data set.
pub fn pinned(path: &Path) -> Result<PathBuf, ReadError> {
    match hub_text(path) {
        Some(text) if !HubPath::parse(text).is_some_and(|path| path.is_pinned()) => {
            current_commit(text)
        }
        _ => Ok(path.to_owned()),
    }
}

/// Whether `pin` is a path that [`pinned`] may have returned for `path`, now or earlier.
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
    let parse = |path| HubPath::parse(hub_text(path)?);
    match (parse(pin), parse(path)) {
        (Some(pin), Some(path)) => {
            let is_same_set = pin.name == path.name && pin.pattern == path.pattern;
            is_same_set && pin.is_pinned() && !path.is_pinned()
        }
        _ => false,
    }
}

#[cfg(feature = "hub")]
fn current_commit(dataset: &str) -> Result<PathBuf, ReadError> {
    let commit = crate::hub::hub_commit(dataset, &Default::default())?;
    Ok(PathBuf::from(format!("hub:{commit}")))
}

/// Without the feature, reading the path reports that the hub cannot be reached.
#[cfg(not(feature = "hub"))]
fn current_commit(dataset: &str) -> Result<PathBuf, ReadError> {
    Ok(PathBuf::from(format!("hub:{dataset}")))
}
