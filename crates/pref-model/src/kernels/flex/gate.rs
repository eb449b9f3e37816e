//! The gate of an MLP. In: the outputs of the gate and up projections. Out: their gated product, or the
//! gradients of both.

use burn::backend::Flex;
use burn::tensor::Tensor;

use super::buffers::{contiguous, new_tensor, values};
use super::parallel::{new_pair, new_rows};
use crate::config::Activation;
use crate::kernels::plain::{GELU_CUBIC, GELU_SCALE};
use crate::vector::sigmoid;

/// [`Kernels::gated`](crate::Kernels::gated).
pub(super) fn gated(
    gate: Tensor<Flex, 2>,
    up: Tensor<Flex, 2>,
    activation: Activation,
) -> Tensor<Flex, 2> {
    let shape = gate.dims();
    let (gate, up) = (contiguous(gate), contiguous(up));
    let (gate, up) = (values(&gate), values(&up));
    let product = match activation {
        Activation::Silu => map(
            gate,
            up,
            #[inline(always)]
            |gate, up| gate * sigmoid(gate) * up,
        ),
        Activation::GeluTanh => map(
            gate,
            up,
            #[inline(always)]
            |gate, up| gate * sigmoid(gelu_z(gate)) * up,
        ),
    };
    new_tensor(product, shape)
}

/// [`Kernels::gated_backward`](crate::Kernels::gated_backward). Both activations are `x · σ(z)`, so the slope is
/// `σ + x σ (1 − σ) z′`.
pub(super) fn gated_backward(
    gate: Tensor<Flex, 2>,
    up: Tensor<Flex, 2>,
    activation: Activation,
    gradient: Tensor<Flex, 2>,
) -> [Tensor<Flex, 2>; 2] {
    let shape = gate.dims();
    let (gate, up, gradient) = (contiguous(gate), contiguous(up), contiguous(gradient));
    let (gate, up, gradient) = (values(&gate), values(&up), values(&gradient));
    let gradients = match activation {
        Activation::Silu => map_backward(
            [gate, up, gradient],
            #[inline(always)]
            |x| (x, 1.0),
        ),
        Activation::GeluTanh => map_backward(
            [gate, up, gradient],
            #[inline(always)]
            |x| {
                let slope = 1.0 + 3.0 * GELU_CUBIC as f32 * x * x;
                (gelu_z(x), (2.0 * GELU_SCALE) as f32 * slope)
            },
        ),
    };
    gradients.map(|values| new_tensor(values, shape))
}

/// The gradients of gate and up. `z` gives `z` and its slope at a value of the gate.
fn map_backward(
    [gate, up, gradient]: [&[f32]; 3],
    z: impl Fn(f32) -> (f32, f32) + Sync,
) -> [Vec<f32>; 2] {
    new_pair(
        gate.len(),
        #[inline(always)]
        |first, of_gate, of_up| {
            let n = of_gate.len();
            let part = first..first + n;
            let (gate, up, gradient) = (&gate[part.clone()], &up[part.clone()], &gradient[part]);
            for i in 0..n {
                let (z, slope) = z(gate[i]);
                let sigma = sigmoid(z);
                of_gate[i] = gradient[i] * up[i] * sigma * (1.0 + gate[i] * (1.0 - sigma) * slope);
                of_up[i] = gradient[i] * gate[i] * sigma;
            }
        },
    )
}

/// `2 √(2/π) (x + 0.044715 x³)`.
#[inline(always)]
fn gelu_z(x: f32) -> f32 {
    (2.0 * GELU_SCALE) as f32 * (x + GELU_CUBIC as f32 * x * x * x)
}

/// `f(x, y)` of each pair of values.
fn map(xs: &[f32], ys: &[f32], f: impl Fn(f32, f32) -> f32 + Sync) -> Vec<f32> {
    new_rows(
        xs.len(),
        1,
        #[inline(always)]
        |first, out| {
            let n = out.len();
            let (xs, ys) = (&xs[first..first + n], &ys[first..first + n]);
            for i in 0..n {
                out[i] = f(xs[i], ys[i]);
            }
        },
    )
}
