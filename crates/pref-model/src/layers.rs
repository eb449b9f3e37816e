//! The pieces of a decoder layer. Field names are those of Hugging Face's tensors, so that a
//! parameter's path in the module is its name in the file. Weights are `[out, in]`, as stored.

use burn::module::{Module, Param};
use burn::tensor::{
    Tensor,
    activation::{gelu_approximate, silu},
    backend::Backend,
};

use crate::config::{Activation, Config};

/// `y = x Wᵀ + b`.
#[derive(Module, Debug)]
pub(crate) struct Linear<B: Backend> {
    pub(crate) weight: Param<Tensor<B, 2>>,
    pub(crate) bias: Option<Param<Tensor<B, 1>>>,
}

impl<B: Backend> Linear<B> {
    /// `[n, in]` to `[n, out]`. Two-dimensional, so that the product is one large one.
    pub(crate) fn forward(&self, x: Tensor<B, 2>) -> Tensor<B, 2> {
        let y = x.matmul(self.weight.val().transpose());
        match &self.bias {
            Some(bias) => y + bias.val().unsqueeze(),
            None => y,
        }
    }
}

/// A table of embeddings, `[vocab, hidden]`.
#[derive(Module, Debug)]
pub(crate) struct Embedding<B: Backend> {
    pub(crate) weight: Param<Tensor<B, 2>>,
}

/// Root mean square normalisation over the last axis.
#[derive(Module, Debug)]
pub(crate) struct Norm<B: Backend> {
    pub(crate) weight: Param<Tensor<B, 1>>,
}

impl<B: Backend> Norm<B> {
    /// `x / √(mean x² + ε) · w`, with `1 + w` for `w` in Gemma.
    pub(crate) fn forward<const D: usize>(&self, x: Tensor<B, D>, config: &Config) -> Tensor<B, D> {
        let weight = self.weight.val();
        let weight = match config.architecture.is_gemma() {
            true => weight + 1.0,
            false => weight,
        };
        let mean_square = x.clone().square().mean_dim(D - 1);
        // a power, because a division's gradient goes through an approximate reciprocal on ndarray
        let scale = (mean_square + config.norm_eps).powf_scalar(-0.5);
        x * scale * weight.unsqueeze()
    }
}

/// The gated feed-forward block.
#[derive(Module, Debug)]
pub(crate) struct Mlp<B: Backend> {
    pub(crate) gate_proj: Linear<B>,
    pub(crate) up_proj: Linear<B>,
    pub(crate) down_proj: Linear<B>,
}

impl<B: Backend> Mlp<B> {
    /// `[n, hidden]` to `[n, hidden]`.
    pub(crate) fn forward(&self, x: Tensor<B, 2>, config: &Config) -> Tensor<B, 2> {
        let gate = self.gate_proj.forward(x.clone());
        let gate = match config.activation {
            Activation::Silu => silu(gate),
            Activation::GeluTanh => gelu_approximate(gate),
        };
        self.down_proj.forward(gate * self.up_proj.forward(x))
    }
}
