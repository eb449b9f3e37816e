//! Divisions that depend on positions alone. In: the masks of a batch. Out: one granule for the
//! whole answer, or a granule for every `k` tokens.

use burn::tensor::{Int, Tensor, backend::Backend};

use super::interface::Granularity;
use crate::batch::{PairBatch, Side};
use crate::error::BatchError;
use crate::granules::{Assignment, Granules};

/// The whole answer is one granule, as in DPO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whole;

impl<B: Backend> Granularity<B> for Whole {
    fn granules(&self, batch: &PairBatch<B>) -> Result<Vec<Granules<B>>, BatchError> {
        let device = batch.chosen.policy.device();
        Ok(vec![Granules {
            n_granules: 1,
            chosen: Assignment::Whole,
            rejected: Assignment::Whole,
            weight: Tensor::ones([batch.n_pairs(), 1], &device),
            chosen_scale: None,
            rejected_scale: None,
        }])
    }
}

/// Granule `i` holds tokens `[ik, (i+1)k)` of both answers. A pair has `⌈max(n_w, n_l)/k⌉`
/// granules, and past the end of an answer its sum is 0 (Autoregressive DPO, static granularity).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Static {
    /// `k`, the number of tokens per granule, `≥ 1`.
    pub tokens_per_granule: usize,
}

impl<B: Backend> Granularity<B> for Static {
    fn granules(&self, batch: &PairBatch<B>) -> Result<Vec<Granules<B>>, BatchError> {
        let (chosen, rejected) = (&batch.chosen, &batch.rejected);
        let longest = chosen.mask.dims()[1].max(rejected.mask.dims()[1]);
        let k = self.tokens_per_granule.clamp(1, longest.max(1));
        let n_granules = longest.div_ceil(k).max(1);
        let device = chosen.policy.device();

        // ⌊t/k⌋ = ⌊(t+1 − 0.5)/k⌋; the half keeps the quotient away from whole numbers
        let granule_of = |side: &Side<B>| ((side.cumulative_counts() - 0.5) / k as f64).int();

        // granule i exists where ik < max(n_w, n_l)
        let n_tokens = chosen.n_tokens().max_pair(rejected.n_tokens());
        let start = Tensor::<B, 1, Int>::arange(0..n_granules as i64, &device)
            .mul_scalar(k as i64)
            .float()
            .reshape([1, n_granules])
            .expand([batch.n_pairs(), n_granules]);
        let weight = start.lower(n_tokens.expand([batch.n_pairs(), n_granules]));

        Ok(vec![Granules {
            n_granules,
            chosen: Assignment::Tokens(granule_of(chosen)),
            rejected: Assignment::Tokens(granule_of(rejected)),
            weight: weight.float(),
            chosen_scale: None,
            rejected_scale: None,
        }])
    }
}
