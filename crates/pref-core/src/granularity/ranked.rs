//! Ranked segments: the best of the chosen answer against the worst of the rejected (2D-DPO).

use burn::tensor::{Int, Tensor, TensorData, backend::Backend};

use super::Granularity;
use crate::batch::{PairBatch, Role};
use crate::error::BatchError;
use crate::granules::{Assignment, Granules};
use crate::segments::{N_ASPECTS, RankedPairs, RankedSegment, rank};

/// `N = min(#w, #l)` segments of each answer, paired by rank; each granule sum is scaled by its
/// segment's quality (2D-DPO, Li et al. 2024, eq. 6 and listing B.3).
#[derive(Clone, Debug, PartialEq)]
pub struct Ranked {
    /// Weight of each aspect in a segment's quality.
    pub aspect_weights: [f64; N_ASPECTS],
    /// Divide the qualities of each side by their mean over the selected segments.
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
            .map(|(w, l)| rank(w, l, &self.aspect_weights, self.equivalent_beta))
            .collect();
        let n_selected = ranked.iter().map(|r| r.chosen.len()).max().unwrap_or(0);
        // one more column, of weight 0, for the tokens of segments that were not selected
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

/// The rank of each token's segment, `spare` for the rest, `[pairs, tokens]`.
fn assign<B: Backend>(
    batch: &PairBatch<B>,
    role: Role,
    ranked: &[RankedPairs],
    spare: usize,
) -> Assignment<B> {
    let side = batch.side(role);
    let [pairs, tokens] = side.mask.dims();
    let mut granule_of = vec![spare as i64; pairs * tokens];
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
    if side.starts_first() {
        return Assignment::Tokens(by_position);
    }
    // segments count the answer's tokens, columns count the batch's
    Assignment::Tokens(by_position.gather(1, side.positions()))
}
