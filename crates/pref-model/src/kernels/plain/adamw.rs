//! The update of one parameter by AdamW or Adam. In: a parameter, its gradient and its moments. Out: the
//! parameter and the moments after the step.

use burn::tensor::{Tensor, backend::Backend};

use super::gradient::gradient_of_step;
use crate::kernels::inputs::AdamWStep;

/// The plain body of [`Kernels::adamw`](crate::Kernels::adamw), in the arithmetic of PyTorch.
pub fn adamw<B: Backend>(
    parameter: Tensor<B, 1>,
    gradient: Tensor<B, 1>,
    [first, second]: [Tensor<B, 1>; 2],
    step: &AdamWStep,
) -> (Tensor<B, 1>, [Tensor<B, 1>; 2]) {
    let gradient = gradient_of_step(gradient, &parameter, step.gradient_scale, step.l2);
    let first = first.clone() + (gradient.clone() - first) * (1.0 - step.beta1);
    let second = second * step.beta2 + gradient.square() * (1.0 - step.beta2);

    let (correction1, correction2) = step.corrections();
    let denominator = second.clone().sqrt() / correction2 + step.epsilon;
    let decayed = match step.weight_decay == 0.0 {
        true => parameter,
        false => parameter * (1.0 - step.rate * step.weight_decay),
    };
    let updated = decayed - first.clone() / denominator * (step.rate / correction1);
    (updated, [first, second])
}
