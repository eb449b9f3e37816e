//! Log-probs of target tokens. In: hidden states or logits, and target ids. Out: nats, one per target.

use burn::tensor::{Int, Tensor, backend::Backend};

/// `hidden · headᵀ`, with `cap · tanh(logits / cap)` if there is a `softcap`: `[n, vocab]` of
/// `[n, hidden]` and `[vocab, hidden]`.
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

/// `log softmax(logits)[target]` of each row, nats, `[n]`, of `[n, vocab]` and `[n]`.
///
/// The gradient `onehot − softmax` is written down. Automatic differentiation would need more passes
/// over `[n, vocab]`, and it would use ndarray's approximate reciprocal.
pub fn token_log_probs<B: Backend>(
    logits: Tensor<B, 2>,
    targets: Tensor<B, 1, Int>,
) -> Tensor<B, 1> {
    let [n, _] = logits.dims();
    let at = logits.clone().detach();
    let shifted = at.clone() - at.clone().max_dim(1);
    let exps = shifted.exp();
    let sums = exps.clone().sum_dim(1);
    let log_sums = sums.clone().log() + at.clone().max_dim(1);
    let softmax = exps / sums;

    let picked = logits.clone().gather(1, targets.reshape([n, 1]));
    // Its value is `log Σ exp`, since `logits − at` is 0; its gradient is the softmax.
    let log_normaliser = (softmax * (logits - at)).sum_dim(1) + log_sums;
    (picked - log_normaliser).reshape([n])
}
