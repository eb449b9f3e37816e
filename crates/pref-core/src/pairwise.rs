//! A pairwise objective: token reward × weight × granularity × link × reduction.
//! In: a [`PairBatch`]. Out: the loss and what the metrics need, all still on the device.

use burn::tensor::{Tensor, backend::Backend};

use crate::batch::{PairBatch, Role, Side};
use crate::divergence::Divergence;
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
/// settings, or from parts of your own: a weight, a granularity and a link are a few lines each,
/// and go with everything that is here.
///
/// ```
/// use burn::tensor::{Tensor, backend::Backend};
/// use pref_core::{
///     Assignment, BatchError, Divergence, GranuleSums, Granularity, Granules, Link, PairBatch,
///     PairwiseObjective, Role, Side, TokenReward, TokenWeight, TokenWeights,
/// };
///
/// /// Tokens that the reference found unlikely count more.
/// #[derive(Debug)]
/// struct Surprise;
///
/// impl<B: Backend> TokenWeight<B> for Surprise {
///     fn weights(&self, batch: &PairBatch<B>, role: Role) -> Result<TokenWeights<B>, BatchError> {
///         let reference = batch.side(role).reference.clone().expect("scored");
///         Ok((reference.neg().clamp(0.0, 2.0) + 1.0).into())
///     }
/// }
///
/// /// The first `n` tokens are compared with the first `n`, the rest with the rest.
/// #[derive(Debug)]
/// struct Head(i64);
///
/// impl<B: Backend> Granularity<B> for Head {
///     fn granules(&self, batch: &PairBatch<B>) -> Result<Vec<Granules<B>>, BatchError> {
///         let half = |side: &Side<B>| side.positions().greater_equal_elem(self.0).int();
///         Ok(vec![Granules {
///             n_granules: 2,
///             chosen: Assignment::Tokens(half(&batch.chosen)),
///             rejected: Assignment::Tokens(half(&batch.rejected)),
///             weight: Tensor::ones([batch.n_pairs(), 2], &batch.chosen.policy.device()),
///             chosen_scale: None,
///             rejected_scale: None,
///         }])
///     }
/// }
///
/// /// `e^{−βΔ}`, boosting's loss.
/// #[derive(Debug)]
/// struct Exponential { beta: f64 }
///
/// impl<B: Backend> Link<B> for Exponential {
///     fn loss(&self, chosen: &GranuleSums<B>, rejected: &GranuleSums<B>) -> Tensor<B, 2> {
///         (self.reward(rejected) - self.reward(chosen)).exp()
///     }
///
///     fn reward(&self, side: &GranuleSums<B>) -> Tensor<B, 2> {
///         side.reward.clone() * self.beta
///     }
/// }
///
/// type B = burn::backend::Autodiff<burn::backend::Flex>;
/// let objective = PairwiseObjective::<B> {
///     reward: TokenReward::LogRatio,
///     weights: vec![Box::new(Surprise)],
///     granularity: Box::new(Head(1)),
///     divergence: Divergence::ReverseKl,
///     link: Box::new(Exponential { beta: 0.1 }),
///     sft_coefficient: 0.0,
/// };
///
/// let tokens = |rows: [[f32; 2]; 1]| Tensor::<B, 2>::from_data(rows, &Default::default());
/// let side = |policy, reference| Side::from_lengths(policy, &[2]).with_reference(reference);
/// let chosen = tokens([[-1.0, -2.0]]).require_grad();
/// let batch = PairBatch::new(
///     side(chosen.clone(), tokens([[-1.5, -1.0]])),
///     side(tokens([[-0.5, -3.0]]), tokens([[-0.5, -3.0]])),
/// );
/// let output = objective.loss(&batch)?;
/// // weights 2.5 and 2, ratios 0.5 and −1: granule sums 1.25 and −2 against 0 and 0
/// let expected = (-0.125_f32).exp() + 0.2_f32.exp();
/// assert!((output.per_pair.into_data().iter::<f32>().next().unwrap() - expected).abs() < 1e-6);
/// assert!(chosen.grad(&output.loss.backward()).is_some());
/// # Ok::<(), BatchError>(())
/// ```
#[derive(Debug)]
pub struct PairwiseObjective<B: Backend> {
    /// Token reward `ρ_t`.
    pub reward: TokenReward,
    /// Token weights `w_t`, multiplied; none means 1.
    pub weights: Vec<Box<dyn TokenWeight<B>>>,
    /// What is compared with what.
    pub granularity: Box<dyn Granularity<B>>,
    /// What a granule's log-ratio is worth.
    pub divergence: Divergence,
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
    /// `Σ_t d_t` of each chosen answer, nats, `[pairs]`: its one-sample estimate of the policy's KL
    /// from the reference (BMC, figure 9; 2D-DPO, figure 5). There whenever the batch has
    /// reference log-probs, also for a reference-free objective.
    pub chosen_kl: Option<Tensor<B, 1>>,
    /// The same of each rejected answer.
    pub rejected_kl: Option<Tensor<B, 1>>,
    /// The share of each pair's granules whose chosen side has the higher reward, `[pairs]`. A tie
    /// counts as wrong, as in the accuracy of whole answers.
    pub granule_accuracies: Tensor<B, 1>,
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
        let mut n_granules = per_pair.clone();
        let mut n_right = per_pair.clone();
        for granules in self.granularity.granules(batch)? {
            let [w, l] = self.sums(&granules, batch, &chosen, &rejected);
            let weighted = |values: Tensor<B, 2>| (values * granules.weight.clone()).sum_dim(1);
            let reward_w = self.link.reward(&w).detach();
            let reward_l = self.link.reward(&l).detach();
            let is_compared = granules.weight.clone().greater_elem(0.0).float();
            let is_right = reward_w.clone().greater(reward_l.clone()).float();
            n_right = n_right + (is_right * is_compared.clone()).sum_dim(1);
            n_granules = n_granules + is_compared.sum_dim(1);
            chosen_rewards = chosen_rewards + weighted(reward_w);
            rejected_rewards = rejected_rewards + weighted(reward_l);
            per_pair = per_pair + weighted(self.link.loss(&w, &l));
        }

        if self.sft_coefficient != 0.0 {
            let n_tokens = batch.chosen.n_tokens().clamp_min(1.0);
            let per_token = n_tokens.ones_like() / n_tokens * self.sft_coefficient;
            let log_probs = batch.chosen.masked(batch.chosen.policy.clone());
            per_pair = per_pair - log_probs.sum_dim(1) * per_token;
        }

        let flat = |values: Tensor<B, 2>| values.reshape([pairs]);
        let log_probs = |side: &Side<B>| {
            let log_probs = side.masked(side.policy.clone().detach());
            flat(log_probs.sum_dim(1))
        };
        let log_ratio = |side: &Side<B>| {
            let reference = side.reference.clone()?.detach();
            let ratio = side.masked(side.policy.clone().detach() - reference);
            Some(flat(ratio.sum_dim(1)))
        };
        let per_pair = flat(per_pair);
        Ok(LossOutput {
            loss: per_pair.clone().mean(),
            per_pair,
            chosen_rewards: flat(chosen_rewards),
            rejected_rewards: flat(rejected_rewards),
            chosen_logps: log_probs(&batch.chosen),
            rejected_logps: log_probs(&batch.rejected),
            chosen_kl: log_ratio(&batch.chosen),
            rejected_kl: log_ratio(&batch.rejected),
            granule_accuracies: flat(n_right / n_granules.clamp_min(1.0)),
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

    /// Granule sums of both sides: chosen, rejected.
    fn sums(
        &self,
        granules: &Granules<B>,
        batch: &PairBatch<B>,
        chosen: &Tensor<B, 2>,
        rejected: &Tensor<B, 2>,
    ) -> [GranuleSums<B>; 2] {
        let side = |values: &Tensor<B, 2>, side: &Side<B>, assignment: &Assignment<B>, scale| {
            let mask = side.mask.clone();
            let mut sums =
                GranuleSums::new(values.clone(), mask, assignment, granules.n_granules, scale);
            sums.reward = self.divergence.score(sums.reward);
            sums
        };
        let w = granules.chosen_scale.as_ref();
        let l = granules.rejected_scale.as_ref();
        [
            side(chosen, &batch.chosen, &granules.chosen, w),
            side(rejected, &batch.rejected, &granules.rejected, l),
        ]
    }
}
