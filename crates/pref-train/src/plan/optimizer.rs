//! The optimisers of a plan. In: names, as Pref or `transformers` writes them. Out: closed enums.

use serde::{Deserialize, Serialize};

/// How gradients change the weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OptimizerKind {
    /// Adam with decoupled weight decay (Loshchilov & Hutter 2019, algorithm 2), as `torch.optim.AdamW`.
    #[serde(
        rename = "adamw",
        alias = "adamw_torch",
        alias = "adamw_torch_fused",
        alias = "adamw_hf"
    )]
    AdamW,
    /// Adam (Kingma & Ba 2015, algorithm 1) with the weight decay in the gradient, as `torch.optim.Adam`.
    Adam,
    /// Stochastic gradient descent with the weight decay in the gradient, as `torch.optim.SGD`.
    Sgd,
    /// Muon (Jordan et al. 2024), as `torch.optim.Muon`, for weights with two axes. AdamW, with the same
    /// learning rate, for embeddings, heads and parameters with one axis.
    Muon,
}

impl OptimizerKind {
    /// Its name in a plan.
    pub fn name(self) -> &'static str {
        match self {
            OptimizerKind::AdamW => "adamw",
            OptimizerKind::Adam => "adam",
            OptimizerKind::Sgd => "sgd",
            OptimizerKind::Muon => "muon",
        }
    }
}

/// How the learning rate of Muon depends on the shape `[out, in]` of a weight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MuonRate {
    /// Times `0.2 √max(out, in)`, so that an update has about the size of an update by AdamW (Liu et al.
    /// 2025, "Muon is scalable for LLM training", eq. 4).
    #[default]
    #[serde(alias = "match_rms_adamw")]
    MatchRmsAdamw,
    /// Times `√max(1, out / in)`, the default of `torch.optim.Muon`.
    Original,
    /// Times `√(out / in)`.
    #[serde(alias = "spectral_unclamped")]
    SpectralUnclamped,
}

impl MuonRate {
    /// The factor of the learning rate of a weight of the shape `[out, in]`.
    pub fn factor(self, [n_out, n_in]: [usize; 2]) -> f64 {
        let (n_out, n_in) = (n_out as f64, n_in as f64);
        match self {
            MuonRate::MatchRmsAdamw => 0.2 * n_out.max(n_in).sqrt(),
            MuonRate::Original => (n_out / n_in).max(1.0).sqrt(),
            MuonRate::SpectralUnclamped => (n_out / n_in).sqrt(),
        }
    }
}
