//! The update of one matrix by Muon. In: a matrix, its gradient and the running mean of its gradients. Out: the
//! matrix and the mean after the step.

use burn::tensor::{Tensor, backend::Backend};

use super::gradient::gradient_of_step;
use crate::kernels::inputs::MuonStep;

/// The coefficients `a`, `b` and `c` of the iteration `X ← a X + b X Xᵀ X + c (X Xᵀ)² X`, which PyTorch has too.
const COEFFICIENTS: [f64; 3] = [3.4445, -4.775, 2.0315];

/// The smallest norm that a matrix is divided by, as in PyTorch.
const SMALLEST_NORM: f64 = 1e-7;

/// The plain body of [`Kernels::muon`](crate::Kernels::muon), in the arithmetic of `torch.optim.Muon`, but in the number format of the
/// tensors. PyTorch computes the iteration in bfloat16.
pub fn muon<B: Backend>(
    parameter: Tensor<B, 2>,
    gradient: Tensor<B, 2>,
    mean: Tensor<B, 2>,
    step: &MuonStep,
) -> (Tensor<B, 2>, Tensor<B, 2>) {
    let gradient = gradient_of_step(gradient, &parameter, step.gradient_scale, 0.0);
    let mean = mean.clone() + (gradient.clone() - mean) * (1.0 - step.momentum);
    let update = match step.nesterov {
        true => gradient.clone() + (mean.clone() - gradient) * step.momentum,
        false => mean.clone(),
    };
    let update = orthogonal(update, step.iterations);
    let decayed = match step.weight_decay == 0.0 {
        true => parameter,
        false => parameter * (1.0 - step.rate * step.weight_decay),
    };
    (decayed - update * step.adjusted_rate, mean)
}

/// A matrix with about the singular vectors of `x`, whose singular values are about 1 (from 0.7 to 1.2): `x`
/// divided by its Frobenius norm, after a number of Newton–Schulz iterations.
fn orthogonal<B: Backend>(x: Tensor<B, 2>, iterations: usize) -> Tensor<B, 2> {
    let [rows, columns] = x.dims();
    // The iteration computes products of `[rows, rows]`, so the shorter axis comes first.
    let is_tall = rows > columns;
    let x = match is_tall {
        true => x.transpose(),
        false => x,
    };
    let norm = x.clone().square().sum().sqrt();
    let mut x = x / norm.clamp_min(SMALLEST_NORM).reshape([1, 1]);
    let [a, b, c] = COEFFICIENTS;
    for _ in 0..iterations {
        let gram = x.clone().matmul(x.clone().transpose());
        let polynomial = gram.clone() * b + gram.clone().matmul(gram) * c;
        x = x.clone() * a + polynomial.matmul(x);
    }
    match is_tall {
        true => x.transpose(),
        false => x,
    }
}
