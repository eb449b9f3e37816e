//! KTO: single answers, each desirable or not. In: the log-probs of the answers, and of answers to
//! other prompts. Out: a loss.

use burn::tensor::{Tensor, activation::sigmoid, backend::Backend};

use crate::batch::Side;
use crate::error::BatchError;

/// `λ_D (1 − σ(β(R − z)))` for a desirable answer and `λ_U (1 − σ(β(z − R)))` for an undesirable
/// one (KTO, Ethayarajh et al. 2024).
///
/// `R = Σ d_t`. The reference point `z = max(0, mean of R over mismatched answers)` estimates the
/// KL divergence between policy and reference, and receives no gradient. A mismatched answer is the
/// answer to another prompt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Kto {
    /// Scale `β` of the rewards, `> 0`. Default of the configuration: 0.1.
    pub beta: f64,
    /// Weight `λ_D` of the desirable answers, `≥ 0`. Default of the configuration: 1.
    pub desirable_weight: f64,
    /// Weight `λ_U` of the undesirable answers, `≥ 0`. Default of the configuration: 1.
    pub undesirable_weight: f64,
}

/// A batch of single answers.
#[derive(Clone, Debug)]
pub struct UnpairedBatch<B: Backend> {
    /// The answers with reference log-probs, `[examples, tokens]`.
    pub answers: Side<B>,
    /// 1 for a desirable answer, else 0, `[examples]`.
    pub desirable: Tensor<B, 1>,
    /// For each prompt the answer to another prompt, as [`mismatched_indices`] pairs them, with
    /// reference log-probs, `[examples, tokens]`. They receive no gradient, so they can be computed
    /// without an autodiff graph.
    pub mismatched: Side<B>,
}

/// KTO's loss, and the values from which metrics are computed.
#[derive(Clone, Debug)]
pub struct KtoOutput<B: Backend> {
    /// Mean over the examples, dimensionless, `[1]`. Call `backward()` on it.
    pub loss: Tensor<B, 1>,
    /// Loss of each example, dimensionless, `[examples]`.
    pub per_example: Tensor<B, 1>,
    /// Reward `β R` of each example, `[examples]`, without gradient.
    pub rewards: Tensor<B, 1>,
    /// Reference point `z`, nats, `[1]`, without gradient.
    pub kl: Tensor<B, 1>,
}

/// For each prompt of a batch of `n`, the index of its mismatched answer. This is the answer of the
/// previous prompt; the first prompt gets the answer of the last one. TRL rotates a batch in the
/// same way.
///
/// ```
/// assert_eq!(pref_core::mismatched_indices(3)?, [2, 0, 1]);
/// assert!(pref_core::mismatched_indices(1).is_err()); // there is no other prompt
/// # Ok::<(), pref_core::BatchError>(())
/// ```
///
/// # Errors
/// [`BatchError::NoMismatch`] if `n` is below 2.
pub fn mismatched_indices(n: usize) -> Result<Vec<usize>, BatchError> {
    if n < 2 {
        return Err(BatchError::NoMismatch { n });
    }
    Ok((0..n).map(|i| (i + n - 1) % n).collect())
}

impl Kto {
    /// The loss of a batch, with the reference point of its mismatched answers. Nothing is copied
    /// from the device.
    ///
    /// # Errors
    /// [`BatchError::Missing`] without reference log-probs; [`BatchError::NoMismatch`] for a batch
    /// of one answer, or without mismatched answers.
    ///
    /// # Panics
    /// If `desirable` does not have one entry for each answer.
    pub fn loss<B: Backend>(&self, batch: &UnpairedBatch<B>) -> Result<KtoOutput<B>, BatchError> {
        let [n] = batch.desirable.dims();
        assert_eq!(
            batch.answers.policy.dims()[0],
            n,
            "`desirable` must have one entry for each answer"
        );
        if n < 2 || batch.mismatched.policy.dims()[0] == 0 {
            return Err(BatchError::NoMismatch { n });
        }
        let kl = Self::reference_point(&batch.mismatched)?;
        self.loss_from(&batch.answers, &batch.desirable, kl)
    }

    /// The reference point `z = max(0, mean of R)` of mismatched answers, nats, `[1]`, without
    /// gradient. More answers give a better estimate, so `mismatched` may hold the answers of
    /// several batches.
    ///
    /// # Errors
    /// [`BatchError::Missing`] without reference log-probs.
    pub fn reference_point<B: Backend>(mismatched: &Side<B>) -> Result<Tensor<B, 1>, BatchError> {
        let ratios = log_ratio(mismatched, "mismatched")?;
        Ok(ratios.detach().mean().clamp_min(0.0))
    }

    /// The loss of a batch with a known reference point.
    ///
    /// # Shapes
    /// `answers` is `[examples, tokens]`. `desirable` is `[examples]`, 1 for a desirable answer,
    /// else 0. `kl` is the reference point `z`, `[1]`, in nats.
    ///
    /// # Errors
    /// [`BatchError::Missing`] without reference log-probs.
    ///
    /// # Panics
    /// If the shapes do not fit together.
    pub fn loss_from<B: Backend>(
        &self,
        answers: &Side<B>,
        desirable: &Tensor<B, 1>,
        kl: Tensor<B, 1>,
    ) -> Result<KtoOutput<B>, BatchError> {
        let reward = log_ratio(answers, "single")?;
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

/// `R = Σ d_t`, nats, `[examples]`.
fn log_ratio<B: Backend>(side: &Side<B>, name: &'static str) -> Result<Tensor<B, 1>, BatchError> {
    let reference = side.reference.clone().ok_or(BatchError::Missing {
        user: "kto",
        input: "reference log-probs",
        side: name,
        remedy: "score the answers with the reference model",
    })?;
    let [n, _] = side.policy.dims();
    let ratio = side.zero_where_masked(side.policy.clone() - reference.detach());
    Ok(ratio.sum_dim(1).reshape([n]))
}
