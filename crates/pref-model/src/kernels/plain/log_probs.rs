//! Log-probs of target tokens. In: hidden states or logits, and target ids. Out: nats, one per target.

use burn::tensor::{Int, Tensor, backend::Backend};

/// Logits `hidden · headᵀ`, `[n, vocab]`, of `[n, hidden]` and `[vocab, hidden]`. With a `softcap`, a logit
/// `x` becomes `softcap · tanh(x / softcap)`.
pub(crate) fn head_logits<B: Backend>(
    hidden: Tensor<B, 2>,
    head: Tensor<B, 2>,
    softcap: Option<f64>,
) -> Tensor<B, 2> {
    let logits = hidden.matmul(head.transpose());
    match softcap {
        Some(cap) => (logits / cap).tanh() * cap,
        None => logits,
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
