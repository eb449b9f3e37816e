//! Log-probs of target tokens. In: hidden states or logits, and target ids. Out: nats, one per target, or the
//! gradients of the logits.

use burn::backend::Flex;
use burn::tensor::{Int, Tensor};

use super::buffers::{contiguous, is_f32, new_tensor, tensor, values, values_mut};
use super::parallel::{for_rows, new_rows};
use super::vector::{exp, max, sum};
use crate::kernels::plain;

/// Number of logits that are in memory at a time where no gradient needs them: 16 MiB, which a cache holds.
const LOGITS_AT_A_TIME: usize = 1 << 22;

/// [`Kernels::target_log_probs`](crate::Kernels::target_log_probs). The logits of a few targets are in memory at a
/// time, so memory does not grow with the vocabulary times the targets.
pub(super) fn target_log_probs(
    hidden: Tensor<Flex, 2>,
    head: Tensor<Flex, 2>,
    softcap: Option<f64>,
    targets: Tensor<Flex, 1, Int>,
) -> Tensor<Flex, 1> {
    let [n, width] = hidden.dims();
    let [vocab, _] = head.dims();
    let at_a_time = (LOGITS_AT_A_TIME / vocab).max(1);
    let starts = (0..n).step_by(at_a_time);
    let parts = starts.map(|start| {
        let end = (start + at_a_time).min(n);
        let hidden = hidden.clone().slice([start..end, 0..width]);
        let targets = targets.clone().slice([start..end]);
        let logits = match is_f32(&[&hidden, &head]) {
            true => capped(super::project::project(hidden, head.clone()), softcap),
            false => plain::head_logits(hidden, head.clone(), softcap),
        };
        <Flex as crate::Kernels>::log_probs_of_logits(logits, targets)
    });
    Tensor::cat(parts.collect(), 0)
}

/// [`Kernels::log_probs_of_logits`](crate::Kernels::log_probs_of_logits).
pub(super) fn log_probs_of_logits(
    logits: Tensor<Flex, 2>,
    targets: Tensor<Flex, 1, Int>,
) -> Tensor<Flex, 1> {
    let [n, vocab] = logits.dims();
    let targets = ids(targets);
    let logits = contiguous(logits);
    let logits = values(&logits);
    let mut log_probs = vec![0.0; n];
    // A row is long, so each is work enough for a thread.
    let mut rows: Vec<(usize, &mut f32)> = log_probs.iter_mut().enumerate().collect();
    for_each_row(
        &mut rows,
        #[inline(always)]
        |(row, log_prob)| {
            let logits = &logits[*row * vocab..(*row + 1) * vocab];
            let largest = max(logits);
            let exps = sum(
                logits,
                #[inline(always)]
                |x| exp(x - largest),
            );
            **log_prob = logits[targets[*row]] - largest - exps.ln();
        },
    );
    new_tensor(log_probs, [n])
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

/// `cap · tanh(x / cap)` of each logit.
fn capped(logits: Tensor<Flex, 2>, softcap: Option<f64>) -> Tensor<Flex, 2> {
    let Some(cap) = softcap else {
        return logits;
    };
    let shape = logits.dims();
    let logits = contiguous(logits);
    let logits = values(&logits);
    let capped = new_rows(
        logits.len(),
        1,
        #[inline(always)]
        |first, out| {
            for (out, x) in out.iter_mut().zip(&logits[first..]) {
                *out = cap as f32 * (x / cap as f32).tanh();
            }
        },
    );
    new_tensor(capped, shape)
}

/// Calls `f` for each row, with threads.
fn for_each_row<T: Send>(rows: &mut [T], f: impl Fn(&mut T) + Sync) {
    use rayon::prelude::*;
    rows.par_iter_mut().for_each(|row| {
        super::vector::with_vectors(
            #[inline(always)]
            || f(row),
        );
    });
}

/// The ids of tokens.
fn ids(targets: Tensor<Flex, 1, Int>) -> Vec<usize> {
    targets
        .into_data()
        .iter::<i64>()
        .map(|id| id as usize)
        .collect()
}
