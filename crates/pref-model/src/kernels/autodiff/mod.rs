//! Operations with gradients. In: tensors of `Autodiff<B>`. Out: the result of the operation of `B`, which
//! knows the gradient of its inputs by the method of `B` whose name ends with `_backward`.
//!
//! A state of an operation holds what its backward pass reads. It is freed as soon as the pass has used it.

mod attention;
mod gate;
mod log_probs;
mod norm;
mod project;
mod rotary;
mod sums;

use std::ops::Range;

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::tensor::{Int, Tensor};

pub use sums::GradientSums;

use super::inputs::{Rotary, ScoreRule};
use super::traits::Kernels;
use super::visibility::Visibility;
use crate::config::Activation;

impl<B: Kernels, C: CheckpointStrategy> Kernels for Autodiff<B, C> {
    const TOKENS_OF_A_PASS: Option<Range<usize>> = B::TOKENS_OF_A_PASS;

    fn refusal_of_bf16(device: &Self::Device) -> Option<&'static str> {
        B::refusal_of_bf16(device)
    }

    fn project(x: Tensor<Self, 2>, weight: Tensor<Self, 2>) -> Tensor<Self, 2> {
        project::project(x, weight)
    }

    fn causal_attention(
        queries: Tensor<Self, 4>,
        keys: Tensor<Self, 4>,
        values: Tensor<Self, 4>,
        visibility: &Visibility,
        rule: ScoreRule,
    ) -> Tensor<Self, 4> {
        attention::causal_attention([queries, keys, values], visibility, rule)
    }

    fn rms_norm(x: Tensor<Self, 2>, weight: Tensor<Self, 1>, epsilon: f64) -> Tensor<Self, 2> {
        norm::rms_norm(x, weight, epsilon)
    }

    fn rotary(x: Tensor<Self, 4>, rotary: &Rotary<Self>) -> Tensor<Self, 4> {
        rotary::rotary(x, rotary.inner())
    }

    fn gated(
        gate: Tensor<Self, 2>,
        up: Tensor<Self, 2>,
        activation: Activation,
    ) -> Tensor<Self, 2> {
        gate::gated(gate, up, activation)
    }

    fn target_log_probs(
        hidden: Tensor<Self, 2>,
        head: Tensor<Self, 2>,
        softcap: Option<f64>,
        targets: Tensor<Self, 1, Int>,
    ) -> Tensor<Self, 1> {
        log_probs::target_log_probs(hidden, head, softcap, targets.inner())
    }
}
