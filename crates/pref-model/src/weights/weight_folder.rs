//! The folder that weights are saved into. In: weight files, one after the other. Out: the folder with
//! these files and their checksums, and without the weight files of the previous save.
//!
//! Two kinds of files are removed: weight files that the checksums of an earlier save name, and shards that
//! a replaced index names. All other files stay.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::atomic::{intended_name, replace_file};
use super::checksums::{ChecksumError, Checksums};
use super::names::{INDEX, Index, SINGLE, is_weights};
use super::save_error::SaveError;

/// A folder while weights are saved into it.
pub(super) struct WeightFolder<'a> {
    folder: &'a Path,
    sums: Checksums,
    written: BTreeSet<String>,
    /// Weight files of the previous save.
    replaced: BTreeSet<String>,
}

impl<'a> WeightFolder<'a> {
    /// Inspects a folder that is going to hold `n_files` weight files.
    pub(super) fn open(folder: &'a Path, n_files: usize) -> Result<Self, SaveError> {
        // A damaged list of checksums says nothing about the files, and is replaced.
        let mut sums = Checksums::of_folder(folder).unwrap_or_default();
        let own = sums.names().filter(|name| is_weights(name));
        let own: BTreeSet<String> = own.map(str::to_owned).collect();
        let single = folder.join(SINGLE);
        if n_files > 1 && single.exists() && !own.contains(SINGLE) {
            return Err(SaveError::InTheWay { path: single });
        }
        // While the files are being replaced, none of them has a checksum.
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

    /// Writes a weight file or the index: `write` fills a file at a temporary path, which then gets its name.
    pub(super) fn write(
        &mut self,
        name: &str,
        write: impl FnOnce(&Path) -> Result<(), SaveError>,
    ) -> Result<(), SaveError> {
        write_summed(self.folder, name, &mut self.sums, write)?;
        self.written.insert(name.to_owned());
        Ok(())
    }

    /// Writes the checksums and removes the weight files of the previous save.
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

/// Writes one file of a folder and its checksum. All other files stay.
pub(super) fn write_alone(
    folder: &Path,
    name: &str,
    write: impl FnOnce(&Path) -> Result<(), SaveError>,
) -> Result<(), SaveError> {
    let mut sums = Checksums::of_folder(folder).unwrap_or_default();
    // While the file is being replaced, it has no checksum.
    if sums.contains(name) {
        sums.remove(name);
        sums.write(folder)?;
    }
    write_summed(folder, name, &mut sums, write)?;
    Ok(sums.write(folder)?)
}

/// Writes a file, which `write` fills at a temporary path, and adds its checksum to `sums`.
fn write_summed(
    folder: &Path,
    name: &str,
    sums: &mut Checksums,
    write: impl FnOnce(&Path) -> Result<(), SaveError>,
) -> Result<(), SaveError> {
    let path = folder.join(name);
    replace_file(&path, |file| {
        write(file.path()).map_err(Failure::Inner)?;
        Ok(sums.insert_file(name, file.path())?)
    })
    .map_err(|failure| match failure {
        Failure::Inner(error) => error,
        Failure::Checksum(error) => SaveError::Checksum(error),
        Failure::Io(error) => SaveError::at(&path)(error),
    })
}

/// The index of a folder, if there is one, and the shards that it names.
fn indexed(folder: &Path) -> Vec<String> {
    let Ok(bytes) = fs::read(folder.join(INDEX)) else {
        return Vec::new();
    };
    let shards = match serde_json::from_slice::<Index>(&bytes) {
        Ok(index) => index.weight_map.into_values().collect(),
        // a damaged index names no shard
        Err(_) => Vec::new(),
    };
    let mut names: Vec<String> = shards;
    names.retain(|name| is_weights(name));
    names.push(INDEX.to_owned());
    names
}

/// Weight files under temporary names, which a killed save left.
fn leftovers(folder: &Path) -> Result<Vec<PathBuf>, SaveError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(SaveError::at(folder))? {
        let entry = entry.map_err(SaveError::at(folder))?;
        let name = entry.file_name();
        let intended = name.to_str().and_then(intended_name);
        if intended.is_some_and(is_weights) {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// Why a weight file was not written.
enum Failure {
    Inner(SaveError),
    Checksum(ChecksumError),
    Io(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Io(error)
    }
}

impl From<ChecksumError> for Failure {
    fn from(error: ChecksumError) -> Self {
        Failure::Checksum(error)
    }
}
