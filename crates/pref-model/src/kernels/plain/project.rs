//! A linear map. In: vectors and a matrix. Out: their product, or the gradients of both.

use burn::tensor::{Tensor, backend::Backend};

use super::format::{in_format, wide};

/// The plain body of [`Kernels::project`](crate::Kernels::project).
pub fn project<B: Backend>(x: Tensor<B, 2>, weight: Tensor<B, 2>) -> Tensor<B, 2> {
    let weight = in_format(weight, x.dtype());
    x.matmul(weight.transpose())
}

/// The gradients of `x` and of the weight, from the gradient of the product. Only those are computed that are
/// asked for: the gradient of `x` if `weight` is given, and the other way round.
///
/// The gradient of the weight is `[out, in]`, as the weight is stored, and at least in float32.
pub fn project_backward<B: Backend>(
    x: Option<Tensor<B, 2>>,
    weight: Option<Tensor<B, 2>>,
    gradient: Tensor<B, 2>,
) -> [Option<Tensor<B, 2>>; 2] {
    let format = gradient.dtype();
    let of_x = weight.map(|weight| gradient.clone().matmul(in_format(weight, format)));
    let of_weight = x.map(|x| wide(gradient.transpose().matmul(x)));
    [of_x, of_weight]
}

/// `sum` plus the gradient of the weight, in the number format of the sum.
pub fn project_backward_into<B: Backend>(
    sum: Tensor<B, 2>,
    x: Tensor<B, 2>,
    gradient: Tensor<B, 2>,
) -> Tensor<B, 2> {
    let format = sum.dtype();
    sum + in_format(gradient.transpose().matmul(x), format)
}
