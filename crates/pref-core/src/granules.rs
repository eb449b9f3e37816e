//! Granules: groups of tokens that are compared as one. In: token rewards and the granule of each
//! token. Out: one sum for each granule and side, the input of a link.

use std::sync::OnceLock;

use burn::tensor::{Bool, IndexingUpdateOp, Int, Tensor, backend::Backend};

use crate::batch::PairBatch;

/// The granule of each token of one side.
#[derive(Clone, Debug)]
pub enum Assignment<B: Backend> {
    /// There is one granule, and every token belongs to it.
    Whole,
    /// Granule index of each token, `[pairs, tokens]`. At masked positions the index has no effect,
    /// since masked tokens add 0.
    Tokens(Tensor<B, 2, Int>),
}

/// A division of the tokens of both sides into granules. Granule `g` of the chosen answer is
/// compared with granule `g` of the rejected answer.
#[derive(Clone, Debug)]
pub struct Granules<B: Backend> {
    /// Number of granules, the size of the axis `granules` below.
    pub n_granules: usize,
    /// Granules of the chosen answers' tokens.
    pub chosen: Assignment<B>,
    /// Granules of the rejected answers' tokens.
    pub rejected: Assignment<B>,
    /// Weight of each granule's loss, `≥ 0`, `[pairs, granules]`. It is 0 where a pair has fewer
    /// granules than `n_granules`.
    pub weight: Tensor<B, 2>,
    /// Factors of the chosen side's granule sums, `[pairs, granules]`. Absent means 1.
    pub chosen_scale: Option<Tensor<B, 2>>,
    /// Factors of the rejected side's granule sums, `[pairs, granules]`. Absent means 1.
    pub rejected_scale: Option<Tensor<B, 2>>,
}

/// The granule sums of one side: the input of a link.
#[derive(Clone, Debug)]
pub struct GranuleSums<B: Backend> {
    /// `S(g) = Σ_{t∈g} w_t ρ_t` in nats, `[pairs, granules]`, times the granule's scale. With an
    /// f-divergence other than the reverse KL, the score of that sum.
    pub reward: Tensor<B, 2>,
    token_count: TokenCount<B>,
    /// Filled by the first call of [`GranuleSums::n_tokens`]; most links never call it.
    n_tokens: OnceLock<Tensor<B, 2>>,
}

/// The inputs of [`GranuleSums::n_tokens`].
#[derive(Clone, Debug)]
struct TokenCount<B: Backend> {
    mask: Tensor<B, 2>,
    assignment: Assignment<B>,
    n_granules: usize,
}

impl<B: Backend> GranuleSums<B> {
    /// Sums `values` by granule. `values` and `mask` are `[pairs, tokens]`, `scale` is
    /// `[pairs, granules]`.
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
            token_count: TokenCount {
                mask,
                assignment: assignment.clone(),
                n_granules,
            },
            n_tokens: OnceLock::new(),
        }
    }

    /// `n(g)`, the number of tokens of each granule, `[pairs, granules]`.
    pub fn n_tokens(&self) -> Tensor<B, 2> {
        let count = || {
            let TokenCount {
                mask,
                assignment,
                n_granules,
            } = self.token_count.clone();
            sum_by_granule(mask, &assignment, n_granules)
        };
        self.n_tokens.get_or_init(count).clone()
    }

    /// `S(g) / n(g)`, nats per token, `[pairs, granules]`. It is 0 for a granule without tokens.
    pub fn mean(&self) -> Tensor<B, 2> {
        // the reciprocal stays outside the autodiff graph, so that the gradient is exact: see
        // `math`
        let n_tokens = self.n_tokens().clamp_min(1.0);
        self.reward.clone() * (n_tokens.ones_like() / n_tokens)
    }
}

/// Sums `[pairs, tokens]` into `[pairs, granules]`. This is a scatter, so time and memory are
/// linear in the tokens and do not depend on the number of granules.
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
    /// Whether at least one side of the pair has a token in the granule, `[pairs, granules]`.
    pub(crate) fn has_tokens(&self, batch: &PairBatch<B>) -> Tensor<B, 2, Bool> {
        let count = |mask: &Tensor<B, 2>, assignment| {
            sum_by_granule(mask.clone(), assignment, self.n_granules)
        };
        let n_tokens =
            count(&batch.chosen.mask, &self.chosen) + count(&batch.rejected.mask, &self.rejected);
        n_tokens.greater_elem(0.0)
    }
}
