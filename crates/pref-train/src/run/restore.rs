//! Reading checkpoints. In: a run's folder. Out: the newest checkpoint that is complete and undamaged.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use pref_model::{Checksums, Policy};

use super::checkpoint::{CheckpointState, OPTIMIZER, REFERENCE, STATE, folder, folder_of, steps};
use super::identity::Identity;
use super::moments;
use crate::autodiff_lock::lock_autodiff;
use crate::error::{TrainError, error_chain};
use crate::plan::Plan;
use crate::step::{
    Moments, Position, TrainBackend, TrainablePolicy, flaw_of_moments, parameter_shapes,
};

/// The content of a checkpoint.
pub(super) struct Restored<B: TrainBackend, P: TrainablePolicy<B>> {
    pub(super) policy: P,
    /// The reference, if it follows the policy.
    pub(super) reference: Option<P::InnerModule>,
    pub(super) moments: BTreeMap<String, Moments<B::InnerBackend>>,
    pub(super) position: Position,
    pub(super) identity: Identity,
    /// Number of processes that trained together.
    pub(super) processes: usize,
    /// What is wrong with newer checkpoints, which were skipped.
    pub(super) skipped: Vec<String>,
}

/// The newest checkpoint that is complete and undamaged, of a run of `total` steps with this plan. `policy` is the policy
/// before training; a copy of it gets the weights of the checkpoint.
///
/// # Errors
/// [`TrainError::Damaged`] with the problem of each checkpoint, if none can be read.
pub(super) fn load_newest<B: TrainBackend, P: TrainablePolicy<B>>(
    run: &Path,
    total: usize,
    plan: &Plan,
    policy: &P,
    device: &B::Device,
) -> Result<Restored<B, P>, TrainError> {
    let mut skipped = Vec::new();
    for step in steps(run).into_iter().rev() {
        let folder = folder_of(run, step);
        let loaded = match step > total {
            true => Err(TrainError::file(&folder)(io::Error::other(format!(
                "the run ends after {total} steps"
            )))),
            false => load(&folder, step, plan, policy, device),
        };
        match loaded {
            Ok(mut restored) => {
                restored.skipped = skipped;
                return Ok(restored);
            }
            Err(error) => skipped.push(format!("{}: {}", folder.display(), error_chain(&error))),
        }
    }
    Err(TrainError::Damaged {
        folder: folder(run),
        reasons: skipped.join("; "),
    })
}

/// The policy in the checkpoint of the best evaluation. `policy` is the policy at another step.
///
/// # Errors
/// [`TrainError::Best`] if it cannot be read.
pub(super) fn restored_policy<B: TrainBackend, P: TrainablePolicy<B>>(
    folder: &Path,
    policy: &P,
) -> Result<P, TrainError> {
    let _lock = lock_autodiff();
    let restored = policy.clone().restore(folder);
    restored.map_err(|error| TrainError::Best {
        path: folder.to_owned(),
        message: error_chain(&error),
    })
}

fn load<B: TrainBackend, P: TrainablePolicy<B>>(
    folder: &Path,
    step: usize,
    plan: &Plan,
    policy: &P,
    device: &B::Device,
) -> Result<Restored<B, P>, TrainError> {
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
    let state: CheckpointState<Position, Identity> =
        serde_json::from_slice(&bytes).map_err(|e| TrainError::file(&path)(io::Error::other(e)))?;
    let (path, bytes) = checked(OPTIMIZER)?;
    let moments = moments::read(&bytes, device).map_err(TrainError::file(&path))?;
    let policy = {
        let _lock = lock_autodiff();
        policy.clone().restore(folder)?
    };
    let reference = match plan.model.sync_reference {
        true => Some(policy.valid().restore(&folder.join(REFERENCE))?),
        false => None,
    };
    let flaw = flaw(&state.position, step).or_else(|| {
        let steps = state.position.optimizer_steps;
        flaw_of_moments(&plan.train, steps, &parameter_shapes(&policy), &moments)
    });
    match flaw {
        Some(flaw) => Err(TrainError::file(folder)(io::Error::other(flaw))),
        None => Ok(Restored {
            policy,
            reference,
            moments,
            position: state.position,
            identity: state.identity,
            processes: state.processes,
            skipped: Vec::new(),
        }),
    }
}

/// Why a position cannot be that after `step` steps of a run. `None` if it can.
fn flaw(position: &Position, step: usize) -> Option<String> {
    if position.step != step {
        return Some(format!("its state belongs to step {}", position.step));
    }
    if position.sampler.n_pairs() == 0 {
        return Some("its state has no rows to train on".to_owned());
    }
    let n = position.optimizer_steps;
    (n as usize != position.step).then(|| format!("its optimiser has taken {n} steps"))
}
