//! Rotary position embeddings. In: the angle of every position and pair of channels. Out: rotated
//! queries or keys.

use burn::tensor::{Tensor, backend::Backend};

use super::format::{in_format, wide};
use crate::kernels::inputs::Rotary;

/// The plain body of [`Kernels::rotary`](crate::Kernels::rotary).
pub fn rotary<B: Backend>(x: Tensor<B, 4>, rotary: &Rotary<B>) -> Tensor<B, 4> {
    let half = x.dims()[3] / 2;
    let format = x.dtype();
    let x = wide(x);
    let a = x.clone().narrow(3, 0, half);
    let b = x.narrow(3, half, half);
    let (cos, sin) = (&rotary.cos, &rotary.sin);
    let rotated_a = a.clone() * cos.clone() - b.clone() * sin.clone();
    let rotated_b = b * cos.clone() + a * sin.clone();
    in_format(Tensor::cat(vec![rotated_a, rotated_b], 3), format)
}
