//! Several objectives on the same pairs. In: a batch of pairs. Out: the weighted sum of their
//! losses.

use burn::tensor::{Tensor, backend::Backend};

use super::interface::{LossOutput, Objective};
use super::pairwise::PairwiseObjective;
use crate::batch::PairBatch;
use crate::error::BatchError;

/// `Σ_i weight_i L_i` over the same pairs, like a list of `loss_type` with `loss_weights` in TRL.
#[derive(Debug)]
pub struct WeightedSum<B: Backend> {
    /// The first term. Rewards, accuracies and other metrics come from this term.
    pub first: Term<B>,
    /// The other terms.
    pub rest: Vec<Term<B>>,
}

/// One objective of a [`WeightedSum`].
#[derive(Debug)]
pub struct Term<B: Backend> {
    /// Factor of its loss, `≥ 0`.
    pub weight: f64,
    /// The objective.
    pub objective: PairwiseObjective<B>,
}

impl<B: Backend> Objective<B> for WeightedSum<B> {
    /// The sum's loss with the first term's metrics. Rewards of different methods have different
    /// units, so they are not summed.
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
