//! Functions and sums that a compiler turns into vector instructions. In: numbers. Out: numbers.
//!
//! Loops over them run inside [`with_vectors`], which is compiled once for each width of vectors.

/// Number of partial sums of a reduction. It is fixed, so a sum is the same with any width of vectors.
const LANES: usize = 32;

/// Runs a loop with the widest vectors of the processor.
#[inline(always)]
pub(crate) fn with_vectors<R>(f: impl FnOnce() -> R) -> R {
    struct Run<F>(F);
    impl<R, F: FnOnce() -> R> pulp::NullaryFnOnce for Run<F> {
        type Output = R;
        #[inline(always)]
        fn call(self) -> R {
            (self.0)()
        }
    }
    pulp::Arch::new().dispatch(Run(f))
}

/// `e^x` with a relative error of about 1e-7. 0 below −87.3, where the result would not be a normal number;
/// above 88 the result of 88.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    // e^x = 2^n e^r with n = round(x / ln 2) and |r| ≤ ln 2 / 2. Adding ROUND moves n to the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 in two parts, so that n ln 2 is exact in the first.
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let clamped = x.clamp(-87.3, 88.0);
    let shifted = clamped.mul_add(std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = n.mul_add(-LN2_HIGH, clamped);
    let r = n.mul_add(-LN2_LOW, r);
    // The Taylor polynomial of e^r to r⁷ / 7!, whose error is below half a bit here.
    let mut p = 1.0 / 5040.0;
    p = r.mul_add(p, 1.0 / 720.0);
    p = r.mul_add(p, 1.0 / 120.0);
    p = r.mul_add(p, 1.0 / 24.0);
    p = r.mul_add(p, 1.0 / 6.0);
    p = r.mul_add(p, 0.5);
    p = r.mul_add(p, 1.0);
    p = r.mul_add(p, 1.0);
    let value = f32::from_bits(p.to_bits().wrapping_add(shifted.to_bits() << 23));
    if x < -87.3 { 0.0 } else { value }
}

/// The logistic function `1 / (1 + e^−x)`.
#[inline(always)]
pub(crate) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// `Σ f(x)`.
#[inline(always)]
pub(crate) fn sum(xs: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0; LANES];
    let mut chunks = xs.chunks_exact(LANES);
    for chunk in &mut chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane += f(x);
        }
    }
    for (lane, &x) in lanes.iter_mut().zip(chunks.remainder()) {
        *lane += f(x);
    }
    total(lanes)
}

/// `Σ f(x, y)`. Both have the same length.
#[inline(always)]
pub(crate) fn sum_pairs(xs: &[f32], ys: &[f32], f: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [0.0; LANES];
    let mut chunks = xs.chunks_exact(LANES);
    let mut other_chunks = ys.chunks_exact(LANES);
    for (chunk, other) in (&mut chunks).zip(&mut other_chunks) {
        for i in 0..LANES {
            lanes[i] += f(chunk[i], other[i]);
        }
    }
    let rest = chunks.remainder().iter().zip(other_chunks.remainder());
    for (lane, (&x, &y)) in lanes.iter_mut().zip(rest) {
        *lane += f(x, y);
    }
    total(lanes)
}

/// The largest number, `−∞` if there is none.
#[inline(always)]
pub(crate) fn max(xs: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let mut chunks = xs.chunks_exact(LANES);
    for chunk in &mut chunks {
        for (lane, &x) in lanes.iter_mut().zip(chunk) {
            *lane = if x > *lane { x } else { *lane };
        }
    }
    let lanes = lanes.iter().chain(chunks.remainder());
    lanes.fold(f32::NEG_INFINITY, |a, &b| if b > a { b } else { a })
}

/// Adds the partial sums, halves onto halves.
#[inline(always)]
fn total(mut lanes: [f32; LANES]) -> f32 {
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            lanes[i] += lanes[i + width];
        }
        width /= 2;
    }
    lanes[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_has_the_precision_of_float32() {
        let mut x = -87.0_f32;
        while x < 88.0 {
            let expected = f64::from(x).exp();
            let error = (f64::from(exp(x)) / expected - 1.0).abs();
            assert!(error < 2e-7, "exp({x}) is off by {error}");
            x += 0.0137;
        }
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn sums_and_maxima_take_every_value() {
        for n in [0, 1, 31, 32, 33, 100] {
            let xs: Vec<f32> = (1..=n).map(|i| i as f32).collect();
            let expected = (n * (n + 1) / 2) as f32;
            assert_eq!(sum(&xs, |x| x), expected);
            assert_eq!(sum_pairs(&xs, &xs, |x, _| x), expected);
            assert_eq!(max(&xs), if n == 0 { f32::NEG_INFINITY } else { n as f32 });
        }
    }
}
