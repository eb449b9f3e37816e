//! Root mean square normalisation. In: values and weights. Out: values of the same shape, or the gradients.

use burn::backend::Flex;
use burn::tensor::Tensor;
use rayon::prelude::*;

use super::buffers::{contiguous, new_tensor, values};
use super::parallel::{for_rows, new_rows};
use crate::vector::{sum, sum_pairs, with_vectors};

/// Number of rows whose gradients of the weight are added one after the other. It is fixed, so that the sum does
/// not depend on the number of threads.
const ROWS_OF_A_SUM: usize = 64;

/// [`Kernels::rms_norm`](crate::Kernels::rms_norm).
pub(super) fn rms_norm(
    x: Tensor<Flex, 2>,
    weight: Tensor<Flex, 1>,
    epsilon: f64,
) -> Tensor<Flex, 2> {
    let [n, width] = x.dims();
    let (x, weight) = (contiguous(x), contiguous(weight));
    let (x, weight) = (values(&x), values(&weight));
    let normed = new_rows(
        n,
        width,
        #[inline(always)]
        |first, rows| {
            let xs = x[first * width..].chunks_exact(width);
            for (out, x) in rows.chunks_exact_mut(width).zip(xs) {
                let scale = inverse_root_mean_square(x, epsilon);
                for i in 0..width {
                    out[i] = x[i] * scale * weight[i];
                }
            }
        },
    );
    new_tensor(normed, [n, width])
}

/// [`Kernels::rms_norm_backward`](crate::Kernels::rms_norm_backward).
pub(super) fn rms_norm_backward(
    x: Tensor<Flex, 2>,
    weight: Tensor<Flex, 1>,
    epsilon: f64,
    gradient: Tensor<Flex, 2>,
) -> (Tensor<Flex, 2>, Tensor<Flex, 1>) {
    let [n, width] = x.dims();
    let (x, weight, gradient) = (contiguous(x), contiguous(weight), contiguous(gradient));
    let (x, weight, gradient) = (values(&x), values(&weight), values(&gradient));
    let scales = new_rows(
        n,
        1,
        #[inline(always)]
        |first, scales| {
            for (scale, x) in scales
                .iter_mut()
                .zip(x[first * width..].chunks_exact(width))
            {
                *scale = inverse_root_mean_square(x, epsilon);
            }
        },
    );
    let of_x = new_rows(
        n,
        width,
        #[inline(always)]
        |first, rows| {
            for (k, out) in rows.chunks_exact_mut(width).enumerate() {
                let row = (first + k) * width;
                let (x, gradient) = (&x[row..row + width], &gradient[row..row + width]);
                let scale = scales[first + k];
                for i in 0..width {
                    out[i] = gradient[i] * weight[i];
                }
                let mean = sum_pairs(
                    out,
                    x,
                    #[inline(always)]
                    |g, x| g * x,
                ) * scale
                    / width as f32;
                for i in 0..width {
                    out[i] = (out[i] - x[i] * scale * mean) * scale;
                }
            }
        },
    );
    let parts: Vec<Vec<f32>> = scales
        .par_chunks(ROWS_OF_A_SUM)
        .enumerate()
        .map(|(part, scales)| {
            with_vectors(
                #[inline(always)]
                || {
                    let mut sums = vec![0.0; width];
                    let first = part * ROWS_OF_A_SUM * width;
                    let xs = x[first..].chunks_exact(width);
                    let gradients = gradient[first..].chunks_exact(width);
                    for ((x, gradient), scale) in xs.zip(gradients).zip(scales) {
                        for i in 0..width {
                            sums[i] += gradient[i] * (x[i] * scale);
                        }
                    }
                    sums
                },
            )
        })
        .collect();
    let mut of_weight = vec![0.0; width];
    for part in parts {
        for_rows(
            &mut of_weight,
            1,
            #[inline(always)]
            |first, sums| {
                for (sum, value) in sums.iter_mut().zip(&part[first..]) {
                    *sum += value;
                }
            },
        );
    }
    (new_tensor(of_x, [n, width]), new_tensor(of_weight, [width]))
}

/// `1 / √(mean x² + ε)`.
#[inline(always)]
fn inverse_root_mean_square(x: &[f32], epsilon: f64) -> f32 {
    let mean_square = sum(
        x,
        #[inline(always)]
        |x| x * x,
    ) / x.len() as f32;
    1.0 / (mean_square + epsilon as f32).sqrt()
}
