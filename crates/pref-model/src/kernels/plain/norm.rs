//! Root mean square normalisation. In: values and weights. Out: values of the same shape.

use burn::tensor::{Tensor, backend::Backend};

/// `x / √(mean x² + ε) · w` over the last axis.
pub(super) fn rms_norm<B: Backend, const D: usize>(
    x: Tensor<B, D>,
    weight: Tensor<B, 1>,
    epsilon: f64,
) -> Tensor<B, D> {
    let mean_square = x.clone().square().mean_dim(D - 1);
    // A power, because the gradient of a division uses ndarray's approximate reciprocal.
    let scale = (mean_square + epsilon).powf_scalar(-0.5);
    x * scale * weight.unsqueeze()
}
