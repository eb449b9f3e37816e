//! Adaptive granularity: both answers in the same number of granules, whatever their lengths.

use burn::tensor::{Int, Tensor, backend::Backend};

use super::Granularity;
use crate::batch::{PairBatch, Side};
use crate::error::BatchError;
use crate::granules::{Assignment, Granules};

/// `m' = min(m, n_w, n_l)` granules; granule `j` holds tokens `[⌊jn/m'⌋, ⌊(j+1)n/m'⌋)` of each
/// answer (ADPO, adaptive). No token is ever compared with padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Adaptive {
    /// The most granules a pair is divided into, `m ≥ 1`.
    pub granules: usize,
}

impl<B: Backend> Granularity<B> for Adaptive {
    fn granules(&self, batch: &PairBatch<B>) -> Result<Vec<Granules<B>>, BatchError> {
        let (chosen, rejected) = (&batch.chosen, &batch.rejected);
        let (wide, narrow) = {
            let (w, l) = (chosen.mask.dims()[1], rejected.mask.dims()[1]);
            (w.max(l), w.min(l))
        };
        let n_granules = self.granules.min(narrow).max(1);
        assert!(
            (wide as u64) * (n_granules as u64) <= i32::MAX as u64,
            "{wide} tokens in {n_granules} granules overflow 32-bit token indices; lower the granularity"
        );
        let device = chosen.policy.device();
        let pairs = batch.n_pairs();

        // m', [pairs, 1]
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

/// Below this a quotient's rounding, a few units in its last place, cannot reach a whole number.
const EXACT_IN_FLOAT: usize = 1 << 20;

/// The largest `j` with `⌊jn/m'⌋ ≤ t`, which is `⌊((t+1)m' − 1)/n⌋`, `[pairs, tokens]`.
fn granule_of<B: Backend>(
    side: &Side<B>,
    m: Tensor<B, 2, Int>,
    n_granules: usize,
) -> Tensor<B, 2, Int> {
    let n = side.n_tokens().clamp_min(1.0);
    if side.mask.dims()[1] * n_granules <= EXACT_IN_FLOAT {
        // half a unit above the dividend stays half a unit below the next quotient
        return ((side.counted() * m.float() - 0.5) / n).int();
    }
    ((side.positions() + 1) * m - 1) / n.int()
}
