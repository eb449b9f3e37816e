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

/// The settings of one step of AdamW (Loshchilov & Hutter 2019, algorithm 2) or Adam (Kingma & Ba 2015).
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
    /// Adam's weight decay: this times the parameter is added to the gradient; 0 for none.
    pub l2: f64,
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

/// The settings of one step of stochastic gradient descent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SgdStep {
    /// Learning rate.
    pub rate: f64,
    /// The velocity is multiplied by this factor before the gradient is added to it.
    pub momentum: f64,
    /// Whether the step is `gradient + momentum · velocity` (Nesterov) in place of the velocity.
    pub nesterov: bool,
    /// This times the parameter is added to the gradient; 0 for none.
    pub l2: f64,
    /// The gradient is multiplied by this factor first, which clips it; 1 changes nothing.
    pub gradient_scale: f64,
}

/// The settings of one step of Muon (Jordan et al. 2024).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MuonStep {
    /// Learning rate of the weight decay.
    pub rate: f64,
    /// Learning rate of the update, which depends on the shape of the parameter.
    pub adjusted_rate: f64,
    /// Decay of the running mean of the gradient.
    pub momentum: f64,
    /// Whether the mean of the gradient and the running mean is made orthogonal, in place of the running mean.
    pub nesterov: bool,
    /// Number of Newton–Schulz iterations.
    pub iterations: usize,
    /// Decoupled weight decay of this parameter; 0 for none.
    pub weight_decay: f64,
    /// The gradient is multiplied by this factor first, which clips it; 1 changes nothing.
    pub gradient_scale: f64,
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
