//! The training step. In: the next rows. Out: the policy after one update, and what was measured.

use std::collections::BTreeMap;
use std::rc::Rc;

use burn::tensor::{ElementConversion, Tensor, backend::Backend};
use pref_core::{BatchError, BvpoAlpha, ObjectiveKind, backward_in_chunks, token_kl};
use pref_data::{BatchLayout, Order, Place, Placed, Sampler};
use pref_model::token_log_probs;

use super::checkpoints::Checkpoints;
use super::gradients::NamedGradients;
use super::loss_inputs::{LossInputs, StepFailure, mixed_means};
use super::mixture::{AlphaEstimate, FIRST_ALPHA};
use super::objective::RunObjective;
use super::optimizer::{Moments, Optimizer};
use super::policy::{TrainBackend, TrainablePolicy};
use super::position::Position;
use super::reference_sync::mixed;
use super::schedule::Schedule;
use crate::autodiff_lock::lock_autodiff;
use crate::batch::{AnswerBatch, HeadValues, TokenValues, head_values, responses, token_tensor};
use crate::error::TrainError;
use crate::metrics::{Measured, RowValues, StepRecord, Sums};
use crate::plan::{Plan, TrainPlan};
use crate::ranks::Ranks;
use crate::reference::Reference;
use crate::sets::{DataSet, Examples, PerSet, RowBatch, skipped_rows};

/// Largest number of parameters that an error names.
const PARAMETERS_IN_AN_ERROR: usize = 3;
/// Why a trainer always has a policy.
const ONLY_IN_AN_UPDATE: &str = "the policy is absent only during an update";

/// The state of a run in memory: policy, optimiser, position, rows and reference.
#[derive(Debug)]
pub(crate) struct Trainer<B: TrainBackend, P: TrainablePolicy<B>> {
    /// Absent only during an update.
    policy: Option<P>,
    pub(crate) optimizer: Optimizer<B::InnerBackend>,
    pub(crate) position: Position,
    /// Rows and reference, which need no gradients.
    pub(crate) inputs: LossInputs<B::InnerBackend, P::InnerModule>,
    pub(super) objective: RunObjective<B>,
    pub(super) plan: TrainPlan,
    schedule: Schedule,
    sync: Option<ReferenceSync>,
}

/// When and how the reference follows the policy.
#[derive(Clone, Copy, Debug)]
struct ReferenceSync {
    every: usize,
    alpha: f64,
}

/// How steps are divided into forward passes, and forward passes among ranks.
#[derive(Clone, Debug)]
pub(crate) struct Passes {
    pub(crate) layout: BatchLayout,
    /// Number of positions whose logits are computed at the same time; 0 for all.
    pub(crate) vocab_chunk: usize,
    pub(crate) ranks: Rc<dyn Ranks>,
}

/// Rows of a set that a step has drawn, in their order.
pub(super) struct Drawn {
    pub(super) set: DataSet,
    pub(super) indices: Vec<usize>,
}

/// What the forward passes of a step leave.
pub(super) struct Work<B: Backend> {
    /// The rows of each micro-batch, of all ranks.
    pub(super) parts: Vec<(DataSet, Vec<usize>)>,
    /// What is measured of this rank's micro-batches, with their numbers.
    pub(super) measured: Vec<(usize, Measured<B>)>,
}

impl<B: Backend> Default for Work<B> {
    fn default() -> Self {
        Self {
            parts: Vec::new(),
            measured: Vec::new(),
        }
    }
}

/// A micro-batch.
pub(super) struct Part<'a, P> {
    /// The policy in this forward pass, with the parameters of the trained policy.
    pub(super) policy: &'a P,
    pub(super) set: DataSet,
    /// The rows.
    pub(super) indices: &'a [usize],
    /// The weight of the mean loss of the rows in the loss of the step.
    pub(super) share: f64,
}

impl<B: TrainBackend, P: TrainablePolicy<B>> Trainer<B, P> {
    /// A trainer before its first step.
    ///
    /// # Errors
    /// [`TrainError`] if `data.skip` names a row that does not exist or leaves no row to train on, or if a pattern
    /// of `train.groups` fits no parameter.
    pub(crate) fn new(
        plan: &Plan,
        policy: P,
        reference: Reference<P::InnerModule>,
        sets: PerSet<Examples>,
        passes: Passes,
        device: &B::Device,
    ) -> Result<Self, TrainError> {
        let order = match plan.data.shuffle {
            true => Order::Shuffled,
            false => Order::Sequential,
        };
        let skipped = skipped_rows(&plan.data, &sets)?;
        let train = &plan.train;
        let n = |set: DataSet| sets.of(set).n_drawn();
        let (alpha, mixture) = match plan.objective.kind() {
            ObjectiveKind::Bvpo(bvpo) => match bvpo.alpha {
                BvpoAlpha::Fixed(alpha) => (alpha, None),
                BvpoAlpha::Optimal => (FIRST_ALPHA, Some(AlphaEstimate::default())),
            },
            ObjectiveKind::Pairwise(_)
            | ObjectiveKind::Kto(_)
            | ObjectiveKind::Sum(_)
            | ObjectiveKind::Sft(_)
            | ObjectiveKind::BradleyTerry(_)
            | ObjectiveKind::Segments(_) => (1.0, None),
        };
        Ok(Self {
            optimizer: Optimizer::new(train, &policy)?,
            policy: Some(policy),
            position: Position {
                step: 0,
                optimizer_steps: 0,
                tokens: 0,
                sampler: Sampler::new(n(DataSet::Train), order, train.seed),
                empty_sampler: Sampler::new(n(DataSet::Empty), order, train.seed),
                unlogged: [Sums::default(); 2],
                mixture,
                unwritten: None,
            },
            schedule: Schedule::new(train, train.total_steps(n(DataSet::Train))),
            objective: RunObjective::new(&plan.objective),
            inputs: LossInputs {
                sets,
                skipped,
                reference,
                layout: passes.layout,
                vocab_chunk: passes.vocab_chunk,
                logs_entropy: train.log_entropy,
                needs_kl: plan.objective.needs().kl,
                alpha,
                device: device.clone(),
                ranks: passes.ranks,
            },
            plan: train.clone(),
            sync: plan.model.sync_reference.then_some(ReferenceSync {
                every: plan.model.sync_every,
                alpha: plan.model.sync_alpha,
            }),
        })
    }

    /// Moves to the position of a checkpoint.
    pub(crate) fn restore(
        &mut self,
        policy: P,
        moments: BTreeMap<String, Moments<B::InnerBackend>>,
        position: Position,
    ) {
        self.policy = Some(policy);
        self.optimizer.restore(position.optimizer_steps, moments);
        if let Some(mixture) = &position.mixture {
            self.inputs.alpha = mixture.alpha();
        }
        self.position = position;
    }

    /// The policy after the steps so far.
    ///
    /// # Panics
    /// If an update panicked before, which leaves no policy.
    pub(crate) fn policy(&self) -> &P {
        self.policy.as_ref().expect(ONLY_IN_AN_UPDATE)
    }

    /// Number of optimiser steps of the whole run.
    pub(crate) fn total_steps(&self) -> usize {
        self.plan
            .total_steps(self.inputs.sets.of(DataSet::Train).n_drawn())
    }

    /// The places of the rows `indices` in their files.
    pub(crate) fn places(&self, set: DataSet, indices: &[usize]) -> Vec<Place> {
        let entries = self.inputs.sets.of(set).entries();
        let place = |&i: &usize| entries[i].place().clone();
        indices.iter().map(place).collect()
    }

    /// Takes one optimiser step: forward and backward on each micro-batch, then the update. Ranks divide the
    /// micro-batches among them, and take the same step. The loss is
    /// the mean over all rows of the step (for sft over all counted tokens, for the scores of segments over
    /// all segments), independent of their division into micro-batches. The result
    /// is a line of the metrics, if one is due.
    ///
    /// # Errors
    /// [`StepFailure`]; the policy and the position then stay as they were.
    pub(crate) fn step(&mut self) -> Result<Option<StepRecord>, StepFailure> {
        let _lock = lock_autodiff();
        let [mut sampler, mut empty_sampler] =
            [&self.position.sampler, &self.position.empty_sampler].map(Clone::clone);
        let pairs_per_step = self.plan.batch_size * self.plan.gradient_accumulation;
        let mut drawn = vec![self.drawn(DataSet::Train, &mut sampler, pairs_per_step)];
        if self.inputs.sets.of(DataSet::Empty).len() > 0 {
            drawn.push(self.drawn(DataSet::Empty, &mut empty_sampler, pairs_per_step));
        }
        let ranks = Rc::clone(&self.inputs.ranks);
        let mut work = Work::default();
        let mut mixture = self.position.mixture;
        let gradients = match (&mut mixture, &drawn[..]) {
            (Some(estimate), [train, empty]) => {
                self.mixed_gradients([train, empty], estimate, &mut work)?
            }
            _ => {
                let mut gradients = NamedGradients::default();
                for rows in &drawn {
                    let weight = match rows.set == DataSet::Empty {
                        true => 1.0 - self.inputs.alpha,
                        false => self.inputs.alpha,
                    };
                    self.add_gradients(rows, weight, &mut gradients, &mut work)?;
                }
                self.sum_over_ranks(&mut gradients)?;
                gradients
            }
        };
        let Work { parts, measured } = work;

        let read = |(number, values)| (number, RowValues::read(values));
        let mut measured = ranks
            .share(measured.into_iter().map(read).collect::<Vec<_>>())?
            .concat();
        measured.sort_by_key(|(number, _)| *number);
        let mut sums = self.position.unlogged;
        for (number, values) in measured {
            let (set, micro) = &parts[number];
            let not_finite = values.not_finite();
            if !not_finite.is_empty() {
                let rows = not_finite.iter().map(|&k| micro[k]).collect();
                return Err(StepFailure::Loss(*set, rows));
            }
            sums[usize::from(*set == DataSet::Empty)].add(&values);
        }
        let norm = match gradients.norm() {
            Some(norm) => norm.into_scalar().elem::<f64>(),
            None => 0.0,
        };
        if !norm.is_finite() {
            let parameters = gradients.not_finite(PARAMETERS_IN_AN_ERROR);
            return Err(StepFailure::Gradient {
                parameters,
                rows: drawn.swap_remove(0).indices,
            });
        }

        let limit = self.plan.max_grad_norm;
        let gradient_scale = match limit > 0.0 && norm > limit {
            // The same 1e-6 as in PyTorch's clip_grad_norm_.
            true => limit / (norm + 1e-6),
            false => 1.0,
        };
        let rate = self.schedule.rate(self.position.step);
        // Out of its place, so that the optimiser is its only owner and writes into its memory.
        let policy = self.policy.take().expect(ONLY_IN_AN_UPDATE);
        let policy = self
            .optimizer
            .step::<B, _>(policy, gradients, gradient_scale, rate);
        self.policy = Some(policy);

        self.position.step += 1;
        self.position.optimizer_steps = self.optimizer.steps();
        self.sync_reference();
        for Drawn { set, indices } in &drawn {
            self.position.tokens += self.inputs.sets.of(*set).n_tokens(indices);
        }
        if let Some(mixture) = mixture {
            self.inputs.alpha = mixture.alpha();
            self.position.mixture = Some(mixture);
        }
        self.position.sampler = sampler;
        self.position.empty_sampler = empty_sampler;
        let is_logged = self.position.step.is_multiple_of(self.plan.log_every)
            || self.position.step == self.total_steps();
        if !is_logged {
            self.position.unlogged = sums;
            return Ok(None);
        }
        self.position.unlogged = [Sums::default(); 2];
        let (means, empty) = mixed_means(&sums, self.inputs.alpha);
        let n_drawn = self.inputs.sets.of(DataSet::Train).n_drawn();
        Ok(Some(StepRecord {
            step: self.position.step,
            epoch: self.position.step as f64 / self.plan.steps_per_epoch(n_drawn) as f64,
            means,
            empty,
            mixture: mixture.and_then(|mixture| mixture.record()),
            grad_norm: norm,
            learning_rate: rate,
            num_tokens: self.position.tokens,
        }))
    }

    /// Moves the reference to the policy, if that is due after this step.
    fn sync_reference(&mut self) {
        let Some(sync) = self.sync else {
            return;
        };
        if self.position.step.is_multiple_of(sync.every)
            && let Reference::Model(reference) =
                std::mem::replace(&mut self.inputs.reference, Reference::None)
        {
            let reference = mixed(&self.policy().valid(), *reference, sync.alpha);
            self.inputs.reference = Reference::Model(Box::new(reference));
        }
    }

    /// The reference, if its weights change during the run.
    pub(crate) fn changing_reference(&self) -> Option<&P::InnerModule> {
        match &self.inputs.reference {
            Reference::Model(reference) if self.sync.is_some() => Some(reference),
            Reference::Model(_) | Reference::None | Reference::Cached(_) => None,
        }
    }

    /// Adds the gradients of `share` times the mean loss of the rows of a micro-batch. `point` is the reference
    /// point of kto. The result is what is measured of each row.
    pub(super) fn gradients(
        &self,
        part: &Part<'_, P>,
        point: Option<&Tensor<B, 1>>,
        gradients: &mut NamedGradients<B::InnerBackend>,
    ) -> Result<Measured<B::InnerBackend>, BatchError> {
        let policy = part.policy;
        let rows = self.inputs.sets.of(part.set).rows(part.indices);
        let answers = rows.answers_of_loss(self.inputs.layout);
        let batch = &answers.batch;
        let tokens = token_tensor(batch, &self.inputs.device);
        let mut checkpoints = None;
        let hidden = match self.plan.checkpoint_activations {
            false => policy.hidden(tokens, &batch.branches),
            true => checkpoints
                .insert(Checkpoints::new(policy, tokens, &batch.branches))
                .hidden(),
        };
        gradients.lend::<B, _>(policy);
        let mut add = |backward: B::Gradients| {
            gradients.accumulate::<B, _>(policy, backward);
            gradients.lend::<B, _>(policy);
        };
        let measured = self.backward(part, &rows, &answers, hidden, point, |mut backward| {
            if let Some(checkpoints) = &mut checkpoints {
                checkpoints.take_gradient(&mut backward);
            }
            add(backward);
        });
        if let Some(checkpoints) = checkpoints {
            checkpoints.backward(add);
        }
        gradients.take_back::<B, _>(policy);
        measured
    }

    /// The backward passes from the loss to the hidden states `[rows, tokens, hidden]` and to what they depend on.
    /// `add` gets the gradients of each.
    fn backward(
        &self,
        part: &Part<'_, P>,
        rows: &RowBatch,
        answers: &AnswerBatch,
        hidden: Tensor<B, 3>,
        point: Option<&Tensor<B, 1>>,
        mut add: impl FnMut(B::Gradients),
    ) -> Result<Measured<B::InnerBackend>, BatchError> {
        let &Part {
            policy,
            set,
            indices,
            share,
        } = part;
        let device = &self.inputs.device;
        let examples = self.inputs.sets.of(set);
        let batch = &answers.batch;
        if let RunObjective::Scores(scores) = &self.objective {
            let pad_id = self.inputs.layout.pad_id;
            let (loss, measured) = scores.loss(policy, hidden, rows, batch, pad_id);
            add((loss * share).backward());
            return Ok(measured.inner());
        }
        let distributions = self.inputs.distributions(batch);
        let reference =
            self.inputs
                .reference_log_probs(set, indices, answers, distributions.as_ref());
        let reference = reference.map(Tensor::from_inner);
        let tokens = responses::<B>(batch, device);
        let chunk = self.inputs.vocab_chunk;
        let hidden = tokens.predictors_of(hidden);
        let wanted = self.objective.head_metrics(self.inputs.logs_entropy);
        let of_head = match wanted.is_empty() {
            true => HeadValues::none(),
            false => {
                let (policy, tokens) = (policy.valid(), responses(batch, device));
                let hidden = hidden.clone().inner();
                HeadValues::from_inner(head_values(&policy, &tokens, &hidden, chunk, wanted))
            }
        };
        if (chunk == 0 || tokens.len() <= chunk) && distributions.is_none() {
            let values = TokenValues {
                policy: tokens.to_rows(policy.log_probs(hidden, tokens.targets())),
                reference,
                kl: None,
                of_head,
            };
            let (loss, measured) = self.objective.loss(examples, rows, &values, batch, point)?;
            add((loss * share).backward());
            return Ok(measured.inner());
        }

        let targets = tokens.targets();
        let n_values = if distributions.is_some() { 2 } else { 1 };
        let loss = |leaves: Vec<Tensor<B, 1>>| {
            let mut values = leaves.into_iter().map(|leaf| tokens.to_rows(leaf));
            let values = TokenValues {
                policy: values.next().expect("log-probs come first"),
                reference: reference.clone(),
                kl: values.next(),
                of_head: of_head.clone(),
            };
            let (loss, measured) = self.objective.loss(examples, rows, &values, batch, point)?;
            Ok((loss * share, measured.inner()))
        };
        backward_in_chunks(
            hidden,
            chunk,
            n_values,
            |hidden, range| {
                let targets = targets.clone().slice([range.clone()]);
                let Some(distributions) = &distributions else {
                    return vec![policy.log_probs(hidden, targets)];
                };
                let reference = Tensor::from_inner(distributions.logits(range));
                let logits = policy.logits(hidden);
                let divergence = token_kl(reference, logits.clone());
                vec![token_log_probs(logits, targets), divergence]
            },
            loss,
            add,
        )
    }

    /// Waits until the device has done all its work.
    pub(crate) fn wait(&self) {
        // If the device fails to synchronise, the next read fails and reports it.
        let _ = B::sync(&self.inputs.device);
    }
}
