//! Log-probs of target tokens. In: hidden states or logits, and target ids. Out: nats, one per target, or the
//! gradients of the logits.

use burn::tensor::{Int, Tensor, backend::Backend};

use super::format::{in_format, wide};

/// Logits `hidden · headᵀ`, `[n, vocab]`, at least in float32, of `[n, hidden]` and `[vocab, hidden]`. With a `softcap`, a logit
/// `x` becomes `softcap · tanh(x / softcap)`.
pub(crate) fn head_logits<B: Backend>(
    hidden: Tensor<B, 2>,
    head: Tensor<B, 2>,
    softcap: Option<f64>,
) -> Tensor<B, 2> {
    let head = in_format(head, hidden.dtype());
    let logits = wide(hidden.matmul(head.transpose()));
    match softcap {
        Some(cap) => (logits / cap).tanh() * cap,
        None => logits,
    }
}

/// The plain body of [`Kernels::log_probs_of_logits`](crate::Kernels::log_probs_of_logits).
pub fn log_probs_of_logits<B: Backend>(
    logits: Tensor<B, 2>,
    targets: Tensor<B, 1, Int>,
) -> Tensor<B, 1> {
    let [n, _] = logits.dims();
    let largest = logits.clone().max_dim(1);
    let sums = (logits.clone() - largest.clone()).exp().sum_dim(1);
    let picked = logits.gather(1, targets.reshape([n, 1]));
    (picked - largest - sums.log()).reshape([n])
}

/// The gradient of the logits `[n, vocab]` before the soft cap, from the gradient of the log-probs: `onehot − softmax` in each row,
/// times the gradient of its log-prob. `logits` are those after the soft cap, and `log_probs` what
/// [`log_probs_of_logits`] gave for them.
pub fn logits_backward<B: Backend>(
    logits: Tensor<B, 2>,
    softcap: Option<f64>,
    targets: Tensor<B, 1, Int>,
    log_probs: Tensor<B, 1>,
    gradient: Tensor<B, 1>,
) -> Tensor<B, 2> {
    let [n, _] = logits.dims();
    let targets = targets.reshape([n, 1]);
    let gradient = gradient.reshape([n, 1]);
    let picked = logits.clone().gather(1, targets.clone());
    let log_sums = picked - log_probs.reshape([n, 1]);
    let softmax = (logits.clone() - log_sums).exp();
    let of_logits = softmax * gradient.clone() * -1.0;
    let of_logits = of_logits.scatter(1, targets, gradient, burn::tensor::IndexingUpdateOp::Add);
    match softcap {
        Some(cap) => of_logits * ((logits / cap).square() * -1.0 + 1.0),
        None => of_logits,
    }
}

/// `log softmax(logits)[target]` of each row, nats.
///
/// # Shapes
/// `logits` is `[n, vocab]`, `targets` and the result are `[n]`.
///
/// The gradient `onehot − softmax` is computed by its formula. Automatic differentiation would need more
/// passes over `[n, vocab]`, and it would use ndarray's approximate reciprocal.
pub fn token_log_probs<B: Backend>(
    logits: Tensor<B, 2>,
    targets: Tensor<B, 1, Int>,
) -> Tensor<B, 1> {
    let [n, _] = logits.dims();
    let detached = logits.clone().detach();
    let shifted = detached.clone() - detached.clone().max_dim(1);
    let exps = shifted.exp();
    let sums = exps.clone().sum_dim(1);
    let log_sums = sums.clone().log() + detached.clone().max_dim(1);
    let softmax = exps / sums;

    let picked = logits.clone().gather(1, targets.reshape([n, 1]));
    // The value is `log Σ exp`, because `logits − detached` is 0. The gradient is the softmax.
    let log_normaliser = (softmax * (logits - detached)).sum_dim(1) + log_sums;
    (picked - log_normaliser).reshape([n])
}
