//! The update of one parameter by stochastic gradient descent. In: a parameter, its gradient and its velocity.
//! Out: the parameter and the velocity after the step.

use burn::tensor::{Tensor, backend::Backend};

use super::gradient::gradient_of_step;
use crate::kernels::inputs::SgdStep;

/// The plain body of [`Kernels::sgd`](crate::Kernels::sgd), in the arithmetic of PyTorch.
pub fn sgd<B: Backend>(
    parameter: Tensor<B, 1>,
    gradient: Tensor<B, 1>,
    velocity: Option<Tensor<B, 1>>,
    step: &SgdStep,
) -> (Tensor<B, 1>, Option<Tensor<B, 1>>) {
    let gradient = gradient_of_step(gradient, &parameter, step.gradient_scale, step.l2);
    let Some(velocity) = velocity else {
        return (parameter - gradient * step.rate, None);
    };
    let velocity = velocity * step.momentum + gradient.clone();
    let update = match step.nesterov {
        true => gradient + velocity.clone() * step.momentum,
        false => velocity.clone(),
    };
    (parameter - update * step.rate, Some(velocity))
}
