//! Granules: which tokens are compared with which. In: an assignment of tokens to granules.
//! Out: sums of weighted token rewards, one a granule, all that a link sees.

use std::sync::OnceLock;

use burn::tensor::{Bool, IndexingUpdateOp, Int, Tensor, backend::Backend};

use crate::batch::PairBatch;

/// Where the tokens of one side go.
#[derive(Clone, Debug)]
pub enum Assignment<B: Backend> {
    /// Every token into the only granule.
    Whole,
    /// The granule of each token, `[pairs, tokens]`. Masked tokens may point anywhere: they add 0.
    Tokens(Tensor<B, 2, Int>),
}

/// A division of both sides' tokens into granules that are compared pairwise.
#[derive(Clone, Debug)]
pub struct Granules<B: Backend> {
    /// Columns of the granule axis.
    pub n_granules: usize,
    /// Where the chosen answers' tokens go.
    pub chosen: Assignment<B>,
    /// Where the rejected answers' tokens go.
    pub rejected: Assignment<B>,
    /// Weight of each granule's loss, `[pairs, granules]`; 0 where the pair has no such granule.
    pub weight: Tensor<B, 2>,
    /// Factors of the granule sums of the chosen side, `[pairs, granules]`; 1 if absent.
    pub chosen_scale: Option<Tensor<B, 2>>,
    /// The same for the rejected side.
    pub rejected_scale: Option<Tensor<B, 2>>,
}

/// What a link sees of one side.
#[derive(Clone, Debug)]
pub struct GranuleSums<B: Backend> {
    /// `S(g) = Σ_{t∈g} w_t ρ_t`, nats, `[pairs, granules]`.
    pub reward: Tensor<B, 2>,
    counted: Counted<B>,
    n_tokens: OnceLock<Tensor<B, 2>>,
}

/// What [`GranuleSums::n_tokens`] counts, when a link first asks. Most never do.
#[derive(Clone, Debug)]
struct Counted<B: Backend> {
    mask: Tensor<B, 2>,
    assignment: Assignment<B>,
    n_granules: usize,
}

impl<B: Backend> GranuleSums<B> {
    /// Sums `values` by granule, and will count `mask`; both `[pairs, tokens]`.
    pub(crate) fn new(
        values: Tensor<B, 2>,
        mask: Tensor<B, 2>,
        assignment: &Assignment<B>,
        n_granules: usize,
        scale: Option<&Tensor<B, 2>>,
    ) -> Self {
        let reward = sum_by_granule(values, assignment, n_granules);
        let reward = match scale {
            Some(scale) => reward * scale.clone(),
            None => reward,
        };
        Self {
            reward,
            counted: Counted {
                mask,
                assignment: assignment.clone(),
                n_granules,
            },
            n_tokens: OnceLock::new(),
        }
    }

    /// `n(g)`: tokens in the granule, `[pairs, granules]`.
    pub fn n_tokens(&self) -> Tensor<B, 2> {
        let count = || {
            let Counted {
                mask,
                assignment,
                n_granules,
            } = self.counted.clone();
            sum_by_granule(mask, &assignment, n_granules)
        };
        self.n_tokens.get_or_init(count).clone()
    }

    /// `S(g) / n(g)`, 0 for a granule without tokens, `[pairs, granules]`.
    pub fn mean(&self) -> Tensor<B, 2> {
        // the reciprocal outside the graph, so that the gradient is exact (see `math`)
        let n_tokens = self.n_tokens().clamp_min(1.0);
        self.reward.clone() * (n_tokens.ones_like() / n_tokens)
    }
}

/// Sums `[pairs, tokens]` into `[pairs, granules]`. A scatter: time and memory are linear in the
/// tokens whatever the number of granules.
fn sum_by_granule<B: Backend>(
    values: Tensor<B, 2>,
    assignment: &Assignment<B>,
    n_granules: usize,
) -> Tensor<B, 2> {
    match assignment {
        Assignment::Whole => values.sum_dim(1),
        Assignment::Tokens(granule_of) => {
            let [pairs, _] = values.dims();
            Tensor::zeros([pairs, n_granules], &values.device()).scatter(
                1,
                granule_of.clone(),
                values,
                IndexingUpdateOp::Add,
            )
        }
    }
}

impl<B: Backend> Granules<B> {
    /// Where either side has a token in the granule, `[pairs, granules]`.
    pub(crate) fn present(&self, batch: &PairBatch<B>) -> Tensor<B, 2, Bool> {
        let count = |mask: &Tensor<B, 2>, assignment| {
            sum_by_granule(mask.clone(), assignment, self.n_granules)
        };
        let n_tokens =
            count(&batch.chosen.mask, &self.chosen) + count(&batch.rejected.mask, &self.rejected);
        n_tokens.greater_elem(0.0)
    }
}
