//! Writing checkpoints. In: weights, optimiser moments, the position of the run and its identity. Out:
//! `checkpoints/step-000123/`, a model folder in Hugging Face's layout with `optimizer.safetensors` and
//! `state.json` beside the weights, and with the folder `reference` if the reference follows the policy.
//!
//! A folder with such a name is always complete, because it is written under another name and then renamed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use pref_model::{ChecksumError, Policy, SaveDtype, SaveError, add_checksums};
use serde::{Deserialize, Serialize};

use super::identity::Identity;
use super::moments;
use super::retention::Retention;
use crate::durable::write_folder;
use crate::error::{TrainError, error_chain};
use crate::step::{Optimizer, Position, TrainBackend, TrainablePolicy};

/// File of the run's position and identity.
pub(super) const STATE: &str = "state.json";

/// File of the optimiser's moments.
pub(super) const OPTIMIZER: &str = "optimizer.safetensors";

/// Folder of the weights of a reference that changes during the run.
pub(super) const REFERENCE: &str = "reference";

/// What `state.json` holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct CheckpointState<P, I> {
    /// How far the run is.
    pub(super) position: P,
    /// The inputs that the run began with.
    pub(super) identity: I,
    /// Number of processes that train together. The sums of gradients depend on it in their last bits.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub(super) processes: usize,
}

fn one() -> usize {
    1
}

fn is_one(n: &usize) -> bool {
    *n == 1
}

/// Everything that a checkpoint holds.
pub(super) struct Snapshot<'a, B: TrainBackend, P: TrainablePolicy<B>> {
    pub(super) policy: &'a P,
    /// The reference, if its weights change during the run.
    pub(super) reference: Option<&'a P::InnerModule>,
    pub(super) optimizer: &'a Optimizer<B::InnerBackend>,
    pub(super) position: &'a Position,
    pub(super) identity: &'a Identity,
    pub(super) processes: usize,
    /// The model folder whose tokenizer is copied, so that the checkpoint can be used as a model.
    pub(super) tokenizer_from: &'a Path,
}

/// The folder of the checkpoints of a run.
pub(super) fn folder(run: &Path) -> PathBuf {
    run.join("checkpoints")
}

/// The folder of the checkpoint after a step.
pub(super) fn folder_of(run: &Path, step: usize) -> PathBuf {
    folder(run).join(name_of(step))
}

fn name_of(step: usize) -> String {
    format!("step-{step:06}")
}

/// Writes a checkpoint, then removes the oldest ones, as `retention` says.
pub(super) fn save<B: TrainBackend, P: TrainablePolicy<B>>(
    run: &Path,
    retention: Retention,
    snapshot: &Snapshot<'_, B, P>,
) -> Result<PathBuf, TrainError> {
    let path = folder_of(run, snapshot.position.step);
    write(&path, snapshot).map_err(|error| TrainError::Checkpoint {
        path: path.clone(),
        message: error_chain(&error),
    })?;
    for step in retention.to_remove(&steps(run)) {
        // If a checkpoint cannot be removed, this is no error, because it only costs space.
        let _ = fs::remove_dir_all(folder_of(run, step));
    }
    Ok(path)
}

fn write<B: TrainBackend, P: TrainablePolicy<B>>(
    path: &Path,
    snapshot: &Snapshot<'_, B, P>,
) -> Result<(), TrainError> {
    let as_file = TrainError::file(path);
    let parent = path.parent().unwrap_or(path);
    fs::create_dir_all(parent).map_err(as_file)?;
    let fill = |folder: &Path| -> Result<(), FillError> {
        snapshot.policy.save(folder, SaveDtype::F32)?;
        copy_tokenizer(snapshot.tokenizer_from, folder)?;
        if let Some(reference) = snapshot.reference {
            let folder = folder.join(REFERENCE);
            fs::create_dir(&folder)?;
            reference.save(&folder, SaveDtype::F32)?;
        }
        moments::write(snapshot.optimizer.moments(), &folder.join(OPTIMIZER))?;
        let state = CheckpointState {
            position: snapshot.position,
            identity: snapshot.identity,
            processes: snapshot.processes,
        };
        let state = serde_json::to_vec_pretty(&state).map_err(io::Error::other)?;
        fs::write(folder.join(STATE), state)?;
        // The weights have their checksums already.
        add_checksums(folder, &[OPTIMIZER, STATE])?;
        Ok(())
    };
    write_folder(path, fill).map_err(|error| match error {
        FillError::Io(source) => TrainError::file(path)(source),
        FillError::Save(error) => TrainError::Save(error),
        FillError::Checksum(error) => TrainError::Checksum(error),
    })
}

/// Why a folder could not be filled.
#[derive(Debug, thiserror::Error)]
enum FillError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Save(#[from] SaveError),
    #[error(transparent)]
    Checksum(#[from] ChecksumError),
}

/// The files of a model folder besides its configuration and weights.
const TOKENIZER_FILES: [&str; 9] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
    "special_tokens_map.json",
    "added_tokens.json",
    "generation_config.json",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
];

/// Copies the files of a model folder that are neither its configuration nor weights, such as the tokenizer's.
///
/// # Errors
/// The I/O error of the file system.
pub fn copy_tokenizer(from: &Path, to: &Path) -> io::Result<()> {
    for name in TOKENIZER_FILES {
        let source = from.join(name);
        if source.is_file() {
            // Copy the bytes and not the permissions, so that a read-only model gives a writable one.
            fs::write(to.join(name), fs::read(source)?)?;
        }
    }
    Ok(())
}

/// The steps of the checkpoints in a run's folder, oldest first. A folder is a checkpoint if it has the
/// name of one and holds `state.json`.
pub(super) fn steps(run: &Path) -> Vec<usize> {
    let Ok(entries) = fs::read_dir(folder(run)) else {
        return Vec::new();
    };
    let step = |entry: io::Result<fs::DirEntry>| {
        let entry = entry.ok()?;
        let name = entry.file_name();
        let step: usize = name.to_str()?.strip_prefix("step-")?.parse().ok()?;
        let is_checkpoint = name == *name_of(step) && entry.path().join(STATE).is_file();
        is_checkpoint.then_some(step)
    };
    let mut steps: Vec<usize> = entries.filter_map(step).collect();
    steps.sort_unstable();
    steps
}

/// Whether a run's folder has a checkpoint to resume from. The checkpoint may still be damaged.
pub fn has_checkpoint(run: &Path) -> bool {
    !steps(run).is_empty()
}

/// Writes the final weights as a model folder.
pub(super) fn save_model<B: TrainBackend, P: TrainablePolicy<B>>(
    path: &Path,
    policy: &P,
    dtype: SaveDtype,
    tokenizer_from: &Path,
) -> Result<(), TrainError> {
    let fill = |folder: &Path| -> Result<(), FillError> {
        policy.save(folder, dtype)?;
        copy_tokenizer(tokenizer_from, folder)?;
        Ok(())
    };
    write_folder(path, fill).map_err(|error| TrainError::FinalWeights {
        path: path.to_owned(),
        message: error_chain(&error),
    })
}
