//! Functions whose value and derivative are both known in closed form, exact to the last digits
//! on every backend.
//!
//! Burn's autodiff differentiates `log`, `log1p` and division through a reciprocal, which its
//! ndarray backend takes from the processor's 12-bit approximation; a composition of them is off
//! by 1e-4 in its gradient. So the derivative is written down here, and no graph runs through the
//! logarithms: less memory as well.

use burn::tensor::{Tensor, backend::Backend};

/// The largest mean log-prob whose odds are finite in f32; an answer of probability 1 has none.
const LARGEST_MEAN: f64 = -1e-6;

/// `f(x)` as a function of `x` with the given value and derivative there.
fn with_slope<B: Backend>(
    x: Tensor<B, 2>,
    value: Tensor<B, 2>,
    slope: Tensor<B, 2>,
) -> Tensor<B, 2> {
    // x − sg(x) is zero, its derivative one
    value + slope * (x.clone() - x.detach())
}

/// `log σ(x) = min(x, 0) − log(1 + e^{−|x|})`, finite for every finite `x`; its derivative is
/// `σ(−x)`, which is `e^{−|x|}` or 1, by the sign of `x`, over `1 + e^{−|x|}`.
pub(crate) fn log_sigmoid<B: Backend>(x: Tensor<B, 2>) -> Tensor<B, 2> {
    let at = x.clone().detach();
    let e = at.clone().abs().neg().exp();
    let value = at.clone().clamp_max(0.0) - e.clone().log1p();
    let slope = e.clone().mask_fill(at.lower_elem(0.0), 1.0) / (e + 1.0);
    with_slope(x, value, slope)
}

/// `log(p/(1−p)) = a − log(1 − e^a)` for a mean log-prob `a = log p < 0`; its derivative is
/// `1/(1 − e^a)`. The difference is taken as `1 − e^a = tanh(−a/2) (1 + e^a)`, which keeps its
/// digits where `e^a` is nearly 1.
pub(crate) fn log_odds<B: Backend>(mean: Tensor<B, 2>) -> Tensor<B, 2> {
    let mean = mean.clamp_max(LARGEST_MEAN);
    let at = mean.clone().detach();
    let complement = (at.clone() * -0.5).tanh() * (at.clone().exp() + 1.0);
    let value = at - complement.clone().log();
    let slope = complement.ones_like() / complement;
    with_slope(mean, value, slope)
}
