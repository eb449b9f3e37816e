//! A linear map. In: vectors and a matrix. Out: their product, or the gradients of both.

use burn::backend::Flex;
use burn::tensor::Tensor;

use super::buffers::{contiguous, new_tensor, tensor, values, values_mut};
use super::parallel::as_values;
use super::product::{Matrix, Target, Then, large_product};

/// [`Kernels::project`](crate::Kernels::project).
pub(super) fn project(x: Tensor<Flex, 2>, weight: Tensor<Flex, 2>) -> Tensor<Flex, 2> {
    let [n, n_in] = x.dims();
    let [n_out, _] = weight.dims();
    let (x, weight) = (contiguous(x), contiguous(weight));
    let x = Matrix::rows(values(&x), n_in);
    let weight = Matrix::rows(values(&weight), n_in);
    new_product([n, n_out, n_in], x, weight.transposed())
}

/// [`Kernels::project_backward`](crate::Kernels::project_backward).
pub(super) fn project_backward(
    x: Option<Tensor<Flex, 2>>,
    weight: Option<Tensor<Flex, 2>>,
    gradient: Tensor<Flex, 2>,
) -> [Option<Tensor<Flex, 2>>; 2] {
    let [n, n_out] = gradient.dims();
    let gradient = contiguous(gradient);
    let gradient = Matrix::rows(values(&gradient), n_out);
    let of_x = weight.map(|weight| {
        let [_, n_in] = weight.dims();
        let weight = contiguous(weight);
        new_product(
            [n, n_in, n_out],
            gradient,
            Matrix::rows(values(&weight), n_in),
        )
    });
    let of_weight = x.map(|x| {
        let [_, n_in] = x.dims();
        let x = contiguous(x);
        let x = Matrix::rows(values(&x), n_in);
        new_product([n_out, n_in, n], gradient.transposed(), x)
    });
    [of_x, of_weight]
}

/// [`Kernels::project_backward_into`](crate::Kernels::project_backward_into), in the memory of the sum.
pub(super) fn project_backward_into(
    sum: Tensor<Flex, 2>,
    x: Tensor<Flex, 2>,
    gradient: Tensor<Flex, 2>,
) -> Tensor<Flex, 2> {
    let ([n, n_out], [_, n_in]) = (gradient.dims(), x.dims());
    let (mut sum, x, gradient) = (contiguous(sum), contiguous(x), contiguous(gradient));
    let target = Target::rows(values_mut(&mut sum), n_in);
    let gradient = Matrix::rows(values(&gradient), n_out).transposed();
    let x = Matrix::rows(values(&x), n_in);
    large_product(target, [n_out, n_in, n], gradient, x, Then::Add);
    tensor(sum)
}

/// A new tensor `[m, n]` with a product. Its memory is not cleared first.
pub(super) fn new_product(
    [m, n, k]: [usize; 3],
    left: Matrix<'_>,
    right: Matrix<'_>,
) -> Tensor<Flex, 2> {
    if k == 0 {
        return new_tensor(vec![0.0; m * n], [m, n]);
    }
    let mut product = Vec::with_capacity(m * n);
    let space = &mut product.spare_capacity_mut()[..m * n];
    // SAFETY: the product writes every value and reads none.
    let target = Target::rows(unsafe { as_values(space) }, n);
    large_product(target, [m, n, k], left, right, Then::Write);
    // SAFETY: all values were written above.
    unsafe { product.set_len(m * n) };
    new_tensor(product, [m, n])
}
