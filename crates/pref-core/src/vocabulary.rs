//! Values of whole next-token distributions, a chunk of positions at a time: `[positions, vocab]`
//! of all positions is never held. In: hidden states and a head, or logits. Out: one value a
//! position, and gradients.

use std::ops::Range;

use burn::tensor::{Tensor, activation::log_softmax, backend::AutodiffBackend, backend::Backend};

/// `KL(π_ref(·|s_t) ‖ π_θ(·|s_t))` over the vocabulary at each position, nats, `[positions]`
/// (TDPO, Zeng et al. 2024).
///
/// Gradients flow to the policy's logits alone. The derivative `π_θ − π_ref` is written down: it
/// takes one pass over the vocabulary, and is exact where autodiff through the softmax is not.
///
/// # Shapes
/// Both `[positions, vocab]`.
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
    let slope = log_p.clone().exp() - r.clone();
    let value = (r * (log_r - log_p)).sum_dim(1);
    // logits − sg(logits) is zero, its derivative one; rounding must not make a KL negative
    let step = (slope * (policy_logits - at)).sum_dim(1);
    (value.clamp_min(0.0) + step).reshape([positions])
}

/// Ranges of at most `chunk` positions that cover `0..positions`; all at once if `chunk` is 0.
pub fn position_chunks(positions: usize, chunk: usize) -> impl Iterator<Item = Range<usize>> {
    let chunk = if chunk == 0 { positions } else { chunk };
    (0..positions)
        .step_by(chunk.max(1))
        .map(move |start| start..(start + chunk).min(positions))
}

/// The gradients of a loss over values that each come from a whole row of logits, with memory that
/// grows with the chunk and not with the vocabulary times the positions.
///
/// `values` maps hidden states `[n, width]` of a range of positions to `n_values` values a
/// position, `[n]` each: logits through the head, then log-probs, divergences. `loss` maps all
/// positions' values to the loss; it sees them as leaves. Each chunk's logits are computed twice,
/// first without a graph for the values, then with one, against the loss's derivative.
///
/// `visit` is handed the gradients of each chunk's backward pass, in which the head's are, and at
/// last those of everything in front of `hidden`; their sum is the loss's gradient.
///
/// # Shapes
/// `hidden` is `[positions, width]`.
///
/// # Errors
/// As `loss`.
pub fn backward_in_chunks<B, T, E>(
    hidden: Tensor<B, 2>,
    chunk: usize,
    n_values: usize,
    values: impl Fn(Tensor<B, 2>, Range<usize>) -> Vec<Tensor<B, 1>>,
    loss: impl FnOnce(Vec<Tensor<B, 1>>) -> Result<(Tensor<B, 1>, T), E>,
    mut visit: impl FnMut(&B::Gradients),
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
    // a value that the loss does not look at has no derivative
    let slopes: Vec<_> = leaves.iter().map(|leaf| leaf.grad(&gradients)).collect();

    let mut of_hidden = Vec::new();
    for range in position_chunks(positions, chunk) {
        let part = part(&range).require_grad();
        let terms = values(part.clone(), range.clone())
            .into_iter()
            .zip(&slopes)
            .filter_map(|(value, slope)| {
                let slope = slope.clone()?.slice([range.clone()]);
                Some((value * Tensor::from_inner(slope)).sum())
            });
        let gradient = terms.reduce(|sum, term| sum + term).and_then(|sum| {
            let gradients = sum.backward();
            visit(&gradients);
            part.grad(&gradients)
        });
        let zero = || Tensor::zeros([range.len(), width], &at.device());
        of_hidden.push(gradient.unwrap_or_else(zero));
    }
    let of_hidden = Tensor::from_inner(Tensor::cat(of_hidden, 0));
    visit(&(hidden * of_hidden).sum().backward());
    Ok(output)
}
