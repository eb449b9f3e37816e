//! Log-probs of target tokens. In: hidden states or logits, and target ids. Out: nats, one per target, or the
//! gradients of the logits.

use burn::backend::Flex;
use burn::tensor::{Int, Tensor};
use rayon::prelude::*;

use super::buffers::{contiguous, is_f32, new_tensor, tensor, values, values_mut};
use super::parallel::for_rows;
use super::product::{Matrix, Target, Then, large_product};
use crate::kernels::plain;
use crate::vector::{exp, max, sum, with_vectors};

/// Number of logits of a row that are read at a time.
const TILE: usize = 4096;
/// Number of rows whose tiles are in memory at a time: with a tile of each, 8 MiB. The head is read from memory
/// once for so many rows, so that the products take longer than the reading.
const ROWS: usize = 512;

/// A row of logits, read tile by tile.
#[derive(Clone)]
struct Row {
    target: usize,
    /// The logit of the target, once its tile is read.
    picked: f32,
    largest: f32,
    /// `Σ exp(x − largest)` of the logits so far.
    sum: f32,
}

impl Row {
    fn new(target: usize) -> Self {
        Self {
            target,
            picked: f32::NAN,
            largest: f32::NEG_INFINITY,
            sum: 0.0,
        }
    }

    /// Reads the logits from the place `first` on.
    #[inline(always)]
    fn read(&mut self, first: usize, logits: &[f32]) {
        let largest = max(logits);
        if largest > self.largest {
            self.sum *= exp(self.largest - largest);
            self.largest = largest;
        }
        let largest = self.largest;
        self.sum += sum(
            logits,
            #[inline(always)]
            |x| exp(x - largest),
        );
        if let Some(&logit) = logits.get(self.target.wrapping_sub(first)) {
            self.picked = logit;
        }
    }

    fn log_prob(&self) -> f32 {
        self.picked - self.largest - self.sum.ln()
    }
}

/// [`Kernels::target_log_probs`](crate::Kernels::target_log_probs). The logits of some rows and some ids are in
/// memory at a time, so memory grows neither with the vocabulary nor with the targets.
pub(super) fn target_log_probs(
    hidden: Tensor<Flex, 2>,
    head: Tensor<Flex, 2>,
    softcap: Option<f64>,
    targets: Tensor<Flex, 1, Int>,
) -> Tensor<Flex, 1> {
    if !is_f32(&[&hidden, &head]) {
        let logits = plain::head_logits(hidden, head, softcap);
        return <Flex as crate::Kernels>::log_probs_of_logits(logits, targets);
    }
    let ([n, width], [vocab, _]) = (hidden.dims(), head.dims());
    let (hidden, head) = (contiguous(hidden), contiguous(head));
    let mut rows: Vec<Row> = ids(targets).into_iter().map(Row::new).collect();
    let mut space = vec![0.0; ROWS.min(n) * TILE.min(vocab)];
    for (rows, hidden) in rows
        .chunks_mut(ROWS)
        .zip(values(&hidden).chunks(ROWS * width.max(1)))
    {
        let tiles = values(&head).chunks(TILE * width.max(1)).enumerate();
        for (first, head) in tiles.map(|(i, head)| (i * TILE, head)) {
            let n_ids = head.len() / width;
            let logits = &mut space[..rows.len() * n_ids];
            large_product(
                Target::rows(logits, n_ids),
                [rows.len(), n_ids, width],
                Matrix::rows(hidden, width),
                Matrix::rows(head, width).transposed(),
                Then::Write,
            );
            let rows = rows.par_iter_mut().zip(logits.par_chunks_mut(n_ids));
            rows.for_each(|(row, logits)| {
                with_vectors(
                    #[inline(always)]
                    || {
                        if let Some(cap) = softcap {
                            cap_logits(logits, cap);
                        }
                        row.read(first, logits);
                    },
                );
            });
        }
    }
    new_tensor(rows.iter().map(Row::log_prob).collect(), [n])
}

/// [`Kernels::log_probs_of_logits`](crate::Kernels::log_probs_of_logits), with the same tiles, so that the same
/// logits give the same bits.
pub(super) fn log_probs_of_logits(
    logits: Tensor<Flex, 2>,
    targets: Tensor<Flex, 1, Int>,
) -> Tensor<Flex, 1> {
    let [n, vocab] = logits.dims();
    let logits = contiguous(logits);
    let mut rows: Vec<Row> = ids(targets).into_iter().map(Row::new).collect();
    let with_logits = rows
        .par_iter_mut()
        .zip(values(&logits).par_chunks(vocab.max(1)));
    with_logits.for_each(|(row, logits)| {
        with_vectors(
            #[inline(always)]
            || {
                for (i, tile) in logits.chunks(TILE).enumerate() {
                    row.read(i * TILE, tile);
                }
            },
        );
    });
    new_tensor(rows.iter().map(Row::log_prob).collect(), [n])
}

/// [`Kernels::logits_backward`](crate::Kernels::logits_backward). The gradients replace the logits in memory.
pub(super) fn logits_backward(
    logits: Tensor<Flex, 2>,
    softcap: Option<f64>,
    targets: Tensor<Flex, 1, Int>,
    log_probs: Tensor<Flex, 1>,
    gradient: Tensor<Flex, 1>,
) -> Tensor<Flex, 2> {
    let [n, vocab] = logits.dims();
    let targets = ids(targets);
    let (log_probs, gradient) = (contiguous(log_probs), contiguous(gradient));
    let (log_probs, gradient) = (values(&log_probs), values(&gradient));
    let mut logits = contiguous(logits);
    for_rows(
        values_mut(&mut logits),
        vocab,
        #[inline(always)]
        |first, rows| {
            for (k, row) in rows.chunks_exact_mut(vocab).enumerate() {
                let (target, gradient) = (targets[first + k], gradient[first + k]);
                let log_sum = row[target] - log_probs[first + k];
                match softcap {
                    None => {
                        for x in row.iter_mut() {
                            *x = exp(*x - log_sum) * -gradient;
                        }
                        row[target] += gradient;
                    }
                    Some(cap) => {
                        let slope = |x: f32| 1.0 - (x / cap as f32) * (x / cap as f32);
                        let of_target = gradient * slope(row[target]);
                        for x in row.iter_mut() {
                            *x = exp(*x - log_sum) * -gradient * slope(*x);
                        }
                        row[target] += of_target;
                    }
                }
            }
        },
    );
    debug_assert_eq!(values(&logits).len(), n * vocab);
    tensor(logits)
}

/// Replaces each logit by `cap · tanh(x / cap)`.
#[inline(always)]
fn cap_logits(logits: &mut [f32], cap: f64) {
    for x in logits {
        *x = cap as f32 * (*x / cap as f32).tanh();
    }
}

/// The ids of tokens.
fn ids(targets: Tensor<Flex, 1, Int>) -> Vec<usize> {
    targets
        .into_data()
        .iter::<i64>()
        .map(|id| id as usize)
        .collect()
}
