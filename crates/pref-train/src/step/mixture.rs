//! The optimal weight `α` of BVPO's two sets. In: the gradients of groups of rows of each set. Out: the mixed gradients,
//! and estimates of bias and variance.
//!
//! The rows that a step draws from each set are divided into groups. The spread of the gradients of the groups estimates
//! how much the gradient of the step varies, and the distance of the means of both sets how far they are apart. The
//! target is the expected gradient of the pairs with traces, so these have no bias.

use pref_core::GradientMoments;
use pref_model::Kernels;
use serde::{Deserialize, Serialize};

use super::gradients::NamedGradients;
use crate::metrics::MixtureRecord;

/// Most groups of a step. More groups give better estimates, and smaller forward passes.
pub(super) const MOST_GROUPS: usize = 8;
/// How much of the averages over earlier steps is kept in each step.
const KEPT: f64 = 0.9;
/// The weight before the first estimate, and the one of the paper's experiments.
pub(crate) const FIRST_ALPHA: f64 = 0.5;

/// Averages of the estimates of the steps so far. Later steps count more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct AlphaEstimate {
    /// The sum of the weights of all steps.
    weight: f64,
    sums: Moments,
}

/// Estimates for the mean gradients of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Moments {
    /// `‖b_e‖²`, without bias; a single estimate can be below 0.
    squared_bias: f64,
    variance_trace: f64,
    variance_empty: f64,
    covariance: f64,
}

impl AlphaEstimate {
    fn add(&mut self, new: Moments) {
        let mix = |old: f64, new: f64| KEPT * old + (1.0 - KEPT) * new;
        self.weight = mix(self.weight, 1.0);
        let sums = &mut self.sums;
        sums.squared_bias = mix(sums.squared_bias, new.squared_bias);
        sums.variance_trace = mix(sums.variance_trace, new.variance_trace);
        sums.variance_empty = mix(sums.variance_empty, new.variance_empty);
        sums.covariance = mix(sums.covariance, new.covariance);
    }

    /// The averages, with `α*`. None before the first estimate.
    pub(crate) fn record(&self) -> Option<MixtureRecord> {
        if self.weight <= 0.0 {
            return None;
        }
        let mean = |sum: f64| sum / self.weight;
        let bias = mean(self.sums.squared_bias).max(0.0).sqrt();
        let variance_trace = mean(self.sums.variance_trace).max(0.0);
        let variance_empty = mean(self.sums.variance_empty).max(0.0);
        let covariance = mean(self.sums.covariance);
        let moments =
            GradientMoments::new(&[0.0], &[bias], variance_trace, variance_empty, covariance);
        Some(MixtureRecord {
            alpha: moments.optimal_alpha(),
            bias,
            variance_trace,
            variance_empty,
            covariance,
        })
    }

    /// `α*` of the steps so far.
    pub(crate) fn alpha(&self) -> f64 {
        self.record().map_or(FIRST_ALPHA, |record| record.alpha)
    }
}

/// Sums over the groups of a step.
pub(super) struct Groups<B: Kernels> {
    n: usize,
    trace: NamedGradients<B>,
    empty: NamedGradients<B>,
    square_trace: f64,
    square_empty: f64,
    product: f64,
}

impl<B: Kernels> Groups<B> {
    pub(super) fn new() -> Self {
        Self {
            n: 0,
            trace: NamedGradients::default(),
            empty: NamedGradients::default(),
            square_trace: 0.0,
            square_empty: 0.0,
            product: 0.0,
        }
    }

    /// Adds the mean gradients of a group of each set. `weights` are the shares of the group's rows in the rows of the
    /// step.
    pub(super) fn add(
        &mut self,
        trace: NamedGradients<B>,
        empty: NamedGradients<B>,
        weights: [f64; 2],
    ) {
        let [of_trace, of_empty] = weights;
        self.n += 1;
        self.square_trace += of_trace * trace.dot(&trace);
        self.square_empty += of_empty * empty.dot(&empty);
        self.product += (of_trace + of_empty) / 2.0 * trace.dot(&empty);
        self.trace.add_scaled(trace, of_trace);
        self.empty.add_scaled(empty, of_empty);
    }

    /// The mixed gradients. The estimates of this step are added to `estimate` first.
    pub(super) fn mixed(self, estimate: &mut AlphaEstimate) -> NamedGradients<B> {
        if self.n > 1 {
            let (tt, ee) = (self.trace.dot(&self.trace), self.empty.dot(&self.empty));
            let te = self.trace.dot(&self.empty);
            let of_mean = |mean: f64, of_means: f64| (mean - of_means) / (self.n - 1) as f64;
            let variance_trace = of_mean(self.square_trace, tt);
            let variance_empty = of_mean(self.square_empty, ee);
            let covariance = of_mean(self.product, te);
            let noise = variance_trace + variance_empty - 2.0 * covariance;
            estimate.add(Moments {
                squared_bias: tt + ee - 2.0 * te - noise,
                variance_trace,
                variance_empty,
                covariance,
            });
        }
        let alpha = estimate.alpha();
        let mut mixed = NamedGradients::default();
        mixed.add_scaled(self.trace, alpha);
        mixed.add_scaled(self.empty, 1.0 - alpha);
        mixed
    }
}

/// Divides rows into `n` groups by their place: rows that were drawn next to each other are in different groups.
pub(super) fn divided(rows: &[usize], n: usize) -> Vec<Vec<usize>> {
    let of = |group: usize| rows.iter().skip(group).step_by(n).copied().collect();
    (0..n).map(of).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

    use super::*;

    #[test]
    fn rows_are_in_one_group_each() {
        assert_eq!(divided(&[5, 6, 7, 8, 9], 2), [vec![5, 7, 9], vec![6, 8]]);
    }

    #[test]
    fn the_first_step_counts_alone_and_later_ones_more() {
        let mut estimate = AlphaEstimate::default();
        assert_eq!(estimate.alpha(), FIRST_ALPHA);
        let moments = |variance_trace, variance_empty| Moments {
            squared_bias: 0.0,
            variance_trace,
            variance_empty,
            covariance: 0.0,
        };
        estimate.add(moments(3.0, 1.0));
        assert!((estimate.alpha() - 0.25).abs() < 1e-12);
        estimate.add(moments(1.0, 1.0));
        // Weights 0.9 and 1 of the two steps.
        let trace = (0.9 * 3.0 + 1.0) / 1.9;
        assert!((estimate.alpha() - 1.0 / (1.0 + trace)).abs() < 1e-12);
    }
}
