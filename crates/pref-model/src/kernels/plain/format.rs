//! Number formats of tensors. In: a tensor. Out: the same values in another format.
//!
//! A model that computes in bfloat16 has vectors in bfloat16 and weights in float32. A product takes both in
//! bfloat16; everything with exponentials, roots and sums of squares is computed in float32.

use burn::tensor::{DType, FloatDType, Tensor, backend::Backend};

/// Why a CPU backend does not train in bfloat16.
#[cfg(any(feature = "flex", feature = "ndarray"))]
pub(crate) const BF16_ON_A_CPU: &str = "a CPU backend turns every number into float32 and back, which is slower than float32 and less exact";

/// The tensor in this number format.
pub(crate) fn in_format<B: Backend, const D: usize>(
    tensor: Tensor<B, D>,
    format: DType,
) -> Tensor<B, D> {
    match tensor.dtype() == format {
        true => tensor,
        false => tensor.cast(FloatDType::from(format)),
    }
}

/// The tensor in a format that has at least the precision of float32.
pub(crate) fn wide<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Tensor<B, D> {
    match tensor.dtype() {
        DType::BF16 | DType::F16 => tensor.cast(FloatDType::F32),
        _ => tensor,
    }
}
