//! Token rewards. In: the log-probs of one side, and weights of its tokens. Out: the weighted
//! reward of each token, `[pairs, tokens]`.

use burn::tensor::{Tensor, backend::Backend};

use crate::batch::{Role, Side};
use crate::error::BatchError;
use crate::weight::TokenWeights;

/// The reward `ρ_t` of a token, before weighting.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TokenReward {
    /// `d_t = log π_θ − log π_ref`, nats.
    LogRatio,
    /// `p_t = log π_θ`, nats. No reference is needed.
    LogProb,
    /// `d_t + α k_t`, nats, where `k_t = KL(π_ref ‖ π_θ)` at the token's position (TDPO, Zeng et
    /// al. 2024). The difference of the two sides then contains TDPO's `−α(K_l − K_w)`.
    LogRatioWithKl {
        /// Weight of the KL divergence, `≥ 0`.
        alpha: f64,
        /// Whether the KL of the chosen side receives no gradient (TDPO2).
        stop_chosen: bool,
    },
}

impl TokenReward {
    /// `w_t ρ_t` of every token of one side, `[pairs, tokens]`, 0 at masked positions. Without
    /// weights every `w_t` is 1.
    pub(crate) fn weighted<B: Backend>(
        self,
        side: &Side<B>,
        role: Role,
        weights: Option<TokenWeights<B>>,
    ) -> Result<Tensor<B, 2>, BatchError> {
        let policy = side.policy.clone();
        let rewards = match (self.reference(side, role)?, weights) {
            (None, None) => policy,
            (None, Some(weights)) => policy * weights.policy,
            (Some(reference), None) => policy - reference,
            (Some(reference), Some(weights)) => {
                policy * weights.policy - reference * weights.reference
            }
        };
        Ok(side.zero_where_masked(self.with_kl(rewards, side, role)?))
    }

    /// The reference's log-probs, if this reward uses them.
    fn reference<B: Backend>(
        self,
        side: &Side<B>,
        role: Role,
    ) -> Result<Option<Tensor<B, 2>>, BatchError> {
        match self {
            TokenReward::LogProb => Ok(None),
            TokenReward::LogRatio | TokenReward::LogRatioWithKl { .. } => {
                let reference = side.reference.clone().ok_or(BatchError::Missing {
                    user: "a log-ratio token reward",
                    input: "reference log-probs",
                    side: role.name(),
                    remedy: "score the answers with the reference model, or choose a reference-free method (simpo, orpo)",
                })?;
                Ok(Some(reference.detach()))
            }
        }
    }

    /// `rewards` plus `α k_t`, if this reward has that term.
    fn with_kl<B: Backend>(
        self,
        rewards: Tensor<B, 2>,
        side: &Side<B>,
        role: Role,
    ) -> Result<Tensor<B, 2>, BatchError> {
        match self {
            TokenReward::LogRatio | TokenReward::LogProb => Ok(rewards),
            TokenReward::LogRatioWithKl { alpha, stop_chosen } => {
                let kl = side.kl.clone().ok_or(BatchError::Missing {
                    user: "tdpo",
                    input: "`kl` (KL divergence of the policy from the reference at each token)",
                    side: role.name(),
                    remedy: "compute it from the next-token distributions of both models",
                })?;
                let stops = stop_chosen && role == Role::Chosen;
                let kl = if stops { kl.detach() } else { kl };
                Ok(rewards + kl * alpha)
            }
        }
    }
}
