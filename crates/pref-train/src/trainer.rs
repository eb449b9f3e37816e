//! The training step. In: pairs, a policy, an objective. Out: the policy, a step better, and what
//! was measured on the way.

use std::ops::Range;

use burn::module::AutodiffModule;
use burn::tensor::backend::AutodiffBackend;
use burn::tensor::{ElementConversion, Tensor};
use pref_core::{
    BatchError, Objective, ObjectiveConfig, backward_in_chunks, position_chunks, token_kl,
};
use pref_data::{Batch, Order, Sampler, length_sorted_batches};
use pref_model::{Decoder, token_log_probs};

use crate::batch::{Columns, batch_of, log_probs, pair_batch, responses};
use crate::checkpoint::State;
use crate::features::Examples;
use crate::metrics::{EvalRecord, PairSums, PairValues, StepRecord, per_pair};
use crate::optimizer::AdamW;
use crate::parameters::NamedGradients;
use crate::plan::TrainPlan;
use crate::reference::{Distributions, Reference, Set};
use crate::schedule::Schedule;

const OVER_PAIRS: &str = "a checked plan's objective is over pairs";

/// A run in memory.
#[derive(Debug)]
pub(crate) struct Trainer<B: AutodiffBackend> {
    pub(crate) policy: Decoder<B>,
    pub(crate) optimizer: AdamW<B::InnerBackend>,
    pub(crate) state: State,
    reference: Reference<B::InnerBackend>,
    train: Examples,
    eval: Examples,
    objective: Box<dyn Objective<B>>,
    eval_objective: Box<dyn Objective<B::InnerBackend>>,
    /// Whether the objective looks at whole next-token distributions.
    needs_kl: bool,
    plan: TrainPlan,
    schedule: Schedule,
    pad_id: u32,
    device: B::Device,
}

/// What a trainer is made of, besides the plan.
pub(crate) struct Parts<B: AutodiffBackend> {
    pub(crate) policy: Decoder<B>,
    pub(crate) reference: Reference<B::InnerBackend>,
    pub(crate) train: Examples,
    pub(crate) eval: Examples,
    pub(crate) pad_id: u32,
    pub(crate) device: B::Device,
}

/// Why a step was not taken.
#[derive(Debug)]
pub(crate) enum StepFailure {
    /// These pairs have no finite loss.
    Loss(Vec<usize>),
    /// The gradient is not finite; these are the step's pairs.
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
    pub(crate) fn new(
        plan: &TrainPlan,
        shuffle: bool,
        objective: &ObjectiveConfig,
        parts: Parts<B>,
    ) -> Self {
        let order = if shuffle {
            Order::Shuffled
        } else {
            Order::Sequential
        };
        let mut trainer = Self {
            policy: parts.policy,
            optimizer: AdamW::new(plan),
            state: State {
                step: 0,
                optimizer_steps: 0,
                tokens: 0,
                sampler: Sampler::new(parts.train.pairs.len(), order, plan.seed),
                unlogged: PairSums::default(),
            },
            reference: parts.reference,
            train: parts.train,
            eval: parts.eval,
            objective: objective.over_pairs().expect(OVER_PAIRS),
            eval_objective: objective.over_pairs().expect(OVER_PAIRS),
            needs_kl: objective.needs().kl,
            schedule: Schedule::new(plan, 0),
            plan: plan.clone(),
            pad_id: parts.pad_id,
            device: parts.device,
        };
        trainer.schedule = Schedule::new(plan, trainer.total_steps());
        trainer
    }

    /// Optimiser steps of one pass over the data.
    fn steps_per_epoch(&self) -> usize {
        let pairs_per_step = self.plan.batch_size * self.plan.gradient_accumulation;
        self.train.pairs.len().div_ceil(pairs_per_step)
    }

    /// Optimiser steps of the whole run.
    pub(crate) fn total_steps(&self) -> usize {
        let by_epochs = self.plan.epochs * self.steps_per_epoch() as f64;
        self.plan.steps.unwrap_or(by_epochs.ceil() as usize)
    }

    /// Lines in the data of these pairs.
    pub(crate) fn lines(&self, indices: &[usize]) -> Vec<usize> {
        indices.iter().map(|&i| self.train.pairs[i].line).collect()
    }

    pub(crate) fn n_eval(&self) -> usize {
        self.eval.pairs.len()
    }

    /// One optimiser step: forward and backward on each micro-batch, then the update. The loss is
    /// the mean over all pairs of the step, however they are divided into micro-batches.
    ///
    /// On failure nothing has changed.
    pub(crate) fn step(&mut self) -> Result<Option<StepRecord>, StepFailure> {
        let mut sampler = self.state.sampler.clone();
        let pairs_per_step = self.plan.batch_size * self.plan.gradient_accumulation;
        let mut indices = sampler.next_batch(pairs_per_step);
        // pairs of like length share a micro-batch: less padding, the same mean
        indices.sort_by_key(|&i| std::cmp::Reverse(self.train.pairs[i].longest()));

        let mut gradients = NamedGradients::default();
        let mut measured = Vec::new();
        for micro in indices.chunks(self.plan.batch_size) {
            let share = micro.len() as f64 / indices.len() as f64;
            let values = self.gradients(micro, share, &mut gradients)?;
            measured.push((micro, values));
        }

        let mut sums = self.state.unlogged;
        for (micro, values) in measured {
            let values = PairValues::read(values);
            let broken = values.not_finite();
            if !broken.is_empty() {
                return Err(StepFailure::Loss(
                    broken.iter().map(|&k| micro[k]).collect(),
                ));
            }
            sums.add(&values);
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
        self.state.tokens += indices
            .iter()
            .map(|&i| self.train.pairs[i].n_tokens() as u64)
            .sum::<u64>();
        self.state.sampler = sampler;
        let is_logged = self.state.step.is_multiple_of(self.plan.log_every)
            || self.state.step == self.total_steps();
        if !is_logged {
            self.state.unlogged = sums;
            return Ok(None);
        }
        self.state.unlogged = PairSums::default();
        Ok(Some(StepRecord {
            step: self.state.step,
            epoch: self.state.step as f64 / self.steps_per_epoch() as f64,
            pairs: sums.means(),
            grad_norm: norm,
            learning_rate: rate,
            num_tokens: self.state.tokens,
        }))
    }

    /// Adds the gradients of `share` times the mean loss of some pairs; returns each pair's values.
    fn gradients(
        &self,
        indices: &[usize],
        share: f64,
        gradients: &mut NamedGradients<B::InnerBackend>,
    ) -> Result<Tensor<B::InnerBackend, 2>, BatchError> {
        let batch = batch_of(&self.train.pairs, indices, self.pad_id);
        let distributions = self.distributions(&batch);
        let reference = self.reference_of(Set::Train, indices, &batch, distributions.as_ref());
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
            let mut pairs = pair_batch(&columns, &batch);
            self.train.attach(indices, &mut pairs);
            let output = self.objective.loss(&pairs)?;
            add(&(output.loss.clone() * share).backward());
            return Ok(per_pair(&output).inner());
        }

        let tokens = responses::<B>(&batch, &self.device);
        let targets = tokens.targets();
        let n_values = if distributions.is_some() { 2 } else { 1 };
        let loss = |leaves: Vec<Tensor<B, 1>>| {
            let mut rows = leaves.into_iter().map(|leaf| tokens.to_rows(leaf));
            let columns = Columns {
                policy: rows.next().expect("log-probs come first"),
                reference: reference.clone(),
                kl: rows.next(),
            };
            let mut pairs = pair_batch(&columns, &batch);
            self.train.attach(indices, &mut pairs);
            let output = self.objective.loss(&pairs)?;
            Ok((output.loss.clone() * share, per_pair(&output).inner()))
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
        batch: &Batch,
        distributions: Option<&Distributions<'_, B::InnerBackend>>,
    ) -> Option<Tensor<B::InnerBackend, 2>> {
        if let Some(distributions) = distributions {
            return Some(distributions.log_probs(self.plan.vocab_chunk));
        }
        let width = batch.responses.iter().map(Range::len).max().unwrap_or(0);
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

    /// Loss and rewards on the evaluation pairs, without a graph.
    pub(crate) fn evaluate(
        &self,
        mut progress: impl FnMut(usize),
    ) -> Result<EvalRecord, BatchError> {
        let policy = self.policy.valid();
        let mut sums = PairSums::default();
        for indices in length_sorted_batches(&self.eval.pairs, self.plan.batch_size) {
            let batch = batch_of(&self.eval.pairs, &indices, self.pad_id);
            let distributions = self.distributions(&batch);
            let distributions = distributions.as_ref();
            let columns = Columns {
                policy: log_probs(&policy, &batch, &self.device),
                reference: self.reference_of(Set::Eval, &indices, &batch, distributions),
                kl: distributions.map(|d| self.divergence(&policy, &batch, d)),
            };
            let mut pairs = pair_batch(&columns, &batch);
            self.eval.attach(&indices, &mut pairs);
            let output = self.eval_objective.loss(&pairs)?;
            sums.add(&PairValues::read(per_pair(&output)));
            progress(indices.len());
        }
        Ok(EvalRecord {
            step: self.state.step,
            eval_pairs: self.eval.pairs.len(),
            pairs: sums.means(),
        })
    }

    /// Waits until the device has done all that was asked of it.
    pub(crate) fn wait(&self) {
        // a device that fails to synchronise fails the next read, which reports it
        let _ = B::sync(&self.device);
    }
}
