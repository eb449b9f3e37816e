//! AdamW's update of one parameter. In: a parameter, its gradient and its moments. Out: the parameter
//! and the moments after the step.

use burn::tensor::{Tensor, backend::Backend};

/// The settings of one AdamW step (Loshchilov & Hutter 2019, algorithm 2).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamWStep {
    /// Number of this step, from 1, for the bias correction.
    pub step: u64,
    /// Learning rate.
    pub rate: f64,
    /// Decay of the running mean of the gradient.
    pub beta1: f64,
    /// Decay of the running mean of the squared gradient.
    pub beta2: f64,
    /// Added to the denominator.
    pub epsilon: f64,
    /// Decoupled weight decay of this parameter; 0 for none.
    pub weight_decay: f64,
}

/// The plain body of [`Kernels::adamw`](super::Kernels::adamw), in the arithmetic of PyTorch.
pub(super) fn adamw<B: Backend>(
    parameter: Tensor<B, 1>,
    gradient: Tensor<B, 1>,
    [first, second]: [Tensor<B, 1>; 2],
    step: &AdamWStep,
) -> (Tensor<B, 1>, [Tensor<B, 1>; 2]) {
    let first = first.clone() + (gradient.clone() - first) * (1.0 - step.beta1);
    let second = second * step.beta2 + gradient.square() * (1.0 - step.beta2);

    let t = step.step as f64;
    let correction1 = 1.0 - step.beta1.powf(t);
    let correction2 = (1.0 - step.beta2.powf(t)).sqrt();
    let denominator = second.clone().sqrt() / correction2 + step.epsilon;
    let decayed = if step.weight_decay == 0.0 {
        parameter
    } else {
        parameter * (1.0 - step.rate * step.weight_decay)
    };
    let updated = decayed - first.clone() / denominator * (step.rate / correction1);
    (updated, [first, second])
}
