//! Inputs of operations that are not tensors: settings of attention and of an AdamW step, and rotary tables.
//! In: numbers of a configuration or of a plan. Out: one value that an operation takes.

use burn::tensor::Tensor;
use burn::tensor::backend::{AutodiffBackend, Backend};

/// How attention scores are made from queries and keys.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoreRule {
    /// A score is this factor times the product of query and key.
    pub scale: f64,
    /// If it is given, a score `s` becomes `softcap · tanh(s / softcap)`.
    pub softcap: Option<f64>,
}

/// The settings of one AdamW step (Loshchilov & Hutter 2019, algorithm 2).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamWStep {
    /// Number of this step, from 1, for the bias correction.
    pub step: u64,
    /// Learning rate.
    pub rate: f64,
    /// Decay of the running mean of the gradient.
    pub beta1: f64,
    /// Decay of the running mean of the squared gradient.
    pub beta2: f64,
    /// Added to the denominator.
    pub epsilon: f64,
    /// Decoupled weight decay of this parameter; 0 for none.
    pub weight_decay: f64,
    /// The gradient is multiplied by this factor first, which clips it; 1 changes nothing.
    pub gradient_scale: f64,
}

impl AdamWStep {
    /// The corrections of the two moments for their start at zero: `1 − β₁ᵗ` and `√(1 − β₂ᵗ)`.
    pub fn corrections(&self) -> (f64, f64) {
        let t = self.step as f64;
        let first = 1.0 - self.beta1.powf(t);
        let second = (1.0 - self.beta2.powf(t)).sqrt();
        (first, second)
    }
}

/// Cosines and sines of the angles of a batch, times the amplitude of the rope.
#[derive(Clone, Debug)]
pub struct Rotary<B: Backend> {
    /// `[rows or 1, 1, tokens, head_dim / 2]`. With one row, all rows have the same positions.
    pub cos: Tensor<B, 4>,
    /// The same shape.
    pub sin: Tensor<B, 4>,
}

impl<B: Backend> Rotary<B> {
    /// The rotation in the other direction. The gradient of a rotation is rotated by it.
    #[must_use]
    pub fn reversed(self) -> Self {
        Self {
            cos: self.cos,
            sin: self.sin.neg(),
        }
    }
}

impl<B: AutodiffBackend> Rotary<B> {
    /// The same tables on the backend without gradients.
    pub(super) fn inner(&self) -> Rotary<B::InnerBackend> {
        Rotary {
            cos: self.cos.clone().inner(),
            sin: self.sin.clone().inner(),
        }
    }
}
