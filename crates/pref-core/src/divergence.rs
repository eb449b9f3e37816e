//! f-divergences: DPO with a divergence other than the reverse KL. In: granule sums. Out: the
//! scores that the link compares instead of the sums.

use burn::tensor::{Tensor, backend::Backend};

use crate::math::log_sigmoid;

/// Largest exponent in a score. Larger exponents are replaced by it, so that `e^40` squared is
/// still finite in f32.
const MAX_EXPONENT: f64 = 40.0;

/// The f-divergence that keeps the policy close to its reference (f-DPO, Wang et al. 2024).
///
/// A granule with the log-ratio `S` gets the score `f'(e^S)`. Every variant gives 0 at `S = 0`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Divergence {
    /// Reverse KL, the divergence of DPO. The score is `S`.
    #[default]
    ReverseKl,
    /// Forward KL. The score is `1 − e^{−S}`.
    ForwardKl,
    /// Jensen-Shannon. The score is `log 2 + log σ(S)`.
    JensenShannon,
    /// The α-divergence of this `α`. The score is `(e^{(α−1)S} − 1) / (α−1)`, and `S` at `α = 1`.
    Alpha(f64),
}

impl Divergence {
    /// The scores of granule sums. Sums and scores are `[pairs, granules]`.
    pub(crate) fn score<B: Backend>(self, sums: Tensor<B, 2>) -> Tensor<B, 2> {
        // e^{exponent · S} − 1
        let power = |sums: Tensor<B, 2>, exponent: f64| {
            let exponent = (sums * exponent).clamp_max(MAX_EXPONENT);
            exponent.exp() - 1.0
        };
        match self {
            Divergence::ReverseKl => sums,
            Divergence::ForwardKl => -power(sums, -1.0),
            Divergence::JensenShannon => log_sigmoid(sums) + std::f64::consts::LN_2,
            // the same threshold as in TRL
            Divergence::Alpha(alpha) if (alpha - 1.0).abs() < 1e-6 => sums,
            Divergence::Alpha(alpha) => power(sums, alpha - 1.0) / (alpha - 1.0),
        }
    }
}
