//! A pairwise objective: combines token reward, weights, granularity, divergence and link. In: a
//! [`PairBatch`]. Out: the loss and the values of the metrics, all still on the device.

use burn::tensor::{Tensor, backend::Backend};

use super::interface::{LossOutput, Objective};
use crate::batch::{PairBatch, Role, Side};
use crate::divergence::Divergence;
use crate::error::BatchError;
use crate::granularity::Granularity;
use crate::granules::{Assignment, GranuleSums, Granules};
use crate::link::Link;
use crate::reward::TokenReward;
use crate::weight::{TokenWeight, TokenWeights};

/// An objective over pairs, for one backend.
///
/// [`PairwiseConfig::build`](crate::PairwiseConfig::build) makes it from a method's name and
/// settings. You can also put it together yourself and add parts of your own. A weight, a
/// granularity or a link takes a few lines, and works with all the others:
///
/// ```
/// use burn::tensor::{Tensor, backend::Backend};
/// use pref_core::{
///     Assignment, BatchError, Divergence, GranuleSums, Granularity, Granules, Link, PairBatch,
///     PairwiseObjective, Role, Side, TokenReward, TokenWeight, TokenWeights,
/// };
///
/// /// Tokens that are unlikely under the reference count more.
/// #[derive(Debug)]
/// struct Surprise;
///
/// impl<B: Backend> TokenWeight<B> for Surprise {
///     fn weights(&self, batch: &PairBatch<B>, role: Role) -> Result<TokenWeights<B>, BatchError> {
///         let reference = batch.side(role).reference.clone().expect("the batch has a reference");
///         Ok((reference.neg().clamp(0.0, 2.0) + 1.0).into())
///     }
/// }
///
/// /// Two granules: the first `n` tokens, and the others.
/// #[derive(Debug)]
/// struct FirstTokens(i64);
///
/// impl<B: Backend> Granularity<B> for FirstTokens {
///     fn granules(&self, batch: &PairBatch<B>) -> Result<Vec<Granules<B>>, BatchError> {
///         let granule_of = |side: &Side<B>| side.positions().greater_equal_elem(self.0).int();
///         Ok(vec![Granules {
///             n_granules: 2,
///             chosen: Assignment::Tokens(granule_of(&batch.chosen)),
///             rejected: Assignment::Tokens(granule_of(&batch.rejected)),
///             weight: Tensor::ones([batch.n_pairs(), 2], &batch.chosen.policy.device()),
///             chosen_scale: None,
///             rejected_scale: None,
///         }])
///     }
/// }
///
/// /// `e^{−βΔ}`, the loss of boosting.
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
///     granularity: Box::new(FirstTokens(1)),
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
/// // chosen: weights 2.5 and 2, ratios 0.5 and −1, so granule sums 1.25 and −2; rejected: 0 and 0
/// let expected = (-0.125_f32).exp() + 0.2_f32.exp();
/// assert!((output.per_pair.into_data().iter::<f32>().next().unwrap() - expected).abs() < 1e-6);
/// assert!(chosen.grad(&output.loss.backward()).is_some());
/// # Ok::<(), BatchError>(())
/// ```
#[derive(Debug)]
pub struct PairwiseObjective<B: Backend> {
    /// Token reward `ρ_t`.
    pub reward: TokenReward,
    /// Token weights `w_t`, which are multiplied. An empty list means 1 for every token.
    pub weights: Vec<Box<dyn TokenWeight<B>>>,
    /// Which tokens of the two answers are compared with each other.
    pub granularity: Box<dyn Granularity<B>>,
    /// The f-divergence, which turns a granule sum into a score.
    pub divergence: Divergence,
    /// The function from granule sums to a loss.
    pub link: Box<dyn Link<B>>,
    /// Factor of the SFT term `−Σ p_t / n_w` on the chosen side, `≥ 0`.
    pub sft_coefficient: f64,
}

/// Sums over the granules of each pair, `[pairs, 1]` each.
struct Totals<B: Backend> {
    loss: Tensor<B, 2>,
    chosen_rewards: Tensor<B, 2>,
    rejected_rewards: Tensor<B, 2>,
    n_granules: Tensor<B, 2>,
    /// Granules in which the chosen side has the higher reward.
    n_right: Tensor<B, 2>,
}

impl<B: Backend> Objective<B> for PairwiseObjective<B> {
    fn loss(&self, batch: &PairBatch<B>) -> Result<LossOutput<B>, BatchError> {
        PairwiseObjective::loss(self, batch)
    }
}

impl<B: Backend> PairwiseObjective<B> {
    /// The loss of a batch. Nothing is copied from the device.
    ///
    /// # Errors
    /// [`BatchError`] when the batch lacks an input that the objective needs.
    ///
    /// # Panics
    /// If the shapes of the batch's tensors do not fit together.
    pub fn loss(&self, batch: &PairBatch<B>) -> Result<LossOutput<B>, BatchError> {
        batch.assert_shapes();
        let pairs = batch.n_pairs();
        let totals = self.totals(batch)?;
        let mut per_pair = totals.loss;
        if self.sft_coefficient != 0.0 {
            per_pair = per_pair - self.sft_log_likelihood(&batch.chosen);
        }

        let flat = |values: Tensor<B, 2>| values.reshape([pairs]);
        let per_pair = flat(per_pair);
        Ok(LossOutput {
            loss: per_pair.clone().mean(),
            per_pair,
            chosen_rewards: flat(totals.chosen_rewards),
            rejected_rewards: flat(totals.rejected_rewards),
            chosen_logps: flat(log_prob(&batch.chosen)),
            rejected_logps: flat(log_prob(&batch.rejected)),
            chosen_kl: log_ratio(&batch.chosen).map(flat),
            rejected_kl: log_ratio(&batch.rejected).map(flat),
            granule_accuracies: flat(totals.n_right / totals.n_granules.clamp_min(1.0)),
        })
    }

    /// Losses and rewards of all granules, summed for each pair.
    fn totals(&self, batch: &PairBatch<B>) -> Result<Totals<B>, BatchError> {
        let chosen = self.token_rewards(batch, Role::Chosen)?;
        let rejected = self.token_rewards(batch, Role::Rejected)?;
        let zero = Tensor::zeros([batch.n_pairs(), 1], &batch.chosen.policy.device());
        let mut totals = Totals {
            loss: zero.clone(),
            chosen_rewards: zero.clone(),
            rejected_rewards: zero.clone(),
            n_granules: zero.clone(),
            n_right: zero,
        };
        for granules in self.granularity.granules(batch)? {
            let [w, l] = self.sums(&granules, batch, &chosen, &rejected);
            let weighted = |values: Tensor<B, 2>| (values * granules.weight.clone()).sum_dim(1);
            let reward_w = self.link.reward(&w).detach();
            let reward_l = self.link.reward(&l).detach();
            let is_compared = granules.weight.clone().greater_elem(0.0).float();
            let is_right = reward_w.clone().greater(reward_l.clone()).float();
            totals.n_right = totals.n_right + (is_right * is_compared.clone()).sum_dim(1);
            totals.n_granules = totals.n_granules + is_compared.sum_dim(1);
            totals.chosen_rewards = totals.chosen_rewards + weighted(reward_w);
            totals.rejected_rewards = totals.rejected_rewards + weighted(reward_l);
            totals.loss = totals.loss + weighted(self.link.loss(&w, &l));
        }
        Ok(totals)
    }

    /// `w_t ρ_t` of one side, 0 at masked positions, `[pairs, tokens]`.
    fn token_rewards(&self, batch: &PairBatch<B>, role: Role) -> Result<Tensor<B, 2>, BatchError> {
        let weights = self.token_weights(batch, role)?;
        self.reward.weighted(batch.side(role), role, weights)
    }

    /// The product of all weights of one side's tokens; `None` if every token has weight 1.
    ///
    /// # Errors
    /// [`BatchError`] when the batch lacks data from which a weight is computed.
    pub fn token_weights(
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

    /// Granule sums of the chosen and of the rejected side.
    fn sums(
        &self,
        granules: &Granules<B>,
        batch: &PairBatch<B>,
        chosen: &Tensor<B, 2>,
        rejected: &Tensor<B, 2>,
    ) -> [GranuleSums<B>; 2] {
        let side = |rewards: &Tensor<B, 2>, side: &Side<B>, assignment: &Assignment<B>, scale| {
            let mask = side.mask.clone();
            let mut sums = GranuleSums::new(
                rewards.clone(),
                mask,
                assignment,
                granules.n_granules,
                scale,
            );
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

    /// `sft_coefficient · Σ p_t / n_w`, nats, `[pairs, 1]`.
    fn sft_log_likelihood(&self, chosen: &Side<B>) -> Tensor<B, 2> {
        let n_tokens = chosen.n_tokens().clamp_min(1.0);
        let per_token = n_tokens.ones_like() / n_tokens * self.sft_coefficient;
        let log_probs = chosen.zero_where_masked(chosen.policy.clone());
        log_probs.sum_dim(1) * per_token
    }
}

/// `Σ_t log π_θ` of each answer without gradient, nats, `[pairs, 1]`.
fn log_prob<B: Backend>(side: &Side<B>) -> Tensor<B, 2> {
    let log_probs = side.zero_where_masked(side.policy.clone().detach());
    log_probs.sum_dim(1)
}

/// `Σ_t d_t` of each answer without gradient, nats, `[pairs, 1]`.
fn log_ratio<B: Backend>(side: &Side<B>) -> Option<Tensor<B, 2>> {
    let reference = side.reference.clone()?.detach();
    let ratio = side.zero_where_masked(side.policy.clone().detach() - reference);
    Some(ratio.sum_dim(1))
}
