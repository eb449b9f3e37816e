//! SFT: the likelihood of given answers. In: log-probs of answers. Out: a loss, averaged over tokens.

use burn::tensor::{Tensor, backend::Backend};

use crate::batch::Side;

/// Supervised fine-tuning: `−Σ_i Σ_t p_t(y_i) / Σ_i n_i`, the mean over all counted tokens of all
/// answers. `n_i` is the number of counted tokens of answer `i`, whose mask is 1.
///
/// As a term of a sum, and as `sft_coefficient`, SFT is the mean over answers of each answer's mean
/// (see [`NoPreference`](crate::NoPreference)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sft;

/// SFT's loss, and the values from which metrics are computed.
#[derive(Clone, Debug)]
pub struct SftOutput<B: Backend> {
    /// Mean over the counted tokens, nats, `[1]`. Call `backward()` on it. 0 if no token counts.
    pub loss: Tensor<B, 1>,
    /// `−Σ_t p_t` of each answer over its counted tokens, nats, `[answers]`.
    pub per_answer: Tensor<B, 1>,
    /// Number of counted tokens of each answer, `[answers]`.
    pub n_tokens: Tensor<B, 1>,
}

impl Sft {
    /// The loss of some answers. Only `policy` and `mask` of `answers` are used.
    ///
    /// # Shapes
    /// `answers` is `[answers, tokens]`.
    pub fn loss<B: Backend>(&self, answers: &Side<B>) -> SftOutput<B> {
        let [n, _] = answers.policy.dims();
        let log_probs = answers.zero_where_masked(answers.policy.clone());
        let per_answer = log_probs.sum_dim(1).neg().reshape([n]);
        let n_tokens = answers.mask.clone().sum_dim(1).reshape([n]);
        let all = n_tokens.clone().sum().clamp_min(1.0);
        let per_token = all.ones_like() / all;
        SftOutput {
            loss: per_answer.clone().sum() * per_token,
            per_answer,
            n_tokens,
        }
    }
}
