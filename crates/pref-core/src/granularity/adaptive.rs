//! Adaptive granularity. In: the masks of a batch. Out: the same number of granules for both
//! answers of a pair, even if their lengths differ.

use burn::tensor::{Int, Tensor, backend::Backend};

use super::interface::Granularity;
use crate::batch::{PairBatch, Side};
use crate::error::BatchError;
use crate::granules::{Assignment, Granules};

/// Divides both answers into `m' = min(m, n_w, n_l)` granules. Granule `j` of an answer of `n`
/// tokens holds tokens `[⌊jn/m'⌋, ⌊(j+1)n/m'⌋)` (Autoregressive DPO, adaptive granularity).
///
/// Every granule holds at least one token on each side, so no token is compared with padding.
///
/// Computing the loss panics if tokens times granules exceeds `i32::MAX`, since token indices are
/// 32-bit integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Adaptive {
    /// `m`, the maximum number of granules per pair, `≥ 1`.
    pub max_granules: usize,
}

impl<B: Backend> Granularity<B> for Adaptive {
    fn granules(&self, batch: &PairBatch<B>) -> Result<Vec<Granules<B>>, BatchError> {
        let (chosen, rejected) = (&batch.chosen, &batch.rejected);
        let (wide, narrow) = {
            let (w, l) = (chosen.mask.dims()[1], rejected.mask.dims()[1]);
            (w.max(l), w.min(l))
        };
        let n_granules = self.max_granules.min(narrow).max(1);
        assert!(
            (wide as u64) * (n_granules as u64) <= i32::MAX as u64,
            "{wide} tokens in {n_granules} granules overflow 32-bit token indices; use fewer granules"
        );
        let device = chosen.policy.device();
        let pairs = batch.n_pairs();

        // m' of each pair, [pairs, 1]
        let m = chosen
            .n_tokens()
            .min_pair(rejected.n_tokens())
            .int()
            .clamp(1, n_granules as i64);
        let index = Tensor::<B, 1, Int>::arange(0..n_granules as i64, &device)
            .reshape([1, n_granules])
            .expand([pairs, n_granules]);
        let weight = index.lower(m.clone().expand([pairs, n_granules]));

        Ok(vec![Granules {
            n_granules,
            chosen: Assignment::Tokens(granule_of(chosen, m.clone(), n_granules)),
            rejected: Assignment::Tokens(granule_of(rejected, m, n_granules)),
            weight: weight.float(),
            chosen_scale: None,
            rejected_scale: None,
        }])
    }
}

/// Up to this many tokens times granules, a quotient can be computed in f32: its rounding error, a
/// few units in the last place, cannot reach the next whole number.
const EXACT_IN_FLOAT: usize = 1 << 20;

/// The granule of each token, `[pairs, tokens]`: the largest `j` with `⌊jn/m'⌋ ≤ t`, which is
/// `⌊((t+1)m' − 1)/n⌋`.
fn granule_of<B: Backend>(
    side: &Side<B>,
    m: Tensor<B, 2, Int>,
    n_granules: usize,
) -> Tensor<B, 2, Int> {
    let n = side.n_tokens().clamp_min(1.0);
    if side.mask.dims()[1] * n_granules <= EXACT_IN_FLOAT {
        // −0.5 in place of −1 has the same floor, and keeps the quotient away from whole numbers
        return ((side.cumulative_counts() * m.float() - 0.5) / n).int();
    }
    ((side.positions() + 1) * m - 1) / n.int()
}
