//! The folder that a model is saved into. In: files of weights, one after the other. Out: the
//! folder with them and their checksums, and without the weights of the save before.
//!
//! Only what a save of this crate wrote is removed (its checksums name it), and the shards of an
//! index that the new weights replace.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::SaveError;
use crate::checksums::Checksums;
use crate::load::{INDEX, Index, SINGLE};
use crate::whole::write_whole;

pub(super) struct Target<'a> {
    folder: &'a Path,
    sums: Checksums,
    written: BTreeSet<String>,
    /// Weights of the save before.
    replaced: BTreeSet<String>,
}

impl<'a> Target<'a> {
    /// Looks at what is in a folder that is to hold `n_files` files of weights.
    pub(super) fn open(folder: &'a Path, n_files: usize) -> Result<Self, SaveError> {
        // damaged ones vouch for nothing, and are replaced
        let mut sums = Checksums::of_folder(folder).unwrap_or_default();
        let own = sums.names().filter(|name| is_weights(name));
        let own: BTreeSet<String> = own.map(str::to_owned).collect();
        let single = folder.join(SINGLE);
        if n_files > 1 && single.exists() && !own.contains(SINGLE) {
            return Err(SaveError::InTheWay { path: single });
        }
        // until all is written, there is nothing to compare with
        if !own.is_empty() {
            own.iter().for_each(|name| sums.remove(name));
            sums.write(folder)?;
        }
        let mut replaced = own;
        replaced.extend(indexed(folder));
        Ok(Self {
            folder,
            sums,
            written: BTreeSet::new(),
            replaced,
        })
    }

    /// Writes a file of weights, or their index.
    pub(super) fn write(&mut self, name: &str, bytes: &[u8]) -> Result<(), SaveError> {
        let path = self.folder.join(name);
        write_whole(&path, bytes).map_err(SaveError::at(&path))?;
        self.sums.insert(name, bytes);
        self.written.insert(name.to_owned());
        Ok(())
    }

    /// Writes the checksums and removes the weights of the save before.
    pub(super) fn finish(self) -> Result<(), SaveError> {
        self.sums.write(self.folder)?;
        let leftovers = leftovers(self.folder)?;
        let stale = self.replaced.difference(&self.written);
        let stale = stale.map(|name| self.folder.join(name));
        for path in stale.chain(leftovers) {
            if path.is_file() {
                fs::remove_file(&path).map_err(SaveError::at(&path))?;
            }
        }
        Ok(())
    }
}

/// An index that is there, and the shards it names.
fn indexed(folder: &Path) -> Vec<String> {
    let Ok(bytes) = fs::read(folder.join(INDEX)) else {
        return Vec::new();
    };
    let shards = match serde_json::from_slice::<Index>(&bytes) {
        Ok(index) => index.weight_map.into_values().collect(),
        // not known to name anything
        Err(_) => Vec::new(),
    };
    let mut names: Vec<String> = shards;
    names.retain(|name| is_weights(name));
    names.push(INDEX.to_owned());
    names
}

/// What a save that was killed left: files under the temporary names of weights.
fn leftovers(folder: &Path) -> Result<Vec<PathBuf>, SaveError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(SaveError::at(folder))? {
        let entry = entry.map_err(SaveError::at(folder))?;
        let name = entry.file_name();
        let hidden = name.to_str().and_then(|name| name.strip_prefix('.'));
        if hidden
            .and_then(|name| name.strip_suffix(".tmp"))
            .is_some_and(is_weights)
        {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// Whether a save gives files such a name: `model.safetensors`, its index, `model-00001-of-00002.safetensors`.
fn is_weights(name: &str) -> bool {
    let is_number = |text: &str| text.len() >= 5 && text.bytes().all(|b| b.is_ascii_digit());
    let shard = name
        .strip_prefix("model-")
        .and_then(|name| name.strip_suffix(".safetensors"))
        .and_then(|numbers| numbers.split_once("-of-"));
    let is_shard = shard.is_some_and(|(i, n)| is_number(i) && is_number(n));
    name == SINGLE || name == INDEX || is_shard
}
