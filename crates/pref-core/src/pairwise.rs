//! A pairwise objective: token reward × weight × granularity × link × reduction.
//! In: a [`PairBatch`]. Out: the loss and what the metrics need, all still on the device.

use burn::tensor::{Tensor, backend::Backend};

use crate::batch::{PairBatch, Role, Side};
use crate::error::BatchError;
use crate::granularity::Granularity;
use crate::granules::{Assignment, GranuleSums, Granules};
use crate::link::Link;
use crate::weight::{TokenWeight, TokenWeights};

/// What a token is worth to the policy, `ρ_t`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TokenReward {
    /// `d_t = log π_θ − log π_ref`.
    LogRatio,
    /// `p_t = log π_θ`: reference-free.
    LogProb,
    /// `d_t + α k_t` with `k_t = KL(π_ref ‖ π_θ)` at that position (TDPO). The difference of the
    /// sides then holds TDPO's `−α(K_l − K_w)`.
    LogRatioWithKl {
        /// Weight of the KL, `≥ 0`.
        alpha: f64,
        /// No gradient through the chosen side's KL (TDPO2).
        stop_chosen: bool,
    },
}

/// An objective over pairs, for one backend.
///
/// Built by [`PairwiseConfig::build`](crate::PairwiseConfig::build) from a method's name and
/// settings, or from parts of your own.
#[derive(Debug)]
pub struct PairwiseObjective<B: Backend> {
    /// Token reward `ρ_t`.
    pub reward: TokenReward,
    /// Token weights `w_t`, multiplied; none means 1.
    pub weights: Vec<Box<dyn TokenWeight<B>>>,
    /// What is compared with what.
    pub granularity: Box<dyn Granularity<B>>,
    /// From sums to losses.
    pub link: Box<dyn Link<B>>,
    /// Weight of `−Σ p_t / n_w` on the chosen side.
    pub sft_coefficient: f64,
}

/// A loss and the values that metrics are made of. All but `loss` and `per_pair` are detached.
#[derive(Clone, Debug)]
pub struct LossOutput<B: Backend> {
    /// Mean over the pairs, nats, `[1]`. Call `backward()` on it.
    pub loss: Tensor<B, 1>,
    /// Loss of each pair, `[pairs]`.
    pub per_pair: Tensor<B, 1>,
    /// Implicit reward of each chosen answer, as the link defines it, `[pairs]`.
    pub chosen_rewards: Tensor<B, 1>,
    /// Implicit reward of each rejected answer, `[pairs]`.
    pub rejected_rewards: Tensor<B, 1>,
    /// `Σ_t log π_θ` of each chosen answer, nats, `[pairs]`.
    pub chosen_logps: Tensor<B, 1>,
    /// `Σ_t log π_θ` of each rejected answer, nats, `[pairs]`.
    pub rejected_logps: Tensor<B, 1>,
}

impl<B: Backend> PairwiseObjective<B> {
    /// The loss of a batch, nothing copied from the device.
    ///
    /// # Errors
    /// [`BatchError`] when the batch lacks an input that the objective computes with.
    ///
    /// # Panics
    /// If the tensors' shapes do not fit together.
    pub fn loss(&self, batch: &PairBatch<B>) -> Result<LossOutput<B>, BatchError> {
        batch.assert_shapes();
        let pairs = batch.n_pairs();
        let chosen = self.token_rewards(batch, Role::Chosen)?;
        let rejected = self.token_rewards(batch, Role::Rejected)?;

        let mut per_pair = Tensor::zeros([pairs, 1], &batch.chosen.policy.device());
        let mut chosen_rewards = per_pair.clone();
        let mut rejected_rewards = per_pair.clone();
        for granules in self.granularity.granules(batch)? {
            let [w, l] = sums(&granules, batch, &chosen, &rejected);
            let weighted = |values: Tensor<B, 2>| (values * granules.weight.clone()).sum_dim(1);
            chosen_rewards = chosen_rewards + weighted(self.link.reward(&w)).detach();
            rejected_rewards = rejected_rewards + weighted(self.link.reward(&l)).detach();
            per_pair = per_pair + weighted(self.link.loss(&w, &l));
        }

        let log_probs = |side: &Side<B>| side.masked(side.policy.clone()).sum_dim(1);
        let chosen_logps = log_probs(&batch.chosen);
        if self.sft_coefficient != 0.0 {
            let n_tokens = batch.chosen.n_tokens().clamp_min(1.0);
            let per_token = n_tokens.ones_like() / n_tokens * self.sft_coefficient;
            per_pair = per_pair - chosen_logps.clone() * per_token;
        }

        let flat = |values: Tensor<B, 2>| values.reshape([pairs]);
        let per_pair = flat(per_pair);
        Ok(LossOutput {
            loss: per_pair.clone().mean(),
            per_pair,
            chosen_rewards: flat(chosen_rewards),
            rejected_rewards: flat(rejected_rewards),
            chosen_logps: flat(chosen_logps.detach()),
            rejected_logps: flat(log_probs(&batch.rejected).detach()),
        })
    }

    /// `w_t ρ_t` of one side, 0 where masked, `[pairs, tokens]`.
    fn token_rewards(&self, batch: &PairBatch<B>, role: Role) -> Result<Tensor<B, 2>, BatchError> {
        let side = batch.side(role);
        let policy = side.policy.clone();
        let Some(weights) = self.token_weights(batch, role)? else {
            let rewards = match self.reference(side, role)? {
                Some(reference) => policy - reference,
                None => policy,
            };
            return Ok(side.masked(self.with_kl(rewards, side, role)?));
        };
        let rewards = match self.reference(side, role)? {
            Some(reference) => policy * weights.policy - reference * weights.reference,
            None => policy * weights.policy,
        };
        Ok(side.masked(self.with_kl(rewards, side, role)?))
    }

    /// The product of all weights, or none where every token weighs 1.
    fn token_weights(
        &self,
        batch: &PairBatch<B>,
        role: Role,
    ) -> Result<Option<TokenWeights<B>>, BatchError> {
        let mut product: Option<TokenWeights<B>> = None;
        for weight in &self.weights {
            let next = weight.weights(batch, role)?;
            product = Some(match product {
                None => next,
                Some(product) => TokenWeights {
                    policy: product.policy * next.policy,
                    reference: product.reference * next.reference,
                },
            });
        }
        Ok(product)
    }

    fn reference(&self, side: &Side<B>, role: Role) -> Result<Option<Tensor<B, 2>>, BatchError> {
        match self.reward {
            TokenReward::LogProb => Ok(None),
            TokenReward::LogRatio | TokenReward::LogRatioWithKl { .. } => {
                let reference = side.reference.clone().ok_or(BatchError::Missing {
                    user: "a reward of log-ratios",
                    input: "reference log-probs",
                    side: role.name(),
                    remedy: "score the answers with the reference model, or choose a reference-free method (simpo, orpo)",
                })?;
                Ok(Some(reference.detach()))
            }
        }
    }

    fn with_kl(
        &self,
        rewards: Tensor<B, 2>,
        side: &Side<B>,
        role: Role,
    ) -> Result<Tensor<B, 2>, BatchError> {
        match self.reward {
            TokenReward::LogRatio | TokenReward::LogProb => Ok(rewards),
            TokenReward::LogRatioWithKl { alpha, stop_chosen } => {
                let kl = side.kl.clone().ok_or(BatchError::Missing {
                    user: "tdpo",
                    input: "`kl` (per-token KL of reference to policy)",
                    side: role.name(),
                    remedy: "compute it from both models' next-token distributions",
                })?;
                let stop = stop_chosen && role == Role::Chosen;
                Ok(rewards + if stop { kl.detach() } else { kl } * alpha)
            }
        }
    }
}

/// Granule sums of both sides: chosen, rejected.
fn sums<B: Backend>(
    granules: &Granules<B>,
    batch: &PairBatch<B>,
    chosen: &Tensor<B, 2>,
    rejected: &Tensor<B, 2>,
) -> [GranuleSums<B>; 2] {
    let side = |values: &Tensor<B, 2>, side: &Side<B>, assignment: &Assignment<B>, scale| {
        GranuleSums::new(
            values.clone(),
            side.mask.clone(),
            assignment,
            granules.n_granules,
            scale,
        )
    };
    let w = granules.chosen_scale.as_ref();
    let l = granules.rejected_scale.as_ref();
    [
        side(chosen, &batch.chosen, &granules.chosen, w),
        side(rejected, &batch.rejected, &granules.rejected, l),
    ]
}
