//! The gate of an MLP. In: the outputs of the gate and up projections. Out: their gated product, or the
//! gradients of both.

use burn::tensor::activation::{gelu_approximate, sigmoid, silu};
use burn::tensor::{Tensor, backend::Backend};

use super::format::{in_format, wide};
use crate::config::Activation;

/// `√(2 / π)`, in GELU's approximation (Hendrycks & Gimpel 2016).
pub(crate) const GELU_SCALE: f64 = 0.797_884_560_802_865_4;
/// The factor of the cubic term in the same approximation.
pub(crate) const GELU_CUBIC: f64 = 0.044_715;

/// The plain body of [`Kernels::gated`](crate::Kernels::gated).
pub fn gated<B: Backend>(
    gate: Tensor<B, 2>,
    up: Tensor<B, 2>,
    activation: Activation,
) -> Tensor<B, 2> {
    let format = gate.dtype();
    let gate = match activation {
        Activation::Silu => silu(wide(gate)),
        Activation::GeluTanh => gelu_approximate(wide(gate)),
    };
    in_format(gate * wide(up), format)
}

/// The gradients of gate and up, from the gradient of the product.
///
/// Both activations are `x · σ(z)`: SiLU with `z = x`, and GELU's approximation with
/// `z = 2 √(2/π) (x + 0.044715 x³)`. So the slope is `σ + x σ (1 − σ) z′`.
pub fn gated_backward<B: Backend>(
    gate: Tensor<B, 2>,
    up: Tensor<B, 2>,
    activation: Activation,
    gradient: Tensor<B, 2>,
) -> [Tensor<B, 2>; 2] {
    let format = gate.dtype();
    let [gate, up, gradient] = [gate, up, gradient].map(wide);
    let (z, slope_of_z) = match activation {
        Activation::Silu => (gate.clone(), None),
        Activation::GeluTanh => {
            let square = gate.clone().square();
            let z = gate.clone() * (square.clone() * GELU_CUBIC + 1.0) * (2.0 * GELU_SCALE);
            let slope = (square * (3.0 * GELU_CUBIC) + 1.0) * (2.0 * GELU_SCALE);
            (z, Some(slope))
        }
    };
    let sigma = sigmoid(z);
    let mut inner = gate.clone() * (sigma.clone() * -1.0 + 1.0);
    if let Some(slope) = slope_of_z {
        inner = inner * slope;
    }
    let slope = sigma.clone() * (inner + 1.0);
    let of_gate = gradient.clone() * up * slope;
    let of_up = gradient * gate * sigma;
    [of_gate, of_up].map(|gradient| in_format(gradient, format))
}
