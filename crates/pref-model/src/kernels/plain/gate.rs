//! The gate of an MLP. In: the outputs of the gate and up projections. Out: their gated product.

use burn::tensor::activation::{gelu_approximate, silu};
use burn::tensor::{Tensor, backend::Backend};

use crate::config::Activation;

/// `activation(gate) · up`, `[n, intermediate]`.
pub(super) fn gated<B: Backend>(
    gate: Tensor<B, 2>,
    up: Tensor<B, 2>,
    activation: Activation,
) -> Tensor<B, 2> {
    let gate = match activation {
        Activation::Silu => silu(gate),
        Activation::GeluTanh => gelu_approximate(gate),
    };
    gate * up
}
