//! The set-up of a run. In: a plan, and the plan of the run to resume, if there is one. Out: a trainer with
//! policy, reference, rows and optimiser, or the outcome of a run that was asked to stop.

use std::collections::BTreeSet;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use burn::module::AutodiffModule;
use pref_data::{BatchLayout, Tokenizer};
use pref_model::{Policy, Precision};

use super::changes::PreviousPlan;
use super::division::Division;
use super::folder::Folder;
use super::freeze::freeze;
use super::identity::Identity;
use super::models::Models;
use super::outcome::Outcome;
use super::restore::{Restored, load_newest};
use crate::error::TrainError;
use crate::plan::{Auto, Plan, ReferenceKind};
use crate::ranks::{Ranks, RanksError};
use crate::reference::{
    CacheLayout, CacheWriter, CachedLogProbs, Reference, RowsToScore, ScoreError, cache_key,
    score_rows,
};
use crate::sets::{DataSet, Examples, PerSet, read_sets};
use crate::step::{Passes, TrainBackend, TrainablePolicy, Trainer, all_shapes, parameter_shapes};
use crate::tracker::Tracker;

/// What the set-up of a run needs.
pub(super) struct Start<'a> {
    pub(super) plan: &'a Plan,
    pub(super) tokenizer: &'a Tokenizer,
    pub(super) folder: &'a Folder,
    /// The plan of the run to resume.
    pub(super) previous: Option<&'a PreviousPlan>,
    /// The processes that train together.
    pub(super) ranks: &'a Rc<dyn Ranks>,
}

/// A run that is ready for its next step.
pub(super) struct Ready<B: TrainBackend, M: Models<B>> {
    /// The plan with what the run chose.
    pub(super) plan: Plan,
    pub(super) trainer: Trainer<B, M::Policy>,
    pub(super) identity: Identity,
}

/// The model that gives the reference log-probs.
type ReferenceModel<B, M> = <<M as Models<B>>::Policy as AutodiffModule<B>>::InnerModule;

impl Start<'_> {
    /// Loads the models and reads the rows that the plan names, and restores the newest checkpoint of the
    /// run to resume. The result is `Break` if the run is asked to stop meanwhile.
    pub(super) fn ready<B: TrainBackend, M: Models<B>>(
        &self,
        models: &M,
        device: &B::Device,
        tracker: &mut dyn Tracker,
        stop: &AtomicBool,
    ) -> Result<ControlFlow<Outcome, Ready<B, M>>, TrainError> {
        let plan = self.plan;
        let policy = freeze(models.policy(plan, device)?, &plan.train.freeze)?;
        let precision = plan.train.precision;
        check_precision::<B>(precision, device)?;
        let policy = policy.in_precision(precision).ok_or(TrainError::NoBf16)?;
        note_trained(&policy, tracker);
        if plan.train.share_prompts == Auto::Set(true) && !policy.shares_prompts() {
            return Err(TrainError::NoSharedPrompts);
        }
        let n_ids = policy.vocab_size();
        let max_length = self.max_length(policy.max_positions())?;
        let sets = self.sets(n_ids, max_length, tracker)?;
        let mut plan = plan.clone();
        let division = Division::choose::<B, _>(&mut plan.train, &policy, sets.of(DataSet::Train));
        tracker.note(&division.to_string());
        let plan = &plan;
        let layout = self.layout(n_ids, max_length, &division);
        let identity = Identity::of(plan, models.fingerprint(plan, &policy)?, &sets)?;
        self.check_same(&identity, division)?;
        let mut restored = match self.previous {
            Some(previous) => {
                let total = previous.check_length(plan, sets.of(DataSet::Train).n_drawn())?;
                Some(self.restore(&policy, total, &identity, device, tracker)?)
            }
            None => None,
        };
        let load_reference = || match &plan.model.reference_path {
            Some(path) => {
                let reference = models.reference(plan, path, device)?;
                reference.in_precision(precision).ok_or(TrainError::NoBf16)
            }
            None => Ok(start_of(plan, &policy).valid()),
        };
        let reference = match plan.model.reference {
            ReferenceKind::None => Reference::None,
            ReferenceKind::FrozenCopy => {
                let restored = restored.as_mut().and_then(|r| r.reference.take());
                let reference = match restored {
                    Some(reference) => reference,
                    None => load_reference()?,
                };
                if plan.model.sync_reference {
                    check_same_parameters(&policy, &reference)?;
                }
                Reference::Model(Box::new(reference))
            }
            ReferenceKind::AdapterOff => {
                let base = policy.without_adapters().ok_or(TrainError::NoAdapter)?;
                Reference::Model(Box::new(base.valid()))
            }
            ReferenceKind::Precomputed => {
                let key = cache_key(&identity.reference_weights(), &sets);
                let precomputing = Precomputing {
                    folder: self.folder,
                    key: &key,
                    sets: &sets,
                    layout,
                    device,
                    ranks: &**self.ranks,
                };
                match precomputing.log_probs::<B, M>(load_reference, tracker, stop)? {
                    ControlFlow::Continue(cached) => Reference::Cached(cached),
                    ControlFlow::Break(outcome) => return Ok(ControlFlow::Break(outcome)),
                }
            }
        };
        let passes = Passes {
            layout,
            vocab_chunk: division.vocab_chunk,
            ranks: Rc::clone(self.ranks),
        };
        let mut trainer = Trainer::new(plan, policy, reference, sets, passes, device)?;
        if let Some(restored) = restored {
            trainer.restore(restored.policy, restored.moments, restored.position);
        }
        Ok(ControlFlow::Continue(Ready {
            plan: plan.clone(),
            trainer,
            identity,
        }))
    }

    /// Largest number of tokens of a row, for a model with this number of positions.
    pub(super) fn max_length(&self, positions: usize) -> Result<usize, TrainError> {
        let plan = self.plan;
        let max_length = plan.data.max_length.unwrap_or(positions.min(1024));
        if max_length > positions {
            return Err(TrainError::TooLong {
                path: plan.model.path.clone(),
                max_length,
                positions,
            });
        }
        Ok(max_length)
    }

    /// The rows of all data sets, for a model with this number of ids.
    pub(super) fn sets(
        &self,
        n_ids: usize,
        max_length: usize,
        tracker: &mut dyn Tracker,
    ) -> Result<PerSet<Examples>, TrainError> {
        let plan = self.plan;
        let writes = self.folder.writes();
        let sets = read_sets(plan, self.tokenizer, max_length, n_ids, writes, tracker)?;
        let n_drawn = sets.of(DataSet::Train).n_drawn();
        plan.train.check_warmup(plan.train.total_steps(n_drawn))?;
        Ok(sets)
    }

    /// How rows become batches, for a model with this number of ids.
    pub(super) fn layout(
        &self,
        n_ids: usize,
        max_length: usize,
        division: &Division,
    ) -> BatchLayout {
        let train = &self.plan.train;
        // Every rank gets a part of each step.
        let per_rank = (train.batch_size * train.gradient_accumulation).div_ceil(self.ranks.size());
        let rows = train.batch_size.min(per_rank);
        // Bins have several rows each, so tokens limit a batch of bins.
        let (pairs, tokens) = match (train.packing, division.batch_tokens) {
            (false, tokens) => (rows, tokens),
            (true, 0) => (usize::MAX, rows * max_length),
            (true, tokens) => (usize::MAX, tokens.min(rows * max_length)),
        };
        BatchLayout {
            pairs,
            tokens,
            pad_id: [self.tokenizer.pad_id(), self.tokenizer.eos_id()]
                .into_iter()
                .flatten()
                .find(|&id| (id as usize) < n_ids)
                .unwrap_or(0),
            pad_to_multiple_of: train.pad_to_multiple_of,
            shares_prompts: division.share_prompts,
        }
    }

    /// The newest checkpoint of a run of `total` steps, if the run began with the same inputs.
    fn restore<B: TrainBackend, P: TrainablePolicy<B>>(
        &self,
        policy: &P,
        total: usize,
        identity: &Identity,
        device: &B::Device,
        tracker: &mut dyn Tracker,
    ) -> Result<Restored<B, P>, TrainError> {
        let run = self.folder.path();
        let restored = load_newest(run, total, self.plan, policy, device)?;
        for skipped in &restored.skipped {
            tracker.note(&format!("skipped a damaged checkpoint, {skipped}"));
        }
        let differences = restored.identity.differences(identity, ["then", "now"]);
        if !differences.is_empty() {
            return Err(TrainError::OtherInputs {
                folder: run.to_owned(),
                differences: differences.join(", "),
            });
        }
        match (restored.processes, self.ranks.size()) {
            (then, now) if then != now => Err(TrainError::OtherProcesses {
                folder: run.to_owned(),
                then,
                now,
            }),
            _ => Ok(restored),
        }
    }

    /// Checks that all ranks read the same inputs, and chose the same division of a step.
    fn check_same(&self, identity: &Identity, division: Division) -> Result<(), TrainError> {
        let all = self.ranks.share((identity.clone(), division))?;
        let (first, first_division) = &all[0];
        for (rank, (other, division)) in all.iter().enumerate() {
            let mut differences = first.differences(other, ["on rank 0", "on this rank"]);
            if division != first_division {
                differences.push(format!("{division} (on rank 0: {first_division})"));
            }
            if !differences.is_empty() {
                return Err(TrainError::RankInputs {
                    rank,
                    differences: differences.join(", "),
                });
            }
        }
        Ok(())
    }
}

/// The policy at the start of the run, as its reference.
pub(super) fn start_of<B: TrainBackend, P: TrainablePolicy<B>>(plan: &Plan, policy: &P) -> P {
    let lora = plan.train.lora.as_ref();
    let is_new_adapter = lora.is_some_and(|lora| lora.adapter.is_none());
    // The update of a new adapter is 0, so it need not be computed.
    let base = is_new_adapter.then(|| policy.without_adapters()).flatten();
    base.unwrap_or_else(|| policy.reference())
}

/// Refuses a precision that the device does not compute in.
fn check_precision<B: TrainBackend>(
    precision: Precision,
    device: &B::Device,
) -> Result<(), TrainError> {
    match (precision, B::refusal_of_bf16(device)) {
        (Precision::Bf16, Some(reason)) => Err(TrainError::Bf16OnDevice { reason }),
        (Precision::Bf16, None) | (Precision::F32, _) => Ok(()),
    }
}

/// Checks that a reference that follows the policy has its parameters.
fn check_same_parameters<B: TrainBackend, P: TrainablePolicy<B>>(
    policy: &P,
    reference: &P::InnerModule,
) -> Result<(), TrainError> {
    let (policy, reference) = (all_shapes(policy), all_shapes(reference));
    let names: BTreeSet<&String> = policy.keys().chain(reference.keys()).collect();
    let show = |shape: Option<&Vec<usize>>| {
        shape.map_or("absent".to_owned(), |shape| format!("of shape {shape:?}"))
    };
    for name in names {
        let (ours, theirs) = (policy.get(name), reference.get(name));
        if ours != theirs {
            return Err(TrainError::OtherReference {
                difference: format!(
                    "`{name}` is {} in the policy and {} in the reference",
                    show(ours),
                    show(theirs)
                ),
            });
        }
    }
    Ok(())
}

/// Tells the number of trained parameters if some are frozen.
fn note_trained<B: TrainBackend, P: TrainablePolicy<B>>(policy: &P, tracker: &mut dyn Tracker) {
    let trained: usize = parameter_shapes(policy)
        .values()
        .map(|shape| shape.iter().product::<usize>())
        .sum();
    let all = policy.num_params();
    if trained < all {
        let share = 100.0 * trained as f64 / all as f64;
        tracker.note(&format!(
            "{trained} of {all} parameters are trained ({share:.2} %)"
        ));
    }
}

/// The computation of reference log-probs before training.
struct Precomputing<'a, D> {
    folder: &'a Folder,
    /// The hash of everything that the log-probs depend on.
    key: &'a str,
    sets: &'a PerSet<Examples>,
    layout: BatchLayout,
    device: &'a D,
    ranks: &'a dyn Ranks,
}

impl<D> Precomputing<'_, D> {
    /// The log-probs in the file in the run's folder. If the file is not complete, the missing log-probs are
    /// computed first.
    fn log_probs<B: TrainBackend<Device = D>, M: Models<B>>(
        &self,
        load: impl FnOnce() -> Result<ReferenceModel<B, M>, TrainError>,
        tracker: &mut dyn Tracker,
        stop: &AtomicBool,
    ) -> Result<ControlFlow<Outcome, CachedLogProbs>, TrainError> {
        let layout = Arc::new(CacheLayout::new(self.key, self.sets));
        let path = self.folder.file("reference.safetensors");
        let failed = || TrainError::file(&path);
        let begin = || -> Result<_, TrainError> {
            if CachedLogProbs::open(&path, &layout).is_some() {
                return Ok((None, None));
            }
            let file = CacheWriter::open(&layout, &path, self.sets, self.layout);
            let file = file.map_err(failed())?;
            Ok((Some(file.n_done()), Some(file)))
        };
        // Rank 0 has the file.
        let (n_done, mut file) = match self.ranks.is_first() {
            true => begin()?,
            false => (None, None),
        };
        let Some(n_before) = self.ranks.of_first(|| Ok::<_, RanksError>(n_done))? else {
            tracker.note(&format!("reference log-probs read from {}", path.display()));
            return self.written(&path, &layout);
        };
        let model = load()?;
        let n_rows = self.sets.0.iter().map(Examples::len).sum();
        if n_before > 0 {
            tracker.note(&format!(
                "reference: {n_before} of {n_rows} pairs were scored before"
            ));
        }
        tracker.begin("reference", n_rows);
        tracker.advance(n_before);
        let continues = |n| {
            tracker.advance(n);
            !stop.load(Ordering::SeqCst)
        };
        let rows = RowsToScore::<B::InnerBackend> {
            sets: self.sets,
            layout: self.layout,
            device: self.device,
        };
        let scored = score_rows(
            file.as_mut(),
            n_before,
            &model,
            &rows,
            self.ranks,
            continues,
        );
        tracker.end();
        let has_scored_all = scored.map_err(|error| match error {
            ScoreError::File(error) => failed()(error),
            ScoreError::Ranks(error) => TrainError::Ranks(error),
        })?;
        let own = file.as_ref().map(CacheWriter::n_done);
        let n_done = self
            .ranks
            .of_first(|| Ok::<_, RanksError>(own.unwrap_or(0)))?;
        if !has_scored_all && n_done < n_rows {
            if let Some(file) = &mut file {
                file.save().map_err(failed())?;
            }
            return Ok(ControlFlow::Break(Outcome::Unstarted {
                scored: n_done,
                of: n_rows,
            }));
        }
        if let Some(file) = file {
            file.finish().map_err(failed())?;
        }
        // The other ranks read the file when it is complete.
        self.ranks.meet()?;
        self.written(&path, &layout)
    }

    /// The log-probs in the file, which is complete.
    fn written(
        &self,
        path: &Path,
        layout: &Arc<CacheLayout>,
    ) -> Result<ControlFlow<Outcome, CachedLogProbs>, TrainError> {
        match CachedLogProbs::open(path, layout) {
            Some(cached) => Ok(ControlFlow::Continue(cached)),
            None => Err(TrainError::file(path)(io::Error::other(
                "this file was just written, but it does not contain what was written; check the disk, which all ranks have to share",
            ))),
        }
    }
}
