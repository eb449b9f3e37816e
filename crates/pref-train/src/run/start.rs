//! The way to the first step. In: a plan, and a run to go on with, if there is one. Out: a trainer
//! with policy, reference, rows and optimiser, or the news that it was asked to stop.

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use burn::module::AutodiffModule;
use burn::tensor::backend::{AutodiffBackend, Backend};
use pref_data::{BatchLayout, Tokenizer};
use pref_model::Decoder;

use super::changes::Begun;
use super::folder::Folder;
use super::identity::Identity;
use super::{Fingerprint, Outcome};
use crate::checkpoint::{self, Restored};
use crate::data::examples;
use crate::error::TrainError;
use crate::examples::Examples;
use crate::known::{KnownLogProbs, Places};
use crate::plan::{Plan, ReferenceKind};
use crate::reference::{Reference, Set, Sets, cache_key, fill_log_probs};
use crate::tracker::Tracker;
use crate::trainer::{Parts, Trainer};
use crate::turn::turn;

/// What a trainer is made from.
pub(super) struct Sources<'a> {
    pub(super) plan: &'a Plan,
    pub(super) tokenizer: &'a Tokenizer,
    pub(super) folder: &'a Folder,
    /// The run that goes on, if it is not a new one.
    pub(super) begun: Option<&'a Begun>,
}

impl Sources<'_> {
    /// Reads, tokenises and loads everything that the plan names, and restores the newest checkpoint
    /// of a run that goes on, unless it is asked to stop.
    pub(super) fn trainer<B: AutodiffBackend>(
        &self,
        device: &B::Device,
        tracker: &mut dyn Tracker,
        stop: &AtomicBool,
    ) -> Result<ControlFlow<Outcome, Trainer<B>>, TrainError> {
        let Sources {
            plan,
            tokenizer,
            folder,
            begun,
        } = *self;
        let ignored = &plan.model.ignore_config;
        let base = {
            let _turn = turn();
            Decoder::<B>::load_ignoring(&plan.model.path, ignored, device)?
        };
        let config = base.config();
        let n_ids = config.vocab_size();
        let positions = config.max_position_embeddings();
        let max_length = plan.data.max_length.unwrap_or(positions.min(1024));
        if max_length > positions {
            return Err(TrainError::TooLong {
                path: plan.model.path.clone(),
                max_length,
                positions,
            });
        }
        let sets = examples(plan, tokenizer, max_length, n_ids, tracker)?;
        let n_rows = sets.of(Set::Train).len();
        plan.train.check_warmup(plan.train.total_steps(n_rows))?;
        let layout = BatchLayout {
            pad_id: [tokenizer.pad_id(), tokenizer.eos_id()]
                .into_iter()
                .flatten()
                .find(|&id| (id as usize) < n_ids)
                .unwrap_or(0),
            pad_to_multiple_of: plan.train.pad_to_multiple_of,
            pairs: plan.train.batch_size,
            tokens: plan.train.batch_tokens,
            shares_prompts: plan.train.share_prompts,
        };
        let identity = Identity::of(plan, &sets)?;
        let restored = match begun {
            Some(begun) => {
                let total = begun.check_length(plan, n_rows)?;
                Some(self.restore(&base, total, &identity, device, tracker)?)
            }
            None => None,
        };
        let scoring = Scoring {
            plan,
            folder,
            weights: identity.reference_weights(),
            sets: &sets,
            layout,
            device,
        };
        let reference = match scoring.reference(|| base.valid(), tracker, stop)? {
            ControlFlow::Continue(reference) => reference,
            ControlFlow::Break(outcome) => return Ok(ControlFlow::Break(outcome)),
        };
        let parts = Parts {
            policy: base,
            reference,
            sets,
            layout,
            device: device.clone(),
        };
        let mut trainer = Trainer::new(plan, parts, identity)?;
        if let Some(restored) = restored {
            trainer.restore(restored);
        }
        Ok(ControlFlow::Continue(trainer))
    }

    /// The newest checkpoint of a run of `total` steps, if it began with the same inputs.
    fn restore<B: AutodiffBackend>(
        &self,
        base: &Decoder<B>,
        total: usize,
        identity: &Identity,
        device: &B::Device,
        tracker: &mut dyn Tracker,
    ) -> Result<Restored<B>, TrainError> {
        let run = self.folder.path();
        let restored = checkpoint::load_newest(run, total, base, device)?;
        for skipped in &restored.skipped {
            tracker.note(&format!("skipped a damaged checkpoint, {skipped}"));
        }
        let differences = restored.state.identity.differences(identity);
        match differences.is_empty() {
            true => Ok(restored),
            false => Err(TrainError::OtherInputs {
                folder: run.to_owned(),
                differences: differences.join(", "),
            }),
        }
    }
}

/// What the reference's log-probs are computed from, and where they are kept.
struct Scoring<'a, D> {
    plan: &'a Plan,
    folder: &'a Folder,
    /// Of the reference.
    weights: &'a Fingerprint,
    sets: &'a Sets<Examples>,
    layout: BatchLayout,
    device: &'a D,
}

impl<D> Scoring<'_, D> {
    /// The reference as the plan wants it; `base` is the policy before training.
    fn reference<B: Backend<Device = D>>(
        &self,
        base: impl FnOnce() -> Decoder<B>,
        tracker: &mut dyn Tracker,
        stop: &AtomicBool,
    ) -> Result<ControlFlow<Outcome, Reference<B>>, TrainError> {
        let plan = &self.plan.model;
        let load = || match &plan.reference_path {
            Some(path) => {
                let model = Decoder::<B>::load_ignoring(path, &plan.ignore_config, self.device);
                model.map_err(TrainError::from)
            }
            None => Ok(base()),
        };
        match plan.reference {
            ReferenceKind::None => Ok(ControlFlow::Continue(Reference::None)),
            ReferenceKind::FrozenCopy => {
                let model = Box::new(load()?);
                Ok(ControlFlow::Continue(Reference::Model(model)))
            }
            ReferenceKind::Precomputed => self.precomputed(load, tracker, stop),
        }
    }

    /// The log-probs in the run's folder, computed first where they are not there.
    fn precomputed<B: Backend<Device = D>>(
        &self,
        load: impl FnOnce() -> Result<Decoder<B>, TrainError>,
        tracker: &mut dyn Tracker,
        stop: &AtomicBool,
    ) -> Result<ControlFlow<Outcome, Reference<B>>, TrainError> {
        let places = Arc::new(Places::new(&cache_key(self.weights, self.sets), self.sets));
        let path = self.folder.file("reference.safetensors");
        let failed = || TrainError::file(&path);
        if let Some(known) = KnownLogProbs::open(&path, &places) {
            tracker.note(&format!("reference log-probs read from {}", path.display()));
            return Ok(ControlFlow::Continue(Reference::Known(known)));
        }
        let model = load()?;
        let file = places.filling(&path, self.sets, self.layout);
        let mut file = file.map_err(failed())?;
        let n_pairs = self.sets.0.iter().map(Examples::len).sum();
        let n_before = file.n_done();
        if n_before > 0 {
            tracker.note(&format!(
                "reference: {n_before} of {n_pairs} pairs were scored before"
            ));
        }
        tracker.begin("reference", n_pairs);
        tracker.advance(n_before);
        let goes_on = |n| {
            tracker.advance(n);
            !stop.load(Ordering::SeqCst)
        };
        let filled = fill_log_probs(
            &mut file,
            &model,
            self.sets,
            self.layout,
            self.device,
            goes_on,
        );
        tracker.end();
        let is_complete = filled.map_err(failed())? || file.n_done() == n_pairs;
        if !is_complete {
            file.save().map_err(failed())?;
            return Ok(ControlFlow::Break(Outcome::Unstarted {
                scored: file.n_done(),
                of: n_pairs,
            }));
        }
        file.finish().map_err(failed())?;
        match KnownLogProbs::open(&path, &places) {
            Some(known) => Ok(ControlFlow::Continue(Reference::Known(known))),
            None => Err(failed()(io::Error::other(
                "this file was just written and does not read back as written; check the disk",
            ))),
        }
    }
}
