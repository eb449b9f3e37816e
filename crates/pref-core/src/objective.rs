//! Anything with a loss over pairs: one objective, or several summed with weights.

use std::fmt::Debug;

use burn::tensor::{Tensor, backend::Backend};

use crate::batch::PairBatch;
use crate::error::BatchError;
use crate::pairwise::{LossOutput, PairwiseObjective};

/// A loss over pairs of answers.
pub trait Objective<B: Backend>: Debug {
    /// The loss of a batch.
    ///
    /// # Errors
    /// [`BatchError`] when the batch lacks an input that the objective computes with.
    fn loss(&self, batch: &PairBatch<B>) -> Result<LossOutput<B>, BatchError>;
}

impl<B: Backend> Objective<B> for PairwiseObjective<B> {
    fn loss(&self, batch: &PairBatch<B>) -> Result<LossOutput<B>, BatchError> {
        PairwiseObjective::loss(self, batch)
    }
}

/// `Σ_i weight_i L_i`: several objectives on the same pairs, as TRL sums its loss types.
#[derive(Debug)]
pub struct WeightedSum<B: Backend> {
    /// The first term, whose rewards and accuracies are logged.
    pub first: Term<B>,
    /// The others.
    pub rest: Vec<Term<B>>,
}

/// One summand.
#[derive(Debug)]
pub struct Term<B: Backend> {
    /// Factor of its loss, `≥ 0`.
    pub weight: f64,
    /// What it computes.
    pub objective: PairwiseObjective<B>,
}

impl<B: Backend> Objective<B> for WeightedSum<B> {
    /// The sum's loss, with the first term's rewards and accuracies: rewards of different methods
    /// are in different units.
    fn loss(&self, batch: &PairBatch<B>) -> Result<LossOutput<B>, BatchError> {
        let scale = |loss: Tensor<B, 1>, weight: f64| loss * weight;
        let mut sum = self.first.objective.loss(batch)?;
        sum.loss = scale(sum.loss, self.first.weight);
        sum.per_pair = scale(sum.per_pair, self.first.weight);
        for term in &self.rest {
            let next = term.objective.loss(batch)?;
            sum.loss = sum.loss + scale(next.loss, term.weight);
            sum.per_pair = sum.per_pair + scale(next.per_pair, term.weight);
        }
        Ok(sum)
    }
}
