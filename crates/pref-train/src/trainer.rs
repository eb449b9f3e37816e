//! The training step. In: pairs, a policy, an objective. Out: the policy, a step better, and what
//! was measured on the way.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use burn::module::AutodiffModule;
use burn::tensor::backend::AutodiffBackend;
use burn::tensor::{ElementConversion, Tensor};
use pref_core::{
    BatchError, BvpoAlpha, Kto, ObjectiveKind, Side, backward_in_chunks, position_chunks, token_kl,
};
use pref_data::{Batch, BatchLayout, Longest, Order, Place, Placed, Sampler};
use pref_model::{Decoder, token_log_probs};

use crate::batch::{Columns, Padded, log_probs, responses};
use crate::checkpoint::{Restored, State};
use crate::error::TrainError;
use crate::examples::{Entry, Examples};
use crate::goal::Goal;
use crate::metrics::{EvalRecord, PairMeans, PairSums, PairValues, StepRecord};
use crate::optimizer::AdamW;
use crate::parameters::NamedGradients;
use crate::plan::{DataPlan, Plan, TrainPlan};
use crate::reference::{Distributions, Reference, Set, Sets};
use crate::run::Identity;
use crate::schedule::Schedule;
use crate::turn::turn;

/// A run in memory.
#[derive(Debug)]
pub(crate) struct Trainer<B: AutodiffBackend> {
    pub(crate) policy: Decoder<B>,
    pub(crate) optimizer: AdamW<B::InnerBackend>,
    pub(crate) state: State,
    reference: Reference<B::InnerBackend>,
    sets: Sets<Examples>,
    /// Rows of each set that the plan leaves out.
    skipped: Sets<BTreeSet<usize>>,
    goal: Goal<B>,
    eval_goal: Goal<B::InnerBackend>,
    /// Weight of the training pairs, the rest being that of the pairs with emptied traces.
    alpha: f64,
    /// Whether the objective looks at whole next-token distributions.
    needs_kl: bool,
    plan: TrainPlan,
    schedule: Schedule,
    layout: BatchLayout,
    device: B::Device,
}

/// What a trainer is made of, besides the plan.
pub(crate) struct Parts<B: AutodiffBackend> {
    pub(crate) policy: Decoder<B>,
    pub(crate) reference: Reference<B::InnerBackend>,
    pub(crate) sets: Sets<Examples>,
    pub(crate) layout: BatchLayout,
    pub(crate) device: B::Device,
}

/// Why a step was not taken.
#[derive(Debug)]
pub(crate) enum StepFailure {
    /// These pairs of a set have no finite loss.
    Loss(Set, Vec<usize>),
    /// The gradient is not finite; these are the step's training pairs.
    Gradient(Vec<usize>),
    /// The objective found an input missing.
    Batch(BatchError),
}

impl From<BatchError> for StepFailure {
    fn from(error: BatchError) -> Self {
        StepFailure::Batch(error)
    }
}

impl<B: AutodiffBackend> Trainer<B> {
    /// A trainer before its first step.
    ///
    /// # Errors
    /// [`TrainError`] if `data.skip` names a row that is not there, or leaves none to train on.
    pub(crate) fn new(
        plan: &Plan,
        parts: Parts<B>,
        identity: Identity,
    ) -> Result<Self, TrainError> {
        let order = match plan.data.shuffle {
            true => Order::Shuffled,
            false => Order::Sequential,
        };
        let skipped = skipped(&plan.data, &parts.sets)?;
        let objective = &plan.objective;
        let plan = &plan.train;
        let n = |set: Set| parts.sets.of(set).len();
        let trainer = Self {
            policy: parts.policy,
            optimizer: AdamW::new(plan),
            state: State {
                step: 0,
                optimizer_steps: 0,
                tokens: 0,
                sampler: Sampler::new(n(Set::Train), order, plan.seed),
                empty_sampler: Sampler::new(n(Set::Empty), order, plan.seed),
                unlogged: [PairSums::default(); 2],
                unwritten: None,
                identity,
            },
            reference: parts.reference,
            schedule: Schedule::new(plan, plan.total_steps(n(Set::Train))),
            sets: parts.sets,
            skipped,
            goal: Goal::new(objective),
            eval_goal: Goal::new(objective),
            alpha: match objective.kind() {
                ObjectiveKind::Bvpo(bvpo) => match bvpo.alpha {
                    BvpoAlpha::Fixed(alpha) => alpha,
                    BvpoAlpha::Optimal => unreachable!("a checked plan has a fixed α"),
                },
                ObjectiveKind::Pairwise(_) | ObjectiveKind::Kto(_) | ObjectiveKind::Sum(_) => 1.0,
            },
            needs_kl: objective.needs().kl,
            plan: plan.clone(),
            layout: parts.layout,
            device: parts.device,
        };
        Ok(trainer)
    }

    /// Goes back, or on, to where a checkpoint is.
    pub(crate) fn restore(&mut self, restored: Restored<B>) {
        self.policy = restored.policy;
        let steps = restored.state.optimizer_steps;
        self.optimizer.restore(steps, restored.moments);
        self.state = restored.state;
    }

    /// Optimiser steps of the whole run.
    pub(crate) fn total_steps(&self) -> usize {
        self.plan.total_steps(self.sets.of(Set::Train).len())
    }

    /// Where these pairs are from.
    pub(crate) fn places(&self, set: Set, indices: &[usize]) -> Vec<Place> {
        let entries = self.sets.of(set).entries();
        let place = |&i: &usize| entries[i].place().clone();
        indices.iter().map(place).collect()
    }

    /// Evaluation pairs that are not left out.
    pub(crate) fn n_eval(&self) -> usize {
        self.sets.of(Set::Eval).len() - self.skipped.of(Set::Eval).len()
    }

    /// One optimiser step: forward and backward on each micro-batch, then the update. The loss is
    /// the mean over all pairs of the step, however they are divided into micro-batches.
    ///
    /// On failure nothing has changed.
    pub(crate) fn step(&mut self) -> Result<Option<StepRecord>, StepFailure> {
        let _turn = turn();
        let [mut sampler, mut empty_sampler] =
            [&self.state.sampler, &self.state.empty_sampler].map(Clone::clone);
        let pairs_per_step = self.plan.batch_size * self.plan.gradient_accumulation;
        let indices = self.drawn(Set::Train, &mut sampler, pairs_per_step);
        let mut drawn = vec![(Set::Train, self.alpha, &indices)];
        let empty;
        if self.sets.of(Set::Empty).len() > 0 {
            empty = self.drawn(Set::Empty, &mut empty_sampler, pairs_per_step);
            drawn.push((Set::Empty, 1.0 - self.alpha, &empty));
        }

        let mut gradients = NamedGradients::default();
        let mut measured = Vec::new();
        for &(set, weight, indices) in &drawn {
            let point = self.reference_point(set, indices)?;
            for micro in self.layout.divide(self.sets.of(set).entries(), indices) {
                let share = weight * micro.len() as f64 / indices.len() as f64;
                let point = point.clone().map(Tensor::from_inner);
                let values = self.gradients(set, micro, share, point.as_ref(), &mut gradients)?;
                measured.push((set, micro, values));
            }
        }

        let mut sums = self.state.unlogged;
        for (set, micro, values) in measured {
            let values = PairValues::read(values);
            let broken = values.not_finite();
            if !broken.is_empty() {
                let broken = broken.iter().map(|&k| micro[k]).collect();
                return Err(StepFailure::Loss(set, broken));
            }
            sums[usize::from(set == Set::Empty)].add(&values);
        }
        let norm = match gradients.norm() {
            Some(norm) => norm.into_scalar().elem::<f64>(),
            None => 0.0,
        };
        if !norm.is_finite() {
            return Err(StepFailure::Gradient(indices));
        }

        let limit = self.plan.max_grad_norm;
        if limit > 0.0 && norm > limit {
            // PyTorch's clip_grad_norm_ adds the same 1e-6
            gradients = gradients.scaled(limit / (norm + 1e-6));
        }
        let rate = self.schedule.rate(self.state.step);
        self.policy = self
            .optimizer
            .step::<B, _>(self.policy.clone(), gradients, rate);

        self.state.step += 1;
        self.state.optimizer_steps = self.optimizer.steps();
        for (set, _, indices) in drawn {
            self.state.tokens += self.sets.of(set).n_tokens(indices);
        }
        self.state.sampler = sampler;
        self.state.empty_sampler = empty_sampler;
        let is_logged = self.state.step.is_multiple_of(self.plan.log_every)
            || self.state.step == self.total_steps();
        if !is_logged {
            self.state.unlogged = sums;
            return Ok(None);
        }
        self.state.unlogged = [PairSums::default(); 2];
        let (pairs, empty) = self.means(&sums);
        let n_pairs = self.sets.of(Set::Train).len();
        Ok(Some(StepRecord {
            step: self.state.step,
            epoch: self.state.step as f64 / self.plan.steps_per_epoch(n_pairs) as f64,
            pairs,
            empty,
            grad_norm: norm,
            learning_rate: rate,
            num_tokens: self.state.tokens,
        }))
    }

    /// The next pairs of a set, without those to leave out. Pairs of like length share a micro-batch:
    /// less padding, the same mean.
    fn drawn(&self, set: Set, sampler: &mut Sampler, n: usize) -> Vec<usize> {
        let entries = self.sets.of(set).entries();
        let mut indices = Vec::new();
        // ends, since a set with pairs has one that is not left out
        while indices.is_empty() {
            indices = sampler.next_batch(n);
            indices.retain(|i| !self.skipped.of(set).contains(i));
        }
        indices.sort_by_key(|&i| std::cmp::Reverse(entries[i].longest()));
        indices
    }

    /// Means of the training pairs with the mixture's loss, and of the pairs with emptied traces.
    fn means(&self, [train, empty]: &[PairSums; 2]) -> (PairMeans, Option<PairMeans>) {
        let mut means = train.means();
        let empty = (empty.pairs > 0.0).then(|| empty.means());
        if let Some(empty) = &empty {
            means.loss = self.alpha * means.loss + (1.0 - self.alpha) * empty.loss;
        }
        (means, empty)
    }

    /// What single answers are measured against: the KL to the reference, estimated from all these
    /// examples together, so that it does not depend on how they are divided into micro-batches.
    fn reference_point(
        &self,
        set: Set,
        indices: &[usize],
    ) -> Result<Option<Tensor<B::InnerBackend, 1>>, BatchError> {
        if matches!(self.goal, Goal::Pairs(_)) {
            return Ok(None);
        }
        let policy = self.policy.valid();
        let examples = self.sets.of(set);
        let micro_batches = self.layout.divide(examples.entries(), indices).into_iter();
        let sums = micro_batches.map(|micro| {
            let batch = examples.rows(micro).mismatched(self.layout);
            let columns = Columns {
                policy: log_probs(&policy, &batch.batch, &self.device),
                reference: self.reference_of(set, micro, &batch, None),
                kl: None,
            };
            let side = columns.side(&batch.batch, 0..micro.len());
            let sum = |values: Tensor<B::InnerBackend, 2>| (values * side.mask.clone()).sum_dim(1);
            (sum(side.policy.clone()), side.reference.clone().map(sum))
        });
        let (policy, reference): (Vec<_>, Vec<_>) = sums.unzip();
        let mut side = Side::from_lengths(Tensor::cat(policy, 0), &vec![1; indices.len()]);
        let reference: Option<Vec<_>> = reference.into_iter().collect();
        side.reference = reference.map(|sums| Tensor::cat(sums, 0));
        Kto::reference_point(&side).map(Some)
    }

    /// Adds the gradients of `share` times the mean loss of some pairs; returns each pair's values.
    fn gradients(
        &self,
        set: Set,
        indices: &[usize],
        share: f64,
        point: Option<&Tensor<B, 1>>,
        gradients: &mut NamedGradients<B::InnerBackend>,
    ) -> Result<Tensor<B::InnerBackend, 2>, BatchError> {
        let examples = self.sets.of(set);
        let rows = examples.rows(indices);
        let padded = rows.learned(self.layout);
        let distributions = self.distributions(&padded.batch);
        let reference = self.reference_of(set, indices, &padded, distributions.as_ref());
        let batch = padded.batch;
        let reference = reference.map(Tensor::from_inner);
        let mut add = |backward: &B::Gradients| {
            gradients.accumulate::<B, _>(&self.policy, backward);
        };
        if self.plan.vocab_chunk == 0 && distributions.is_none() {
            let policy = log_probs(&self.policy, &batch, &self.device);
            let columns = Columns {
                policy,
                reference,
                kl: None,
            };
            let (loss, values) = self.goal.loss(examples, &rows, &columns, &batch, point)?;
            add(&(loss * share).backward());
            return Ok(values.inner());
        }

        let tokens = responses::<B>(&batch, &self.device);
        let targets = tokens.targets();
        let n_values = if distributions.is_some() { 2 } else { 1 };
        let loss = |leaves: Vec<Tensor<B, 1>>| {
            let mut values = leaves.into_iter().map(|leaf| tokens.to_rows(leaf));
            let columns = Columns {
                policy: values.next().expect("log-probs come first"),
                reference: reference.clone(),
                kl: values.next(),
            };
            let (loss, values) = self.goal.loss(examples, &rows, &columns, &batch, point)?;
            Ok((loss * share, values.inner()))
        };
        backward_in_chunks(
            tokens.hidden(&self.policy),
            self.plan.vocab_chunk,
            n_values,
            |hidden, range| {
                let logits = self.policy.logits(hidden);
                let mut values = vec![token_log_probs(
                    logits.clone(),
                    targets.clone().slice([range.clone()]),
                )];
                if let Some(distributions) = &distributions {
                    let reference = Tensor::from_inner(distributions.logits(range));
                    values.push(token_kl(reference, logits));
                }
                values
            },
            loss,
            add,
        )
    }

    /// The reference's log-probs of a batch.
    fn reference_of(
        &self,
        set: Set,
        indices: &[usize],
        batch: &Padded,
        distributions: Option<&Distributions<'_, B::InnerBackend>>,
    ) -> Option<Tensor<B::InnerBackend, 2>> {
        if let Some(distributions) = distributions {
            return Some(distributions.log_probs(self.plan.vocab_chunk));
        }
        let width = batch.batch.answers.iter().map(|answer| answer.tokens.len());
        let width = width.max().unwrap_or(0);
        self.reference
            .log_probs(set, indices, batch, width, &self.device)
    }

    /// The reference's next-token distributions, if the objective looks at them.
    fn distributions(&self, batch: &Batch) -> Option<Distributions<'_, B::InnerBackend>> {
        if !self.needs_kl {
            return None;
        }
        self.reference.distributions(batch, &self.device)
    }

    /// The divergence of the policy at every response token, without a graph.
    fn divergence(
        &self,
        policy: &Decoder<B::InnerBackend>,
        batch: &Batch,
        reference: &Distributions<'_, B::InnerBackend>,
    ) -> Tensor<B::InnerBackend, 2> {
        let tokens = responses::<B::InnerBackend>(batch, &self.device);
        let hidden = tokens.hidden(policy);
        let [n, width] = hidden.dims();
        let chunks = position_chunks(n, self.plan.vocab_chunk).map(|range| {
            let logits = policy.logits(hidden.clone().slice([range.clone(), 0..width]));
            token_kl(reference.logits(range), logits)
        });
        tokens.to_rows(Tensor::cat(chunks.collect(), 0))
    }

    /// Loss and rewards on the evaluation pairs, without a graph. `goes_on` is told how many pairs
    /// were done, and may stop it.
    pub(crate) fn evaluate(
        &self,
        mut goes_on: impl FnMut(usize) -> bool,
    ) -> Result<ControlFlow<(), EvalRecord>, StepFailure> {
        let policy = self.policy.valid();
        let mut sums = [PairSums::default(); 2];
        for (sums, set) in sums.iter_mut().zip([Set::Eval, Set::EmptyEval]) {
            let examples = self.sets.of(set);
            let mut all = self.layout.length_sorted(examples.entries()).concat();
            all.retain(|i| !self.skipped.of(set).contains(i));
            let point = match all.is_empty() {
                true => None,
                false => self.reference_point(set, &all)?,
            };
            for indices in self.layout.divide(examples.entries(), &all) {
                let rows = examples.rows(indices);
                let padded = rows.learned(self.layout);
                let batch = &padded.batch;
                let distributions = self.distributions(batch);
                let distributions = distributions.as_ref();
                let columns = Columns {
                    policy: log_probs(&policy, batch, &self.device),
                    reference: self.reference_of(set, indices, &padded, distributions),
                    kl: distributions.map(|d| self.divergence(&policy, batch, d)),
                };
                let goal = &self.eval_goal;
                let (_, values) = goal.loss(examples, &rows, &columns, batch, point.as_ref())?;
                let values = PairValues::read(values);
                let broken = values.not_finite();
                if !broken.is_empty() {
                    let broken = broken.iter().map(|&k| indices[k]).collect();
                    return Err(StepFailure::Loss(set, broken));
                }
                sums.add(&values);
                if !goes_on(indices.len()) {
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
        let (pairs, empty) = self.means(&sums);
        Ok(ControlFlow::Continue(EvalRecord {
            step: self.state.step,
            eval_pairs: self.n_eval(),
            pairs,
            empty,
        }))
    }

    /// Waits until the device has done all that was asked of it.
    pub(crate) fn wait(&self) {
        // a device that fails to synchronise fails the next read, which reports it
        let _ = B::sync(&self.device);
    }
}

/// Which rows of each set `data.skip` leaves out.
fn skipped(plan: &DataPlan, sets: &Sets<Examples>) -> Result<Sets<BTreeSet<usize>>, TrainError> {
    let mut found = BTreeSet::new();
    let skipped = sets.0.each_ref().map(|examples| {
        let places = examples.entries().iter().enumerate();
        let is_skipped = |(index, entry): (usize, &Entry)| {
            let place = entry.place().to_string();
            let is_skipped = !plan.skip.is_empty() && plan.skip.contains(&place);
            is_skipped.then(|| {
                found.insert(place);
                index
            })
        };
        places.filter_map(is_skipped).collect::<BTreeSet<usize>>()
    });
    if let Some(entry) = plan.skip.iter().find(|&entry| !found.contains(entry)) {
        let example = sets.of(Set::Train).entries().first();
        return Err(TrainError::UnknownSkip {
            entry: entry.clone(),
            example: example
                .map(|entry| entry.place().clone())
                .unwrap_or_default(),
        });
    }
    for (set, path) in [
        (Set::Train, Some(&plan.train)),
        (Set::Empty, plan.empty.as_ref()),
    ] {
        let n = sets.of(set).len();
        if let Some(path) = path
            && n == skipped[set as usize].len()
        {
            return Err(TrainError::NoPairs {
                path: path.clone(),
                held_out: sets.of(Set::Eval).len(),
            });
        }
    }
    Ok(Sets(skipped))
}
