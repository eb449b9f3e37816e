//! The optimiser's passes over all values. In: a parameter, its gradient and its moments. Out: the same memory
//! after the step.

use burn::backend::Flex;
use burn::tensor::Tensor;
use rayon::prelude::*;

use super::buffers::{contiguous, new_tensor, tensor, values, values_mut};
use crate::kernels::inputs::{AdamWStep, SgdStep};
use crate::vector::{sum, with_vectors};

/// Number of values that a thread takes at a time. Sums are divided in the same way.
const VALUES_AT_A_TIME: usize = 1 << 16;

/// [`Kernels::adamw`](crate::Kernels::adamw), in one pass over the values.
pub(super) fn adamw(
    parameter: Tensor<Flex, 1>,
    gradient: Tensor<Flex, 1>,
    [first, second]: [Tensor<Flex, 1>; 2],
    step: &AdamWStep,
) -> (Tensor<Flex, 1>, [Tensor<Flex, 1>; 2]) {
    let mut parameter = contiguous(parameter);
    let (mut first, mut second) = (contiguous(first), contiguous(second));
    let gradient = contiguous(gradient);

    let (correction1, correction2) = step.corrections();
    let scale = step.gradient_scale as f32;
    let (new1, old2, new2) = (
        (1.0 - step.beta1) as f32,
        step.beta2 as f32,
        (1.0 - step.beta2) as f32,
    );
    let (correction2, epsilon) = (correction2 as f32, step.epsilon as f32);
    let l2 = step.l2 as f32;
    let kept = (1.0 - step.rate * step.weight_decay) as f32;
    let rate = (step.rate / correction1) as f32;
    let parts = (
        values_mut(&mut parameter).par_chunks_mut(VALUES_AT_A_TIME),
        values_mut(&mut first).par_chunks_mut(VALUES_AT_A_TIME),
        values_mut(&mut second).par_chunks_mut(VALUES_AT_A_TIME),
        values(&gradient).par_chunks(VALUES_AT_A_TIME),
    );
    parts
        .into_par_iter()
        .for_each(|(parameter, first, second, gradient)| {
            with_vectors(
                #[inline(always)]
                || {
                    let n = gradient.len();
                    let (parameter, first, second) =
                        (&mut parameter[..n], &mut first[..n], &mut second[..n]);
                    for i in 0..n {
                        let g = gradient[i] * scale + parameter[i] * l2;
                        first[i] += (g - first[i]) * new1;
                        second[i] = second[i] * old2 + g * g * new2;
                        let denominator = second[i].sqrt() / correction2 + epsilon;
                        parameter[i] = parameter[i] * kept - first[i] / denominator * rate;
                    }
                },
            );
        });
    (tensor(parameter), [tensor(first), tensor(second)])
}

/// [`Kernels::sgd`](crate::Kernels::sgd), in one pass over the values.
pub(super) fn sgd(
    parameter: Tensor<Flex, 1>,
    gradient: Tensor<Flex, 1>,
    velocity: Option<Tensor<Flex, 1>>,
    step: &SgdStep,
) -> (Tensor<Flex, 1>, Option<Tensor<Flex, 1>>) {
    let mut parameter = contiguous(parameter);
    let gradient = contiguous(gradient);
    let (scale, l2) = (step.gradient_scale as f32, step.l2 as f32);
    let (rate, momentum) = (step.rate as f32, step.momentum as f32);
    let parts = (
        values_mut(&mut parameter).par_chunks_mut(VALUES_AT_A_TIME),
        values(&gradient).par_chunks(VALUES_AT_A_TIME),
    );
    let Some(velocity) = velocity else {
        parts.into_par_iter().for_each(|(parameter, gradient)| {
            with_vectors(
                #[inline(always)]
                || {
                    for (p, g) in parameter.iter_mut().zip(gradient) {
                        *p -= (g * scale + *p * l2) * rate;
                    }
                },
            );
        });
        return (tensor(parameter), None);
    };
    let mut velocity = contiguous(velocity);
    // The update is `old · gradient + new · velocity`.
    let (old, new) = match step.nesterov {
        true => (1.0, momentum),
        false => (0.0, 1.0),
    };
    let parts = (
        parts.0,
        parts.1,
        values_mut(&mut velocity).par_chunks_mut(VALUES_AT_A_TIME),
    );
    parts
        .into_par_iter()
        .for_each(|(parameter, gradient, velocity)| {
            with_vectors(
                #[inline(always)]
                || {
                    let n = gradient.len();
                    let (parameter, velocity) = (&mut parameter[..n], &mut velocity[..n]);
                    for i in 0..n {
                        let g = gradient[i] * scale + parameter[i] * l2;
                        velocity[i] = velocity[i] * momentum + g;
                        parameter[i] -= (g * old + velocity[i] * new) * rate;
                    }
                },
            );
        });
    (tensor(parameter), Some(tensor(velocity)))
}

/// [`Kernels::sum_of_squares`](crate::Kernels::sum_of_squares).
pub(super) fn sum_of_squares(x: Tensor<Flex, 1>) -> Tensor<Flex, 1> {
    let x = contiguous(x);
    let parts = values(&x).par_chunks(VALUES_AT_A_TIME);
    let sums: Vec<f64> = parts
        .map(|part| {
            f64::from(with_vectors(
                #[inline(always)]
                || {
                    sum(
                        part,
                        #[inline(always)]
                        |x| x * x,
                    )
                },
            ))
        })
        .collect();
    new_tensor(vec![sums.iter().sum::<f64>() as f32], [1])
}

/// [`Kernels::add_into`](crate::Kernels::add_into).
pub(super) fn add_into(a: Tensor<Flex, 1>, b: Tensor<Flex, 1>) -> Tensor<Flex, 1> {
    let mut a = contiguous(a);
    let b = contiguous(b);
    let parts = values_mut(&mut a).par_chunks_mut(VALUES_AT_A_TIME);
    let parts = parts.zip(values(&b).par_chunks(VALUES_AT_A_TIME));
    parts.for_each(|(a, b)| {
        with_vectors(
            #[inline(always)]
            || {
                for (a, b) in a.iter_mut().zip(b) {
                    *a += b;
                }
            },
        );
    });
    tensor(a)
}
