//! Values of next-token distributions, computed in chunks of positions, so that memory never holds
//! the logits of all positions. In: logits, or hidden states and functions of them. Out: one value
//! for each position, and gradients.

use std::ops::Range;

use burn::tensor::{
    Int, Tensor, activation::log_softmax, backend::AutodiffBackend, backend::Backend,
};

/// `KL(π_ref(·|s_t) ‖ π_θ(·|s_t))` over the vocabulary at each position, nats (TDPO, Zeng et al.
/// 2024).
///
/// Only the policy's logits receive a gradient. The derivative is computed as `π_θ − π_ref` and not
/// by autodiff through the softmax, which would take more passes over the vocabulary and be less
/// accurate.
///
/// # Shapes
/// Both inputs are `[positions, vocab]`, the result is `[positions]`.
///
/// # Panics
/// If the shapes differ.
pub fn token_kl<B: Backend>(
    reference_logits: Tensor<B, 2>,
    policy_logits: Tensor<B, 2>,
) -> Tensor<B, 1> {
    let [positions, vocab] = policy_logits.dims();
    assert_eq!(
        reference_logits.dims(),
        [positions, vocab],
        "reference and policy logits must both be [positions, vocab]"
    );
    let at = policy_logits.clone().detach();
    let log_p = log_softmax(at.clone(), 1);
    let log_r = log_softmax(reference_logits.detach(), 1);
    let r = log_r.clone().exp();
    let derivative = log_p.clone().exp() - r.clone();
    let value = (r * (log_r - log_p)).sum_dim(1);
    // logits − sg(logits) has the value 0 and the derivative 1
    let with_derivative = (derivative * (policy_logits - at)).sum_dim(1);
    // rounding could make the KL slightly negative
    (value.clamp_min(0.0) + with_derivative).reshape([positions])
}

/// The importance of tokens from two models (cDPO; Lin et al. 2024, Critical Tokens Matter, eq. 1):
/// `s_t = softmax_v((1+b) log P⁺(v|·) − b log P⁻(v|·))[y_t]`. `P⁺` is a model of right solutions, `P⁻` one of wrong
/// solutions. A token with a small `s_t` is critical: wrong solutions go on with it, and right ones do not.
///
/// # Shapes
/// Both logits are `[positions, vocab]`, `targets` and the result are `[positions]`. The result is between 0 and 1.
///
/// # Panics
/// If the shapes differ.
pub fn token_importance<B: Backend>(
    positive_logits: Tensor<B, 2>,
    negative_logits: Tensor<B, 2>,
    targets: Tensor<B, 1, Int>,
    contrast: f64,
) -> Tensor<B, 1> {
    let [positions, vocab] = positive_logits.dims();
    assert_eq!(
        negative_logits.dims(),
        [positions, vocab],
        "the logits of both models must be [positions, vocab]"
    );
    // The outer softmax does not change when a row is shifted, so log-probs are not needed.
    let mixed = positive_logits * (1.0 + contrast) - negative_logits * contrast;
    log_softmax(mixed, 1)
        .gather(1, targets.reshape([positions, 1]))
        .reshape([positions])
        .exp()
}

/// Divides `0..positions` into ranges of at most `chunk` positions. With `chunk` 0 there is one
/// range of all positions.
pub fn position_chunks(positions: usize, chunk: usize) -> impl Iterator<Item = Range<usize>> {
    let chunk = if chunk == 0 { positions } else { chunk };
    (0..positions)
        .step_by(chunk.max(1))
        .map(move |start| start..(start + chunk).min(positions))
}

/// The gradients of a loss whose inputs are computed from logits, without holding the logits of all
/// positions. Memory grows with `chunk`, and not with the vocabulary times the positions.
///
/// Arguments:
/// - `hidden`: the hidden states of all positions, `[positions, width]`.
/// - `chunk`: the maximum number of positions whose logits are computed at a time; 0 means all.
/// - `n_values`: how many tensors `values` returns.
/// - `values`: computes, from the hidden states `[n, width]` of a range of `n` positions, one or more
///   values of each position, `[n]` each. It applies the head to get logits, and makes log-probs or
///   divergences of them.
/// - `loss`: computes the loss `[1]` from the values of all positions, `[positions]` each, and may
///   return something else beside it.
/// - `visit`: receives the gradients of one backward pass after the other. Their sum is the gradient
///   of the loss. The passes of the chunks hold the head's gradient; the last pass holds the
///   gradients of everything that `hidden` was computed from.
///
/// The logits of each chunk are computed twice: first without an autodiff graph, to get the values
/// and from them the loss and its derivatives with respect to the values; then with a graph, to
/// multiply these derivatives by the derivatives of the values.
///
/// # Errors
/// The error of `loss`.
///
/// # Panics
/// If there are no positions, or if `values` returns fewer than `n_values` tensors.
pub fn backward_in_chunks<B, T, E>(
    hidden: Tensor<B, 2>,
    chunk: usize,
    n_values: usize,
    values: impl Fn(Tensor<B, 2>, Range<usize>) -> Vec<Tensor<B, 1>>,
    loss: impl FnOnce(Vec<Tensor<B, 1>>) -> Result<(Tensor<B, 1>, T), E>,
    mut visit: impl FnMut(B::Gradients),
) -> Result<T, E>
where
    B: AutodiffBackend,
{
    let [positions, width] = hidden.dims();
    let at = hidden.clone().inner();
    let part = |range: &Range<usize>| -> Tensor<B, 2> {
        Tensor::from_inner(at.clone().slice([range.clone(), 0..width]))
    };

    let mut columns = vec![Vec::new(); n_values];
    for range in position_chunks(positions, chunk) {
        for (column, value) in columns.iter_mut().zip(values(part(&range), range.clone())) {
            column.push(value.inner());
        }
    }
    let leaf = |column| {
        let leaf: Tensor<B, 1> = Tensor::from_inner(Tensor::cat(column, 0));
        leaf.require_grad()
    };
    let leaves: Vec<Tensor<B, 1>> = columns.into_iter().map(leaf).collect();
    let (loss, output) = loss(leaves.clone())?;
    let gradients = loss.backward();
    // `None` for a value that the loss does not depend on
    let derivatives: Vec<_> = leaves.iter().map(|leaf| leaf.grad(&gradients)).collect();

    let mut hidden_gradient = Vec::new();
    for range in position_chunks(positions, chunk) {
        let part = part(&range).require_grad();
        let terms = values(part.clone(), range.clone())
            .into_iter()
            .zip(&derivatives)
            .filter_map(|(value, derivative)| {
                let derivative = derivative.clone()?.slice([range.clone()]);
                Some((value * Tensor::from_inner(derivative)).sum())
            });
        let gradient = terms.reduce(|sum, term| sum + term).and_then(|sum| {
            let gradients = sum.backward();
            let gradient = part.grad(&gradients);
            visit(gradients);
            gradient
        });
        let zero = || Tensor::zeros([range.len(), width], &at.device());
        hidden_gradient.push(gradient.unwrap_or_else(zero));
    }
    let hidden_gradient = Tensor::from_inner(Tensor::cat(hidden_gradient, 0));
    visit((hidden * hidden_gradient).sum().backward());
    Ok(output)
}
