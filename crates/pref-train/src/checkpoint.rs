//! Checkpoints: all that a run needs to go on as if it had never stopped.
//!
//! In: weights, optimiser moments and the run's position. Out: `checkpoints/step-000123/`, a model
//! folder in Hugging Face's layout with `optimizer.safetensors` and `state.json` beside the
//! weights. A folder of that name is complete: it is written under another and renamed.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use burn::tensor::{Tensor, TensorData, backend::AutodiffBackend, backend::Backend};
use pref_data::Sampler;
use pref_model::{ChecksumError, Checksums, Decoder, SaveDtype, add_checksums};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use crate::durable::write_folder;
use crate::error::TrainError;
use crate::metrics::{PairSums, Record};
use crate::optimizer::{AdamW, Moments};
use crate::parameters::parameter_sizes;
use crate::run::Identity;
use crate::turn::turn;

const STATE: &str = "state.json";
const OPTIMIZER: &str = "optimizer.safetensors";

/// The run's position.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    /// Optimiser steps taken.
    pub(crate) step: usize,
    /// Steps the optimiser counts, for its bias correction.
    pub(crate) optimizer_steps: u64,
    /// Tokens seen.
    pub(crate) tokens: u64,
    /// Which pairs come next.
    pub(crate) sampler: Sampler,
    /// The same of the pairs with emptied traces.
    pub(crate) empty_sampler: Sampler,
    /// Pairs since the last line of the metrics: training pairs, and those with emptied traces.
    pub(crate) unlogged: [PairSums; 2],
    /// The last step's line of the metrics, where it could not be written.
    pub(crate) unwritten: Option<Record>,
    /// What the run was started on.
    pub(crate) identity: Identity,
}

impl State {
    /// What makes this impossible as the state of a run that has these parameters.
    fn flaw(&self, step: usize, sizes: &BTreeMap<String, usize>, moments: Sizes) -> Option<String> {
        if self.step != step {
            return Some(format!("its state is that of step {}", self.step));
        }
        if self.sampler.n_pairs() == 0 {
            return Some("its state has no rows to train on".to_owned());
        }
        if self.optimizer_steps as usize != self.step {
            let n = self.optimizer_steps;
            return Some(format!("its optimiser has taken {n} steps"));
        }
        for (name, [first, second]) in &moments {
            let size = sizes.get(name);
            if size != Some(first) || size != Some(second) {
                return Some(format!("the moments of `{name}` do not fit the weights"));
            }
        }
        let missing = sizes.keys().find(|name| !moments.contains_key(*name));
        match missing {
            Some(name) if self.step > 0 => Some(format!("it has no moments of `{name}`")),
            _ => None,
        }
    }
}

/// Elements of each parameter's two moments.
type Sizes = BTreeMap<String, [usize; 2]>;

/// What is written and read besides the state.
pub(crate) struct Snapshot<'a, B: AutodiffBackend> {
    pub(crate) policy: &'a Decoder<B>,
    pub(crate) optimizer: &'a AdamW<B::InnerBackend>,
    pub(crate) state: &'a State,
    /// A model folder to copy the tokenizer from, so that the checkpoint can be used as a model.
    pub(crate) tokenizer_from: &'a Path,
}

/// The folder of a run's checkpoints.
pub(crate) fn folder(run: &Path) -> PathBuf {
    run.join("checkpoints")
}

/// The folder of a step's checkpoint.
pub(crate) fn folder_of(run: &Path, step: usize) -> PathBuf {
    folder(run).join(name_of(step))
}

fn name_of(step: usize) -> String {
    format!("step-{step:06}")
}

/// Writes the checkpoint of a step, then removes all but the newest `keep` (0: none).
pub(crate) fn save<B: AutodiffBackend>(
    run: &Path,
    keep: usize,
    snapshot: &Snapshot<'_, B>,
) -> Result<PathBuf, TrainError> {
    let path = folder_of(run, snapshot.state.step);
    write(&path, snapshot).map_err(|error| TrainError::Checkpoint {
        path: path.clone(),
        message: chain(&error),
    })?;
    prune(run, keep);
    Ok(path)
}

fn write<B: AutodiffBackend>(path: &Path, snapshot: &Snapshot<'_, B>) -> Result<(), TrainError> {
    let as_file = TrainError::file(path);
    let parent = path.parent().unwrap_or(path);
    fs::create_dir_all(parent).map_err(as_file)?;
    let fill = |folder: &Path| -> Result<(), FillError> {
        snapshot.policy.save(folder, SaveDtype::F32)?;
        copy_tokenizer(snapshot.tokenizer_from, folder)?;
        let moments = serialize(snapshot.optimizer.moments())?;
        fs::write(folder.join(OPTIMIZER), moments)?;
        let state = serde_json::to_vec_pretty(snapshot.state).map_err(io::Error::other)?;
        fs::write(folder.join(STATE), state)?;
        // those of the weights are there already
        add_checksums(folder, &[OPTIMIZER, STATE])?;
        Ok(())
    };
    write_folder(path, fill).map_err(|error| match error {
        FillError::Io(source) => TrainError::file(path)(source),
        FillError::Save(error) => TrainError::Save(error),
        FillError::Checksum(error) => TrainError::Checksum(error),
    })
}

/// What can go wrong while a folder is being filled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FillError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Save(#[from] pref_model::SaveError),
    #[error(transparent)]
    Checksum(#[from] ChecksumError),
}

/// Files that make a folder of weights a model that can be talked to.
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

pub(crate) fn copy_tokenizer(from: &Path, to: &Path) -> io::Result<()> {
    for name in TOKENIZER_FILES {
        let source = from.join(name);
        if source.is_file() {
            // the bytes, not the permissions: a read-only model makes no read-only checkpoint
            fs::write(to.join(name), fs::read(source)?)?;
        }
    }
    Ok(())
}

/// Steps of the checkpoints in a run's folder, oldest first. Other folders are none of them, even
/// if their names begin alike.
pub(crate) fn steps(run: &Path) -> Vec<usize> {
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

/// Whether a run's folder has a checkpoint to go on from; it may still turn out to be damaged.
pub fn has_checkpoint(run: &Path) -> bool {
    !steps(run).is_empty()
}

/// Removes all but the newest `keep`. One that cannot be removed costs space, not the run.
fn prune(run: &Path, keep: usize) {
    let steps = steps(run);
    let n_old = match keep {
        0 => 0,
        keep => steps.len().saturating_sub(keep),
    };
    for step in &steps[..n_old] {
        let _ = fs::remove_dir_all(folder_of(run, *step));
    }
}

/// What was read of a checkpoint.
pub(crate) struct Restored<B: AutodiffBackend> {
    pub(crate) policy: Decoder<B>,
    pub(crate) moments: BTreeMap<String, Moments<B::InnerBackend>>,
    pub(crate) state: State,
    /// What was wrong with newer ones, to be told.
    pub(crate) skipped: Vec<String>,
}

/// The newest checkpoint that is complete and undamaged, of a run of `total` steps that began with
/// `start`.
pub(crate) fn load_newest<B: AutodiffBackend>(
    run: &Path,
    total: usize,
    start: &Decoder<B>,
    device: &B::Device,
) -> Result<Restored<B>, TrainError> {
    let mut skipped = Vec::new();
    for step in steps(run).into_iter().rev() {
        let folder = folder_of(run, step);
        let loaded = match step > total {
            true => Err(TrainError::file(&folder)(io::Error::other(format!(
                "the run ends after {total} steps"
            )))),
            false => load(&folder, step, start, device),
        };
        match loaded {
            Ok(mut restored) => {
                restored.skipped = skipped;
                return Ok(restored);
            }
            Err(error) => skipped.push(format!("{}: {}", folder.display(), chain(&error))),
        }
    }
    Err(TrainError::Damaged {
        folder: folder(run),
        reasons: skipped.join("; "),
    })
}

fn load<B: AutodiffBackend>(
    folder: &Path,
    step: usize,
    start: &Decoder<B>,
    device: &B::Device,
) -> Result<Restored<B>, TrainError> {
    let checksums = Checksums::of_folder(folder)?;
    let checked = |name: &str| -> Result<(PathBuf, Vec<u8>), TrainError> {
        let path = folder.join(name);
        let bytes = fs::read(&path).map_err(TrainError::file(&path))?;
        if !checksums.contains(name) {
            let missing = format!("{} has no checksum of it", Checksums::FILE);
            return Err(TrainError::file(&path)(io::Error::other(missing)));
        }
        checksums.check(&path, &bytes)?;
        Ok((path, bytes))
    };
    let (path, bytes) = checked(STATE)?;
    let state: State =
        serde_json::from_slice(&bytes).map_err(|e| TrainError::file(&path)(io::Error::other(e)))?;
    let (path, bytes) = checked(OPTIMIZER)?;
    let moments = deserialize(&bytes, device).map_err(TrainError::file(&path))?;
    // weights in f32; the final ones are to be as those that the run began with
    let policy = {
        let _turn = turn();
        Decoder::load_ignoring(folder, start.ignored(), device)?.with_source_of(start)
    };
    let sizes = moments.iter().map(|(name, Moments { first, second })| {
        let sizes = [first, second].map(|moment| moment.dims()[0]);
        (name.clone(), sizes)
    });
    match state.flaw(step, &parameter_sizes(&policy), sizes.collect()) {
        Some(flaw) => Err(TrainError::file(folder)(io::Error::other(flaw))),
        None => Ok(Restored {
            policy,
            moments,
            state,
            skipped: Vec::new(),
        }),
    }
}

fn serialize<B: Backend>(moments: &BTreeMap<String, Moments<B>>) -> io::Result<Vec<u8>> {
    let mut flat: Vec<(String, Vec<u8>)> = Vec::new();
    for (name, Moments { first, second }) in moments {
        flat.push((format!("first.{name}"), le_bytes(first)));
        flat.push((format!("second.{name}"), le_bytes(second)));
    }
    let mut views = Vec::new();
    for (name, bytes) in &flat {
        let view = TensorView::new(Dtype::F32, vec![bytes.len() / 4], bytes);
        views.push((name.as_str(), view.map_err(io::Error::other)?));
    }
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    safetensors::serialize(views, Some(metadata)).map_err(io::Error::other)
}

fn deserialize<B: Backend>(
    bytes: &[u8],
    device: &B::Device,
) -> io::Result<BTreeMap<String, Moments<B>>> {
    let file = SafeTensors::deserialize(bytes).map_err(io::Error::other)?;
    let read = |name: &str| -> io::Result<Tensor<B, 1>> {
        let view = file.tensor(name).map_err(io::Error::other)?;
        if view.dtype() != Dtype::F32 {
            return Err(io::Error::other(format!("{name} is not f32")));
        }
        let words = view.data().chunks_exact(4);
        let values: Vec<f32> = words
            .map(|w| f32::from_le_bytes([w[0], w[1], w[2], w[3]]))
            .collect();
        let n = values.len();
        Ok(Tensor::from_data(TensorData::new(values, [n]), device))
    };
    let mut moments = BTreeMap::new();
    for name in file.names() {
        if let Some(parameter) = name.strip_prefix("first.") {
            let first = read(name)?;
            let second = read(&format!("second.{parameter}"))?;
            moments.insert(parameter.to_owned(), Moments { first, second });
        }
    }
    Ok(moments)
}

fn le_bytes<B: Backend>(tensor: &Tensor<B, 1>) -> Vec<u8> {
    let data = tensor.to_data();
    data.iter::<f32>().flat_map(f32::to_le_bytes).collect()
}

/// An error with its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

/// Saves the final weights as a model folder.
pub(crate) fn save_model<B: AutodiffBackend>(
    path: &Path,
    policy: &Decoder<B>,
    dtype: SaveDtype,
    tokenizer_from: &Path,
) -> Result<(), TrainError> {
    let fill = |folder: &Path| -> Result<(), FillError> {
        policy.save(folder, dtype)?;
        copy_tokenizer(tokenizer_from, folder)?;
        Ok(())
    };
    write_folder(path, fill).map_err(|error| TrainError::Checkpoint {
        path: path.to_owned(),
        message: chain(&error),
    })
}
