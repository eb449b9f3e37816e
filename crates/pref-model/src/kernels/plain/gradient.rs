//! What every optimiser does to a gradient first. In: a gradient and two factors. Out: the gradient of the step.

use burn::tensor::{Tensor, backend::Backend};

/// `gradient · scale + parameter · l2`, without the operations that change nothing.
pub(super) fn gradient_of_step<B: Backend, const D: usize>(
    gradient: Tensor<B, D>,
    parameter: &Tensor<B, D>,
    scale: f64,
    l2: f64,
) -> Tensor<B, D> {
    let gradient = match scale == 1.0 {
        true => gradient,
        false => gradient * scale,
    };
    match l2 == 0.0 {
        true => gradient,
        false => gradient + parameter.clone() * l2,
    }
}
