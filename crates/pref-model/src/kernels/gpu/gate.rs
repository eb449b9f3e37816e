//! The gate of an MLP. In: the outputs of the gate and up projections. Out: their gated product, or the gradients of
//! both, which take the memory of the inputs if nothing else needs it.

use burn_cubecl::CubeRuntime;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::launch::{addresses, contiguous, empty, group, groups_for_values, in_format, writable};
use crate::config::Activation;
use crate::kernels::plain::{GELU_CUBIC, GELU_SCALE};

/// `σ(z)` and the derivative of `z`, where the activation is `x · σ(z)`, as in the plain body.
#[cube]
fn sigma_and_slope(x: f32, #[comptime] is_silu: bool) -> (f32, f32) {
    let mut z = x;
    let mut slope = 1.0f32;
    if comptime!(!is_silu) {
        let (cubic, scale) = comptime!((GELU_CUBIC as f32, 2.0 * GELU_SCALE as f32));
        z = x * (x * x * cubic + 1.0) * scale;
        slope = (x * x * 3.0 * cubic + 1.0) * scale;
    }
    (1.0 / (1.0 + f32::exp(-z)), slope)
}

/// One thread for a value.
#[cube(launch_unchecked, address_type = "dynamic")]
fn gate_value<F: Float>(
    gate: &Tensor<F>,
    up: &Tensor<F>,
    product: &mut Tensor<F>,
    n: usize,
    #[comptime] is_silu: bool,
    #[define(F)] _format: StorageType,
) {
    let at = ABSOLUTE_POS;
    if at < n {
        let x = f32::cast_from(gate[at]);
        let (sigma, _) = sigma_and_slope(x, is_silu);
        product[at] = F::cast_from(x * sigma * f32::cast_from(up[at]));
    }
}

/// One thread for a value. The gradients replace gate and up.
#[cube(launch_unchecked, address_type = "dynamic")]
fn gradients_of_value<F: Float>(
    gate: &mut Tensor<F>,
    up: &mut Tensor<F>,
    gradient: &Tensor<F>,
    n: usize,
    #[comptime] is_silu: bool,
    #[define(F)] _format: StorageType,
) {
    let at = ABSOLUTE_POS;
    if at < n {
        let x = f32::cast_from(gate[at]);
        let g = f32::cast_from(gradient[at]);
        let (sigma, slope_of_z) = sigma_and_slope(x, is_silu);
        let slope = sigma * (1.0 + x * (1.0 - sigma) * slope_of_z);
        gate[at] = F::cast_from(g * f32::cast_from(up[at]) * slope);
        up[at] = F::cast_from(g * x * sigma);
    }
}

fn is_silu(activation: Activation) -> bool {
    match activation {
        Activation::Silu => true,
        Activation::GeluTanh => false,
    }
}

/// `activation(gate) · up`.
pub(super) fn gated<R: CubeRuntime>(
    [gate, up]: [CubeTensor<R>; 2],
    activation: Activation,
) -> [CubeTensor<R>; 1] {
    // The backward pass needs both inputs, so neither can hold the product.
    let [gate] = contiguous([gate]);
    let up = in_format(up, gate.dtype);
    let product = empty(&gate, gate.meta.shape().clone(), gate.dtype);
    let n = gate.meta.num_elements();
    let format = gate.dtype.into();
    // SAFETY: the kernel checks that its value exists; all tensors have `n` values.
    unsafe {
        gate_value::launch_unchecked(
            &product.client,
            groups_for_values(n),
            group(),
            addresses(&[&gate]),
            gate.into_tensor_arg(),
            up.into_tensor_arg(),
            product.clone().into_tensor_arg(),
            n,
            is_silu(activation),
            format,
        );
    }
    [product]
}

/// The gradients of gate and up.
pub(super) fn gated_backward<R: CubeRuntime>(
    [gate, up, gradient]: [CubeTensor<R>; 3],
    activation: Activation,
) -> [CubeTensor<R>; 2] {
    let gate = writable(gate);
    let up = writable(in_format(up, gate.dtype));
    let gradient = in_format(gradient, gate.dtype);
    let n = gate.meta.num_elements();
    let format = gate.dtype.into();
    // SAFETY: the kernel checks that its value exists; all tensors have `n` values.
    unsafe {
        gradients_of_value::launch_unchecked(
            &gate.client,
            groups_for_values(n),
            group(),
            addresses(&[&gate]),
            gate.clone().into_tensor_arg(),
            up.clone().into_tensor_arg(),
            gradient.into_tensor_arg(),
            n,
            is_silu(activation),
            format,
        );
    }
    [gate, up]
}
