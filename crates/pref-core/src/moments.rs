//! Bias and variance of two gradient estimates, and the mixture of them with the least error.
//! In: numbers, or sampled gradients. Out: BVPO's `α*`.

use burn::tensor::{ElementConversion, Tensor, backend::Backend};

/// First and second moments of the gradients with traces, `g_t`, and with emptied ones, `g_e`,
/// against the gradient that both estimate.
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
    /// From the biases `b_t`, `b_e` to the target gradient, and the traces `V_t`, `V_e`, `C` of
    /// the covariance matrices.
    ///
    /// # Panics
    /// If the biases are not of one length, or a variance is negative or no number.
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
            "both biases must have one entry a parameter"
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

    /// From gradients of several batches with each of the two sets, and the gradient they should
    /// estimate. Sample `i` of both comes from the same prompts.
    ///
    /// # Shapes
    /// `trace`, `empty`: `[samples, parameters]`; `target`: `[parameters]`.
    ///
    /// # Panics
    /// If the shapes do not fit, or there are fewer than two samples, which have no variance.
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
            "the target must have one entry a parameter"
        );
        assert!(
            samples >= 2,
            "{samples} samples have no variance; take at least 2"
        );
        let target = target.reshape([1, parameters]);
        let mean_t = trace.clone().mean_dim(0);
        let mean_e = empty.clone().mean_dim(0);
        let around_t = trace - mean_t.clone();
        let around_e = empty - mean_e.clone();
        let (b_t, b_e) = (mean_t - target.clone(), mean_e - target);
        let dot = |a: &Tensor<B, 2>, b: &Tensor<B, 2>| -> f64 {
            (a.clone() * b.clone()).sum().into_scalar().elem()
        };
        let unbiased = 1.0 / (samples - 1) as f64;
        Self {
            trace_bias: dot(&b_t, &b_t),
            empty_bias: dot(&b_e, &b_e),
            bias_product: dot(&b_t, &b_e),
            trace_variance: dot(&around_t, &around_t) * unbiased,
            empty_variance: dot(&around_e, &around_e) * unbiased,
            covariance: dot(&around_t, &around_e) * unbiased,
        }
    }

    /// `‖αb_t + (1−α)b_e‖² + α²V_t + (1−α)²V_e + 2α(1−α)C`: the mean squared error of the mixture.
    pub fn error(&self, alpha: f64) -> f64 {
        let rest = 1.0 - alpha;
        alpha * alpha * (self.trace_bias + self.trace_variance)
            + rest * rest * (self.empty_bias + self.empty_variance)
            + 2.0 * alpha * rest * (self.bias_product + self.covariance)
    }

    /// `α* = (‖b_e‖² − b_t·b_e + V_e − C) / (‖b_t − b_e‖² + V_t + V_e − 2C)`, within `[0, 1]`:
    /// where [`error`](Self::error) is least. Half where no mixture differs from another.
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
