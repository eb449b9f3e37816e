//! Attention block by block. In: queries, keys and values. Out: one vector per query, or the gradients of the
//! inputs.
//!
//! A block is a few neighbouring queries of one head. Only the keys that some query of the block sees are
//! multiplied, and the scores of one block are in memory at a time. The backward pass computes them again.

use burn::backend::Flex;
use burn::tensor::Tensor;
use rayon::prelude::*;

use super::blocks::{Block, Sights};
use super::buffers::{Strided, new_tensor, strided, with_rows};
use super::product::{Matrix, Target, Then, product};
use super::shared::Shared;
use crate::kernels::visibility::Visibility;
use crate::vector::{exp, max, sum, sum_pairs, with_vectors};

/// [`Kernels::causal_attention`](crate::Kernels::causal_attention) without a soft cap. The result lies in memory
/// as `[rows, tokens, heads, head_dim]`.
pub(super) fn causal_attention(
    inputs: [Tensor<Flex, 4>; 3],
    visibility: &Visibility,
    scale: f64,
) -> Tensor<Flex, 4> {
    let sizes = Sizes::of(&inputs);
    let inputs = inputs.map(with_rows);
    let [queries, keys, values] = inputs.each_ref().map(strided);
    let sights = Sights::new(visibility);

    let mut attended = vec![0.0; sizes.rows * sizes.tokens * sizes.heads * sizes.head_dim];
    let out = Shared::of(&mut attended);
    let blocks =
        (0..sizes.rows).flat_map(|row| sights.blocks(row).into_iter().map(move |b| (row, b)));
    let heads = blocks
        .flat_map(|(row, block)| (0..sizes.heads).map(move |head| (row, head, block.clone())));
    let work: Vec<(usize, usize, Block)> = heads.collect();
    work.par_iter()
        .for_each_init(Vec::new, |space, (row, head, block)| {
            let (row, head) = (*row, *head);
            let kv_head = head / sizes.group();
            let queries = Rows::of(queries, row, head, block.queries.start);
            let width = block.width();
            space.resize(block.queries.len() * width, 0.0);
            block.for_keys(|columns, span| {
                let keys = Rows::of(keys, row, kv_head, span.start);
                sizes.scores(
                    &mut space[columns.start..],
                    width,
                    block,
                    queries,
                    keys,
                    span.len(),
                    scale,
                );
            });
            with_vectors(
                #[inline(always)]
                || softmax(space, width, &sights, row, block),
            );
            block.for_keys(|columns, span| {
                let values = Rows::of(values, row, kv_head, span.start);
                let probabilities = Matrix::rows(&space[columns.start..], width);
                let size = [block.queries.len(), sizes.head_dim, span.len()];
                let then = if columns.start == 0 {
                    Then::Write
                } else {
                    Then::Add
                };
                let place = sizes.place(row, block.queries.start, head, sizes.heads);
                // SAFETY: each block writes the rows of its own queries and head.
                let target = unsafe { out.rows(place, sizes.heads * sizes.head_dim) };
                product(target, size, probabilities, values.matrix(), 1.0, then);
            });
        });
    new_tensor(
        attended,
        [sizes.rows, sizes.tokens, sizes.heads, sizes.head_dim],
    )
    .swap_dims(1, 2)
}

/// [`Kernels::causal_attention_backward`](crate::Kernels::causal_attention_backward) without a soft cap.
///
/// With probabilities `P` and the gradient `G` of the result, the gradient of the values is `Pᵀ G`, that of the
/// probabilities is `D = G Vᵀ`, and that of the scores is `P (D − Σ P D)`.
pub(super) fn causal_attention_backward(
    inputs: [Tensor<Flex, 4>; 3],
    visibility: &Visibility,
    scale: f64,
    gradient: Tensor<Flex, 4>,
) -> [Tensor<Flex, 4>; 3] {
    let sizes = Sizes::of(&inputs);
    let inputs = inputs.map(with_rows);
    let [queries, keys, values] = inputs.each_ref().map(strided);
    let gradient = with_rows(gradient);
    let gradient = strided(&gradient);
    let sights = Sights::new(visibility);

    let mut of_queries = vec![0.0; sizes.rows * sizes.tokens * sizes.heads * sizes.head_dim];
    let n_keys = sizes.rows * sizes.total * sizes.kv_heads * sizes.head_dim;
    let (mut of_keys, mut of_values) = (vec![0.0; n_keys], vec![0.0; n_keys]);
    let out = [&mut of_queries, &mut of_keys, &mut of_values].map(|values| Shared::of(values));
    // The blocks of a key head add to the same keys, so one thread takes them, in their order.
    let work = sizes.rows * sizes.kv_heads;
    (0..work).into_par_iter().for_each_init(
        || (Vec::new(), Vec::new()),
        |(probabilities, of_scores), item| {
            let (row, kv_head) = (item / sizes.kv_heads, item % sizes.kv_heads);
            for block in sights.blocks(row) {
                for head in kv_head * sizes.group()..(kv_head + 1) * sizes.group() {
                    let first = block.queries.start;
                    let queries = Rows::of(queries, row, head, first);
                    let gradient = Rows::of(gradient, row, head, first);
                    let width = block.width();
                    let n = block.queries.len();
                    probabilities.resize(n * width, 0.0);
                    of_scores.resize(n * width, 0.0);
                    block.for_keys(|columns, span| {
                        let keys = Rows::of(keys, row, kv_head, span.start);
                        let values = Rows::of(values, row, kv_head, span.start);
                        let scores = &mut probabilities[columns.start..];
                        sizes.scores(scores, width, &block, queries, keys, span.len(), scale);
                        let slopes = &mut of_scores[columns.start..];
                        sizes.scores(slopes, width, &block, gradient, values, span.len(), 1.0);
                    });
                    with_vectors(
                        #[inline(always)]
                        || {
                            softmax(probabilities, width, &sights, row, &block);
                            let rows = of_scores.chunks_exact_mut(width);
                            for (d, p) in rows.zip(probabilities.chunks_exact(width)) {
                                let mean = sum_pairs(
                                    d,
                                    p,
                                    #[inline(always)]
                                    |d, p| d * p,
                                );
                                for (d, p) in d.iter_mut().zip(p) {
                                    *d = (*d - mean) * p;
                                }
                            }
                        },
                    );
                    block.for_keys(|columns, span| {
                        let keys = Rows::of(keys, row, kv_head, span.start);
                        let probabilities = Matrix::rows(&probabilities[columns.start..], width);
                        let of_scores = Matrix::rows(&of_scores[columns.start..], width);
                        let d = sizes.head_dim;
                        let then = if columns.start == 0 {
                            Then::Write
                        } else {
                            Then::Add
                        };
                        let query_place = sizes.place(row, first, head, sizes.heads);
                        let key_place = sizes.key_place(row, span.start, kv_head);
                        // SAFETY: this thread alone has the heads of the key head of this row.
                        let [of_queries, of_keys, of_values] = unsafe {
                            [
                                out[0].rows(query_place, sizes.heads * d),
                                out[1].rows(key_place, sizes.kv_heads * d),
                                out[2].rows(key_place, sizes.kv_heads * d),
                            ]
                        };
                        let scale = scale as f32;
                        product(
                            of_queries,
                            [n, d, span.len()],
                            of_scores,
                            keys.matrix(),
                            scale,
                            then,
                        );
                        let by_key = [span.len(), d, n];
                        let of_scores = of_scores.transposed();
                        product(
                            of_keys,
                            by_key,
                            of_scores,
                            queries.matrix(),
                            scale,
                            Then::Add,
                        );
                        let probabilities = probabilities.transposed();
                        product(
                            of_values,
                            by_key,
                            probabilities,
                            gradient.matrix(),
                            1.0,
                            Then::Add,
                        );
                    });
                }
            }
        },
    );
    let Sizes {
        rows,
        tokens,
        total,
        heads,
        kv_heads,
        head_dim,
    } = sizes;
    [
        new_tensor(of_queries, [rows, tokens, heads, head_dim]).swap_dims(1, 2),
        new_tensor(of_keys, [rows, total, kv_heads, head_dim]).swap_dims(1, 2),
        new_tensor(of_values, [rows, total, kv_heads, head_dim]).swap_dims(1, 2),
    ]
}

/// Turns the scores of a block into probabilities: `e^(s − max)` over their sum for the keys that a query sees,
/// 0 for the others.
#[inline(always)]
fn softmax(scores: &mut [f32], width: usize, sights: &Sights<'_>, row: usize, block: &Block) {
    for (query, scores) in block.queries.clone().zip(scores.chunks_exact_mut(width)) {
        let mut largest = f32::NEG_INFINITY;
        block.for_visible(
            sights,
            row,
            query,
            #[inline(always)]
            |_, seen| {
                largest = largest.max(max(&scores[seen]));
            },
        );
        let mut exps = 0.0;
        block.for_visible(
            sights,
            row,
            query,
            #[inline(always)]
            |_, seen| {
                for score in &mut scores[seen.clone()] {
                    *score = exp(*score - largest);
                }
                exps += sum(
                    &scores[seen],
                    #[inline(always)]
                    |x| x,
                );
            },
        );
        let factor = 1.0 / exps;
        block.for_visible(
            sights,
            row,
            query,
            #[inline(always)]
            |columns, seen| {
                scores[columns.start..seen.start].fill(0.0);
                for score in &mut scores[seen.clone()] {
                    *score *= factor;
                }
                scores[seen.end..columns.end].fill(0.0);
            },
        );
    }
}

/// The sizes of the inputs.
#[derive(Clone, Copy)]
struct Sizes {
    rows: usize,
    tokens: usize,
    total: usize,
    heads: usize,
    kv_heads: usize,
    head_dim: usize,
}

impl Sizes {
    fn of([queries, keys, _]: &[Tensor<Flex, 4>; 3]) -> Self {
        let [rows, heads, tokens, head_dim] = queries.dims();
        let [_, kv_heads, total, _] = keys.dims();
        Self {
            rows,
            tokens,
            total,
            heads,
            kv_heads,
            head_dim,
        }
    }

    /// Number of heads that share keys and values.
    fn group(&self) -> usize {
        self.heads / self.kv_heads
    }

    /// The place of a token and head in memory of `[rows, tokens, heads, head_dim]`.
    fn place(&self, row: usize, token: usize, head: usize, heads: usize) -> usize {
        ((row * self.tokens + token) * heads + head) * self.head_dim
    }

    fn key_place(&self, row: usize, token: usize, head: usize) -> usize {
        ((row * self.total + token) * self.kv_heads + head) * self.head_dim
    }

    /// Writes `scale · left · rightᵀ` for the queries of a block and `n` keys into rows of `width`.
    #[expect(
        clippy::too_many_arguments,
        reason = "the two matrices, the target and their sizes"
    )]
    fn scores(
        &self,
        target: &mut [f32],
        width: usize,
        block: &Block,
        left: Rows<'_>,
        right: Rows<'_>,
        n: usize,
        scale: f64,
    ) {
        let size = [block.queries.len(), n, self.head_dim];
        let target = Target::rows(target, width);
        let right = right.matrix().transposed();
        product(
            target,
            size,
            left.matrix(),
            right,
            scale as f32,
            Then::Write,
        );
    }
}

/// The vectors of one head from a token on.
#[derive(Clone, Copy)]
struct Rows<'a> {
    values: &'a [f32],
    stride: usize,
}

impl<'a> Rows<'a> {
    fn of(tensor: Strided<'a>, row: usize, head: usize, token: usize) -> Self {
        Self {
            values: tensor.from(row, head, token),
            stride: tensor.stride(),
        }
    }

    fn matrix(self) -> Matrix<'a> {
        Matrix::rows(self.values, self.stride)
    }
}
