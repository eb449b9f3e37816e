//! KTO: single answers, desirable or not. In: their log-probs and those of mismatched answers.
//! Out: a loss.

use burn::tensor::{Tensor, activation::sigmoid, backend::Backend};

use crate::batch::Side;
use crate::error::BatchError;

/// `λ_D (1 − σ(β(R − z)))` for a desirable answer, `λ_U (1 − σ(β(z − R)))` for another, with
/// `R = Σ d_t` and `z = max(0, mean of R over mismatched answers)` without gradient
/// (KTO, Ethayarajh et al. 2024).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Kto {
    /// Scale `β` of the rewards, `> 0`.
    pub beta: f64,
    /// `λ_D ≥ 0`.
    pub desirable_weight: f64,
    /// `λ_U ≥ 0`.
    pub undesirable_weight: f64,
}

/// A batch of single answers.
#[derive(Clone, Debug)]
pub struct UnpairedBatch<B: Backend> {
    /// The answers, `[examples, tokens]`, with reference.
    pub answers: Side<B>,
    /// 1 where the answer is desirable, else 0, `[examples]`.
    pub desirable: Tensor<B, 1>,
    /// Each prompt's answer of another prompt, as [`mismatched`] pairs them, `[examples, tokens]`,
    /// with reference. Its gradient is never taken, so it can come from a pass without a graph.
    pub mismatched: Side<B>,
}

/// KTO's loss and its KL estimate.
#[derive(Clone, Debug)]
pub struct KtoOutput<B: Backend> {
    /// Mean over the examples, `[1]`.
    pub loss: Tensor<B, 1>,
    /// Loss of each example, `[examples]`.
    pub per_example: Tensor<B, 1>,
    /// `β R` of each example, `[examples]`, detached.
    pub rewards: Tensor<B, 1>,
    /// `z`, nats, `[1]`, detached.
    pub kl: Tensor<B, 1>,
}

/// Whose answer each prompt of a batch of `n` is given for the KL estimate: the one of the prompt
/// before it, the first prompt that of the last, as TRL rotates a batch.
///
/// ```
/// assert_eq!(pref_core::mismatched(3)?, [2, 0, 1]);
/// assert!(pref_core::mismatched(1).is_err()); // its rotation is itself
/// # Ok::<(), pref_core::BatchError>(())
/// ```
///
/// # Errors
/// [`BatchError::NoMismatch`] for a batch of one or none.
pub fn mismatched(n: usize) -> Result<Vec<usize>, BatchError> {
    if n < 2 {
        return Err(BatchError::NoMismatch { n });
    }
    Ok((0..n).map(|i| (i + n - 1) % n).collect())
}

impl Kto {
    /// The loss of a batch, nothing copied from the device.
    ///
    /// # Errors
    /// [`BatchError::Missing`] without reference log-probs, [`BatchError::NoMismatch`] for a batch
    /// of one, whose only completion matches its prompt.
    ///
    /// # Panics
    /// If `desirable` does not have one entry an answer.
    pub fn loss<B: Backend>(&self, batch: &UnpairedBatch<B>) -> Result<KtoOutput<B>, BatchError> {
        let [n] = batch.desirable.dims();
        assert_eq!(
            batch.answers.policy.dims()[0],
            n,
            "`desirable` must have one entry an answer"
        );
        if n < 2 || batch.mismatched.policy.dims()[0] == 0 {
            return Err(BatchError::NoMismatch { n });
        }
        let kl = Self::reference_point(&batch.mismatched)?;
        self.loss_from(&batch.answers, &batch.desirable, kl)
    }

    /// `z = max(0, mean of R)` of mismatched answers, nats, `[1]`, detached. Those of several
    /// batches together estimate it better than those of one.
    ///
    /// # Errors
    /// [`BatchError::Missing`] without reference log-probs.
    pub fn reference_point<B: Backend>(mismatched: &Side<B>) -> Result<Tensor<B, 1>, BatchError> {
        let ratios = log_ratio(mismatched, "the mismatched answers")?;
        Ok(ratios.detach().mean().clamp_min(0.0))
    }

    /// The loss of a batch against a known reference point `z`, `[1]`. `desirable` is
    /// `[examples]`, 1 where the answer is wanted, else 0.
    ///
    /// # Errors
    /// [`BatchError::Missing`] without reference log-probs.
    pub fn loss_from<B: Backend>(
        &self,
        answers: &Side<B>,
        desirable: &Tensor<B, 1>,
        kl: Tensor<B, 1>,
    ) -> Result<KtoOutput<B>, BatchError> {
        let reward = log_ratio(answers, "the answers")?;
        let advantage = (reward.clone() - kl.clone()) * self.beta;
        let desirable = desirable.clone();
        let undesirable = desirable.clone().neg() + 1.0;
        let per_example = sigmoid(-advantage.clone()) * desirable * self.desirable_weight
            + sigmoid(advantage) * undesirable * self.undesirable_weight;
        Ok(KtoOutput {
            loss: per_example.clone().mean(),
            per_example,
            rewards: reward.detach() * self.beta,
            kl,
        })
    }
}

/// `R = Σ d_t`, `[examples]`.
fn log_ratio<B: Backend>(side: &Side<B>, name: &'static str) -> Result<Tensor<B, 1>, BatchError> {
    let reference = side.reference.clone().ok_or(BatchError::Missing {
        user: "kto",
        input: "reference log-probs",
        side: name,
        remedy: "score the answers with the reference model",
    })?;
    let [n, _] = side.policy.dims();
    let ratio = side.masked(side.policy.clone() - reference.detach());
    Ok(ratio.sum_dim(1).reshape([n]))
}
