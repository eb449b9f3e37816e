//! The update of one parameter by AdamW or Adam. In: a parameter, its gradient and its moments. Out: the parameter and
//! the moments after the step, in the memory that they had.

use burn_cubecl::CubeRuntime;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::launch::{addresses, contiguous, group, groups_for_values, writable};
use crate::kernels::inputs::AdamWStep;

/// The numbers of a step that the kernel needs.
#[derive(CubeLaunch, CubeType, Clone, Copy)]
struct Numbers {
    gradient_scale: f32,
    l2: f32,
    share1: f32,
    beta2: f32,
    share2: f32,
    correction2: f32,
    epsilon: f32,
    decay: f32,
    rate: f32,
}

/// One thread for a value of the parameter.
#[cube(launch_unchecked, address_type = "dynamic")]
fn step_of_value<P: Float, G: Float, M: Float>(
    parameter: &mut Tensor<P>,
    gradient: &Tensor<G>,
    first: &mut Tensor<M>,
    second: &mut Tensor<M>,
    numbers: Numbers,
    n: usize,
    #[define(P, G, M)] _formats: [StorageType; 3],
) {
    let at = ABSOLUTE_POS;
    if at < n {
        let value = f32::cast_from(parameter[at]);
        let g = f32::cast_from(gradient[at]) * numbers.gradient_scale + value * numbers.l2;
        let m = f32::cast_from(first[at]);
        let m = m + (g - m) * numbers.share1;
        let v = f32::cast_from(second[at]) * numbers.beta2 + g * g * numbers.share2;
        let denominator = f32::sqrt(v) / numbers.correction2 + numbers.epsilon;
        parameter[at] = P::cast_from(value * numbers.decay - m / denominator * numbers.rate);
        first[at] = M::cast_from(m);
        second[at] = M::cast_from(v);
    }
}

/// The parameter and its moments after a step.
pub(super) fn adamw<R: CubeRuntime>(
    [parameter, gradient, first, second]: [CubeTensor<R>; 4],
    step: &AdamWStep,
) -> [CubeTensor<R>; 3] {
    let [parameter, first, second] = [parameter, first, second].map(writable);
    let [gradient] = contiguous([gradient]);
    let n = parameter.meta.num_elements();
    let (correction1, correction2) = step.corrections();
    let numbers = NumbersLaunch::new(
        step.gradient_scale as f32,
        step.l2 as f32,
        (1.0 - step.beta1) as f32,
        step.beta2 as f32,
        (1.0 - step.beta2) as f32,
        correction2 as f32,
        step.epsilon as f32,
        (1.0 - step.rate * step.weight_decay) as f32,
        (step.rate / correction1) as f32,
    );
    let formats = [
        parameter.dtype.into(),
        gradient.dtype.into(),
        first.dtype.into(),
    ];
    // SAFETY: the kernel checks that its value exists; all tensors have `n` values, and those it writes are its own.
    unsafe {
        step_of_value::launch_unchecked(
            &parameter.client,
            groups_for_values(n),
            group(),
            addresses(&[&parameter, &gradient, &first]),
            parameter.clone().into_tensor_arg(),
            gradient.into_tensor_arg(),
            first.clone().into_tensor_arg(),
            second.clone().into_tensor_arg(),
            numbers,
            n,
            formats,
        );
    }
    [parameter, first, second]
}
