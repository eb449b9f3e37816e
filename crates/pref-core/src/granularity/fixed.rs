//! Divisions that look at nothing but positions: the whole answer, and runs of `k` tokens.

use burn::tensor::{Tensor, backend::Backend};

use super::Granularity;
use crate::batch::{PairBatch, Side};
use crate::error::BatchError;
use crate::granules::{Assignment, Granules};

/// The whole answer is one granule.
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

/// Granule `i` holds tokens `[ik, (i+1)k)` of both answers; `⌈max(n_w, n_l)/k⌉` granules, a side
/// that has ended adds 0 (ADPO, static).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Static {
    /// Tokens a granule, `k ≥ 1`.
    pub tokens: usize,
}

impl<B: Backend> Granularity<B> for Static {
    fn granules(&self, batch: &PairBatch<B>) -> Result<Vec<Granules<B>>, BatchError> {
        let (chosen, rejected) = (&batch.chosen, &batch.rejected);
        let longest = chosen.mask.dims()[1].max(rejected.mask.dims()[1]);
        let k = self.tokens.clamp(1, longest.max(1));
        let n_granules = longest.div_ceil(k).max(1);
        let device = chosen.policy.device();

        // ⌊t/k⌋; half a token cannot lift the quotient to the next whole number
        let run_of = |side: &Side<B>| ((side.counted() - 0.5) / k as f64).int();

        // granule i exists where ik < max(n_w, n_l)
        let n_tokens = chosen.n_tokens().max_pair(rejected.n_tokens());
        let start = Tensor::<B, 1, burn::tensor::Int>::arange(0..n_granules as i64, &device)
            .mul_scalar(k as i64)
            .float()
            .reshape([1, n_granules])
            .expand([batch.n_pairs(), n_granules]);
        let weight = start.lower(n_tokens.expand([batch.n_pairs(), n_granules]));

        Ok(vec![Granules {
            n_granules,
            chosen: Assignment::Tokens(run_of(chosen)),
            rejected: Assignment::Tokens(run_of(rejected)),
            weight: weight.float(),
            chosen_scale: None,
            rejected_scale: None,
        }])
    }
}
