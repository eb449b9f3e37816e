//! The trait of objectives over pairs. In: a batch of pairs. Out: [`LossOutput`].

use std::fmt::Debug;

use burn::tensor::{Tensor, backend::Backend};

use crate::batch::PairBatch;
use crate::error::BatchError;

/// A loss over pairs of answers.
pub trait Objective<B: Backend>: Debug {
    /// The loss of a batch.
    ///
    /// # Errors
    /// [`BatchError`] when the batch lacks an input that the objective needs.
    fn loss(&self, batch: &PairBatch<B>) -> Result<LossOutput<B>, BatchError>;
}

/// A loss, and the values from which metrics are computed. Only `loss` and `per_pair` have a
/// gradient.
#[derive(Clone, Debug)]
pub struct LossOutput<B: Backend> {
    /// Mean over the pairs, nats, `[1]`. Call `backward()` on it.
    pub loss: Tensor<B, 1>,
    /// Loss of each pair, nats, `[pairs]`.
    pub per_pair: Tensor<B, 1>,
    /// Implicit reward of each chosen answer, as the link defines it, `[pairs]`.
    pub chosen_rewards: Tensor<B, 1>,
    /// Implicit reward of each rejected answer, `[pairs]`.
    pub rejected_rewards: Tensor<B, 1>,
    /// `Σ_t log π_θ` of each chosen answer, nats, `[pairs]`.
    pub chosen_logps: Tensor<B, 1>,
    /// `Σ_t log π_θ` of each rejected answer, nats, `[pairs]`.
    pub rejected_logps: Tensor<B, 1>,
    /// `Σ_t d_t` of each chosen answer, nats, `[pairs]`: an estimate, from this one answer, of the
    /// KL divergence between policy and reference (BMC, figure 9; 2D-DPO, figure 5). Present
    /// whenever the batch has reference log-probs, even if the objective does not use them.
    pub chosen_kl: Option<Tensor<B, 1>>,
    /// `Σ_t d_t` of each rejected answer, nats, `[pairs]`.
    pub rejected_kl: Option<Tensor<B, 1>>,
    /// Fraction of each pair's granules in which the chosen side has the higher reward, `[pairs]`.
    /// A tie counts as wrong, as in the accuracy of whole answers.
    pub granule_accuracies: Tensor<B, 1>,
}
