//! f-divergences: what a log-ratio is worth when the policy is held to its reference by another
//! divergence than the reverse KL. In: granule sums. Out: scores in their place.

use burn::tensor::{Tensor, backend::Backend};

use crate::math::log_sigmoid;

/// The largest exponent taken: `e^40` squared is still finite in f32. A log-ratio beyond it has a
/// constant score.
const LARGEST_EXPONENT: f64 = 40.0;

/// The divergence whose derivative `f'(u)`, `u = e^S`, is the score of a granule's log-ratio `S`
/// (f-DPO, Wang et al. 2024). Every one gives 0 at `S = 0`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Divergence {
    /// `S`: DPO's.
    #[default]
    ReverseKl,
    /// `1 − e^{−S}`.
    ForwardKl,
    /// `log 2 + log σ(S)`.
    JensenShannon,
    /// `(e^{(α−1)S} − 1) / (α−1)`; `S` at `α = 1`.
    Alpha(f64),
}

impl Divergence {
    /// The scores of granule sums, `[pairs, granules]`.
    pub(crate) fn score<B: Backend>(self, sums: Tensor<B, 2>) -> Tensor<B, 2> {
        let power = |sums: Tensor<B, 2>, exponent: f64| {
            let exponent = (sums * exponent).clamp_max(LARGEST_EXPONENT);
            exponent.exp() - 1.0
        };
        match self {
            Divergence::ReverseKl => sums,
            Divergence::ForwardKl => -power(sums, -1.0),
            Divergence::JensenShannon => log_sigmoid(sums) + std::f64::consts::LN_2,
            // the limit, taken where TRL takes it
            Divergence::Alpha(alpha) if (alpha - 1.0).abs() < 1e-6 => sums,
            Divergence::Alpha(alpha) => power(sums, alpha - 1.0) / (alpha - 1.0),
        }
    }
}
