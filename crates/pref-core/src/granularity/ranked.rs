//! Ranked segments (2D-DPO). In: scored segments of both answers. Out: granules that compare the
//! best segments of the chosen answer with the worst of the rejected one.

use burn::tensor::{Int, Tensor, TensorData, backend::Backend};

use super::interface::Granularity;
use super::ranking::{RankedPairs, RankedSegment, pair_by_rank};
use crate::batch::{PairBatch, Role};
use crate::error::BatchError;
use crate::granules::{Assignment, Granules};
use crate::segments::N_ASPECTS;

/// Selects `N = min(#w, #l)` segments of each answer and pairs them by rank. The reward of a
/// segment is multiplied by the segment's quality (2D-DPO, Li et al. 2024, eq. 6 and listing B.3).
#[derive(Clone, Debug, PartialEq)]
pub struct Ranked {
    /// Weight of each aspect in a segment's quality, `≥ 0`, summing to 1. Default of the
    /// configuration: 0.3, 0.4, 0.1, 0.1, 0.1.
    pub aspect_weights: [f64; N_ASPECTS],
    /// Whether the qualities of each side are divided by their mean over the selected segments.
    /// Default of the configuration: true.
    pub equivalent_beta: bool,
}

impl<B: Backend> Granularity<B> for Ranked {
    fn granules(&self, batch: &PairBatch<B>) -> Result<Vec<Granules<B>>, BatchError> {
        let pairs = batch.n_pairs();
        if batch.segments.len() != pairs {
            return Err(BatchError::SegmentCount {
                found: batch.segments.len(),
                pairs,
            });
        }
        let ranked: Vec<RankedPairs> = batch
            .segments
            .iter()
            .map(|(w, l)| pair_by_rank(w, l, &self.aspect_weights, self.equivalent_beta))
            .collect();
        let n_selected = ranked.iter().map(|r| r.chosen.len()).max().unwrap_or(0);
        // the last granule has weight 0; it holds the tokens that belong to no selected segment
        let n_granules = n_selected + 1;

        let table = |value: &dyn Fn(&RankedPairs, usize) -> f64| {
            let values: Vec<f64> = ranked
                .iter()
                .flat_map(|r| (0..n_granules).map(move |g| (r, g)))
                .map(|(r, g)| if g < r.chosen.len() { value(r, g) } else { 0.0 })
                .collect();
            let device = batch.chosen.policy.device();
            Tensor::<B, 2>::from_data(TensorData::new(values, [pairs, n_granules]), &device)
        };
        Ok(vec![Granules {
            n_granules,
            chosen: assign(batch, Role::Chosen, &ranked, n_selected),
            rejected: assign(batch, Role::Rejected, &ranked, n_selected),
            weight: table(&|_, _| 1.0),
            chosen_scale: Some(table(&|r, g| r.chosen[g].scale)),
            rejected_scale: Some(table(&|r, g| r.rejected[g].scale)),
        }])
    }
}

/// The rank of each token's segment, `[pairs, tokens]`; `unselected` for tokens that belong to no
/// selected segment.
fn assign<B: Backend>(
    batch: &PairBatch<B>,
    role: Role,
    ranked: &[RankedPairs],
    unselected: usize,
) -> Assignment<B> {
    let side = batch.side(role);
    let [pairs, tokens] = side.mask.dims();
    let mut granule_of = vec![unselected as i64; pairs * tokens];
    for (row, pair) in granule_of.chunks_mut(tokens.max(1)).zip(ranked) {
        let segments = match role {
            Role::Chosen => &pair.chosen,
            Role::Rejected => &pair.rejected,
        };
        for (index, RankedSegment { range, .. }) in segments.iter().enumerate() {
            row[range.start.min(tokens)..range.end.min(tokens)].fill(index as i64);
        }
    }
    let by_position = Tensor::<B, 2, Int>::from_data(
        TensorData::new(granule_of, [pairs, tokens]),
        &side.mask.device(),
    );
    if side.is_left_aligned() {
        return Assignment::Tokens(by_position);
    }
    // a segment counts tokens of the answer, which need not begin in the batch's first column
    Assignment::Tokens(by_position.gather(1, side.positions()))
}
