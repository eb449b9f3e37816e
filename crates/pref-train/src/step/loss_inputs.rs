//! The inputs of a loss besides the log-probs of the policy. In: a policy without gradients, and the indices
//! of rows. Out: log-probs of the reference, divergences and the reference point, in the form that an
//! objective takes. Training steps and evaluations both use it.

use std::collections::BTreeSet;
use std::rc::Rc;

use burn::tensor::{Tensor, TensorData, backend::Backend};
use pref_core::{BatchError, Kto, Side, position_chunks, token_kl};
use pref_data::{Batch, BatchLayout};
use pref_model::Policy;

use super::objective::RunObjective;
use crate::batch::{AnswerBatch, HeadValues, TokenValues, log_probs, responses};
use crate::metrics::{Means, PairMeans, Sums};
use crate::ranks::{Ranks, RanksError};
use crate::reference::{Distributions, Reference};
use crate::sets::{DataSet, Examples, PerSet};

/// Rows, reference and layout of a run.
#[derive(Debug)]
pub(crate) struct LossInputs<B: Backend, P> {
    /// The rows of each data set.
    pub(crate) sets: PerSet<Examples>,
    /// The rows of each data set that the plan leaves out.
    pub(crate) skipped: PerSet<BTreeSet<usize>>,
    /// The reference, which has the type of the policy.
    pub(crate) reference: Reference<P>,
    /// How rows become batches.
    pub(crate) layout: BatchLayout,
    /// Number of positions whose logits are computed at the same time; 0 for all.
    pub(crate) vocab_chunk: usize,
    /// Whether the objective compares whole next-token distributions.
    pub(crate) needs_kl: bool,
    /// Whether the entropy of the policy's distributions is measured.
    pub(crate) logs_entropy: bool,
    /// Weight of the training rows in the loss, from 0 to 1. The rows with emptied traces have the weight
    /// `1 − alpha`.
    pub(crate) alpha: f64,
    /// The device of the tensors.
    pub(crate) device: B::Device,
    /// The processes that divide the forward passes among them.
    pub(crate) ranks: Rc<dyn Ranks>,
}

/// Why a loss or a gradient cannot be used.
#[derive(Debug)]
pub(crate) enum StepFailure {
    /// These rows of a data set have a loss that is not finite.
    Loss(DataSet, Vec<usize>),
    /// The gradients of these parameters are not finite.
    Gradient {
        /// The first of the parameters.
        parameters: Vec<String>,
        /// The training rows of the step.
        rows: Vec<usize>,
    },
    /// The objective needs an input that is missing.
    Batch(BatchError),
    /// The processes of the run cannot continue together.
    Ranks(RanksError),
}

impl From<RanksError> for StepFailure {
    fn from(error: RanksError) -> Self {
        StepFailure::Ranks(error)
    }
}

impl From<BatchError> for StepFailure {
    fn from(error: BatchError) -> Self {
        StepFailure::Batch(error)
    }
}

impl<B: Backend, P: Policy<B>> LossInputs<B, P> {
    /// Number of rows of a data set that are not left out.
    pub(crate) fn n_used(&self, set: DataSet) -> usize {
        self.sets.of(set).len() - self.skipped.of(set).len()
    }

    /// The reference log-probs of a batch, nats, `[answers, response tokens]`.
    pub(crate) fn reference_log_probs(
        &self,
        set: DataSet,
        indices: &[usize],
        batch: &AnswerBatch,
        distributions: Option<&Distributions<'_, B, P>>,
    ) -> Option<Tensor<B, 2>> {
        if let Some(distributions) = distributions {
            return Some(distributions.log_probs(self.vocab_chunk));
        }
        let lengths = batch.batch.answers.iter().map(|answer| answer.tokens.len());
        let width = lengths.max().unwrap_or(0);
        self.reference
            .log_probs(set, indices, batch, width, &self.device)
    }

    /// The next-token distributions of the reference, if the objective compares distributions.
    pub(crate) fn distributions(&self, batch: &Batch) -> Option<Distributions<'_, B, P>> {
        match self.needs_kl {
            true => self.reference.distributions(batch, &self.device),
            false => None,
        }
    }

    /// `KL(reference ‖ policy)` of the next-token distributions at every response token, nats,
    /// `[answers, response tokens]`.
    pub(crate) fn divergence(
        &self,
        policy: &P,
        batch: &Batch,
        reference: &Distributions<'_, B, P>,
    ) -> Tensor<B, 2> {
        let tokens = responses::<B>(batch, &self.device);
        let hidden = tokens.hidden(policy);
        let [n, width] = hidden.dims();
        let chunks = position_chunks(n, self.vocab_chunk).map(|range| {
            let logits = policy.logits(hidden.clone().slice([range.clone(), 0..width]));
            token_kl(reference.logits(range), logits)
        });
        tokens.to_rows(Tensor::cat(chunks.collect(), 0))
    }

    /// The reference point of kto, nats, `[1]`: the KL to the reference, estimated from the mismatched
    /// answers of all these rows. It does not depend on how the rows are divided into batches, or among
    /// ranks. `None` for another objective.
    pub(crate) fn reference_point<A: Backend>(
        &self,
        policy: &P,
        objective: &RunObjective<A>,
        set: DataSet,
        indices: &[usize],
    ) -> Result<Option<Tensor<B, 1>>, StepFailure> {
        if !matches!(objective, RunObjective::Answers(_)) || indices.is_empty() {
            return Ok(None);
        }
        let examples = self.sets.of(set);
        let mut own = Vec::new();
        let micro_batches = self.layout.divide(examples.entries(), indices);
        for (number, micro) in micro_batches.into_iter().enumerate() {
            if !self.ranks.owns(number) {
                continue;
            }
            let batch = examples.rows(micro).mismatched(self.layout);
            let values = TokenValues {
                policy: log_probs(policy, &batch.batch, &self.device),
                reference: self.reference_log_probs(set, micro, &batch, None),
                kl: None,
                of_head: HeadValues::none(),
            };
            let side = values.side(&batch.batch, 0..micro.len());
            let sum = |values: Tensor<B, 2>| -> Vec<f32> {
                let sums = (values * side.mask.clone()).sum_dim(1);
                sums.into_data().iter::<f32>().collect()
            };
            let reference = side.reference.clone().map(sum);
            own.push((number, sum(side.policy.clone()), reference));
        }
        let mut all = self.ranks.share(own)?.concat();
        all.sort_by_key(|(number, ..)| *number);
        let column = |sums: Vec<Vec<f32>>| {
            let sums = sums.concat();
            let shape = [sums.len(), 1];
            Tensor::<B, 2>::from_data(TensorData::new(sums, shape), &self.device)
        };
        let (policy, reference): (Vec<_>, Vec<_>) = all
            .into_iter()
            .map(|(_, policy, reference)| (policy, reference))
            .unzip();
        let mut side = Side::from_lengths(column(policy), &vec![1; indices.len()]);
        let reference: Option<Vec<_>> = reference.into_iter().collect();
        side.reference = reference.map(column);
        Ok(Some(Kto::reference_point(&side)?))
    }
}

/// Means of the training rows, and of the rows with emptied traces if there are any. If there are, the loss in
/// the first means is `alpha` times the loss of the training rows plus `1 − alpha` times the loss of the
/// rows with emptied traces.
pub(crate) fn mixed_means([train, empty]: &[Sums; 2], alpha: f64) -> (Means, Option<PairMeans>) {
    let mut means = train.means();
    let empty = match empty.is_empty() {
        true => None,
        false => empty.means().pairs().copied(),
    };
    if let (Means::Pairs(means), Some(empty)) = (&mut means, &empty) {
        means.loss = alpha * means.loss + (1.0 - alpha) * empty.loss;
    }
    (means, empty)
}
