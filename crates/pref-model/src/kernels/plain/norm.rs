//! Root mean square normalisation. In: values and weights. Out: values of the same shape, or the gradients.

use burn::tensor::{Tensor, backend::Backend};

use super::format::{in_format, wide};

/// The plain body of [`Kernels::rms_norm`](crate::Kernels::rms_norm).
pub fn rms_norm<B: Backend>(x: Tensor<B, 2>, weight: Tensor<B, 1>, epsilon: f64) -> Tensor<B, 2> {
    let format = x.dtype();
    let x = wide(x);
    let scale = inverse_root_mean_square(x.clone(), epsilon);
    in_format(x * scale * weight.unsqueeze(), format)
}

/// The gradients of `x` and of the weight, from the gradient of the result.
///
/// With `r = 1 / √(mean x² + ε)` and the normalised `n = x r`, the gradient of `x` is
/// `r (g w − n · mean(g w n))`, and that of the weight is `Σ g n` over the rows.
pub fn rms_norm_backward<B: Backend>(
    x: Tensor<B, 2>,
    weight: Tensor<B, 1>,
    epsilon: f64,
    gradient: Tensor<B, 2>,
) -> (Tensor<B, 2>, Tensor<B, 1>) {
    let [_, width] = x.dims();
    let format = x.dtype();
    let (x, gradient) = (wide(x), wide(gradient));
    let scale = inverse_root_mean_square(x.clone(), epsilon);
    let normed = x * scale.clone();
    let of_weight = (gradient.clone() * normed.clone()).sum_dim(0);
    let weighted = gradient * weight.unsqueeze();
    let mean = (weighted.clone() * normed.clone()).mean_dim(1);
    let of_x = (weighted - normed * mean) * scale;
    (in_format(of_x, format), of_weight.reshape([width]))
}

/// `1 / √(mean x² + ε)` of each row, `[n, 1]`. A power, because ndarray's division is approximate in the
/// gradient.
fn inverse_root_mean_square<B: Backend>(x: Tensor<B, 2>, epsilon: f64) -> Tensor<B, 2> {
    (x.square().mean_dim(1) + epsilon).powf_scalar(-0.5)
}
