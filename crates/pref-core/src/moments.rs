//! Bias and variance of two gradient estimates, for BVPO. In: biases and variances, or sampled
//! gradients. Out: the mixture of the two estimates with the least mean squared error, `α*`.

use burn::tensor::{ElementConversion, Tensor, backend::Backend};

/// Bias and variance of two estimates of one gradient: `g_t` from pairs with reasoning traces,
/// `g_e` from pairs with emptied traces (Bias-Variance Optimized Preference Optimization).
///
/// ```
/// use pref_core::GradientMoments;
/// let moments = GradientMoments::new(&[0.1, 0.0], &[0.4, 0.3], 2.0, 0.5, 0.2);
/// let alpha = moments.optimal_alpha();
/// assert!((alpha - 0.2236842).abs() < 1e-7);
/// assert!((moments.error(alpha) - 0.6359211).abs() < 1e-7);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GradientMoments {
    /// `‖b_t‖²`.
    trace_bias: f64,
    /// `‖b_e‖²`.
    empty_bias: f64,
    /// `b_t · b_e`.
    bias_product: f64,
    /// `V_t`.
    trace_variance: f64,
    /// `V_e`.
    empty_variance: f64,
    /// `C`.
    covariance: f64,
}

impl GradientMoments {
    /// Moments from known biases and variances.
    ///
    /// `trace_bias` and `empty_bias` are `b_t` and `b_e`, the differences between the expected
    /// estimate and the target gradient, with one entry for each parameter. `trace_variance`,
    /// `empty_variance` and `covariance` are `V_t`, `V_e` and `C`, the traces of the covariance
    /// matrices.
    ///
    /// # Panics
    /// If the biases differ in length, or a variance is negative or NaN.
    pub fn new(
        trace_bias: &[f64],
        empty_bias: &[f64],
        trace_variance: f64,
        empty_variance: f64,
        covariance: f64,
    ) -> Self {
        assert_eq!(
            trace_bias.len(),
            empty_bias.len(),
            "both biases must have one entry for each parameter"
        );
        assert!(
            trace_variance >= 0.0 && empty_variance >= 0.0,
            "variances must be at least 0, found {trace_variance} and {empty_variance}"
        );
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum();
        Self {
            trace_bias: dot(trace_bias, trace_bias),
            empty_bias: dot(empty_bias, empty_bias),
            bias_product: dot(trace_bias, empty_bias),
            trace_variance,
            empty_variance,
            covariance,
        }
    }

    /// Moments estimated from the gradients of several batches of each set, and from the target
    /// gradient. Row `i` of both sets must come from the same prompts.
    ///
    /// # Shapes
    /// `trace` and `empty` are `[samples, parameters]`, `target` is `[parameters]`.
    ///
    /// # Panics
    /// If the shapes do not fit, or there are fewer than two samples, from which no variance can be
    /// estimated.
    pub fn from_samples<B: Backend>(
        trace: Tensor<B, 2>,
        empty: Tensor<B, 2>,
        target: Tensor<B, 1>,
    ) -> Self {
        let [samples, parameters] = trace.dims();
        assert_eq!(
            empty.dims(),
            [samples, parameters],
            "both sets must have gradients of the same [samples, parameters]"
        );
        assert_eq!(
            target.dims(),
            [parameters],
            "the target must have one entry for each parameter"
        );
        assert!(
            samples >= 2,
            "no variance can be estimated from {samples} samples; take at least 2"
        );
        let target = target.reshape([1, parameters]);
        let mean_t = trace.clone().mean_dim(0);
        let mean_e = empty.clone().mean_dim(0);
        let centred_t = trace - mean_t.clone();
        let centred_e = empty - mean_e.clone();
        let (b_t, b_e) = (mean_t - target.clone(), mean_e - target);
        let dot = |a: &Tensor<B, 2>, b: &Tensor<B, 2>| -> f64 {
            (a.clone() * b.clone()).sum().into_scalar().elem()
        };
        let unbiased = 1.0 / (samples - 1) as f64;
        Self {
            trace_bias: dot(&b_t, &b_t),
            empty_bias: dot(&b_e, &b_e),
            bias_product: dot(&b_t, &b_e),
            trace_variance: dot(&centred_t, &centred_t) * unbiased,
            empty_variance: dot(&centred_e, &centred_e) * unbiased,
            covariance: dot(&centred_t, &centred_e) * unbiased,
        }
    }

    /// Mean squared error of the mixture `α g_t + (1−α) g_e`, which is
    /// `‖αb_t + (1−α)b_e‖² + α²V_t + (1−α)²V_e + 2α(1−α)C`.
    pub fn error(&self, alpha: f64) -> f64 {
        let rest = 1.0 - alpha;
        alpha * alpha * (self.trace_bias + self.trace_variance)
            + rest * rest * (self.empty_bias + self.empty_variance)
            + 2.0 * alpha * rest * (self.bias_product + self.covariance)
    }

    /// The `α` from 0 to 1 with the least [`error`](Self::error):
    /// `α* = (‖b_e‖² − b_t·b_e + V_e − C) / (‖b_t − b_e‖² + V_t + V_e − 2C)`, clipped to `[0, 1]`.
    /// If the divisor is 0, every mixture has the same error and the result is 0.5.
    pub fn optimal_alpha(&self) -> f64 {
        let numerator = self.empty_bias - self.bias_product + self.empty_variance - self.covariance;
        let curvature = self.trace_bias + self.empty_bias - 2.0 * self.bias_product
            + self.trace_variance
            + self.empty_variance
            - 2.0 * self.covariance;
        if curvature > 0.0 {
            (numerator / curvature).clamp(0.0, 1.0)
        } else {
            0.5
        }
    }
}
