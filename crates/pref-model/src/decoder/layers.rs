//! The parts of a decoder layer. In: hidden states. Out: hidden states.
//!
//! Fields have the names of Hugging Face's tensors, so the path of a parameter in the module is its
//! name in the file. Weights are `[out, in]`, as they are stored.

use burn::module::{Module, Param};
use burn::tensor::{Tensor, backend::Backend};

use crate::config::Config;
use crate::kernels::{Kernels, in_format, wide};
use crate::lora::Adapter;

/// `y = x Wᵀ + b`. With an adapter, `W` is frozen, and the adapter adds a low-rank update to it.
#[derive(Module, Debug)]
pub(super) struct Linear<B: Backend> {
    pub(super) weight: Param<Tensor<B, 2>>,
    pub(super) bias: Option<Param<Tensor<B, 1>>>,
    pub(super) lora: Option<Adapter<B>>,
}

impl<B: Kernels> Linear<B> {
    /// `[n, in]` to `[n, out]`. All rows and tokens are one axis, so that this is one large matrix product.
    pub(super) fn forward(&self, x: Tensor<B, 2>) -> Tensor<B, 2> {
        let weight = self.weight.val();
        let y = B::project(x.clone(), weight.clone());
        let y = match &self.lora {
            Some(adapter) => adapter.apply(x, y, &weight),
            None => y,
        };
        self.with_bias(y)
    }

    /// [`forward`](Self::forward) for one token of each text, where no row depends on the others.
    pub(super) fn step(&self, x: Tensor<B, 2>) -> Tensor<B, 2> {
        let weight = self.weight.val();
        let y = B::project_rows(x.clone(), weight.clone());
        let y = match &self.lora {
            Some(adapter) => adapter.apply_to_rows(x, y, &weight),
            None => y,
        };
        self.with_bias(y)
    }

    fn with_bias(&self, y: Tensor<B, 2>) -> Tensor<B, 2> {
        match &self.bias {
            Some(bias) => {
                let format = y.dtype();
                // In float32, so that the bias's gradient is a sum in float32.
                in_format(wide(y) + bias.val().unsqueeze(), format)
            }
            None => y,
        }
    }
}

/// A table of embeddings, `[vocab, hidden]`.
#[derive(Module, Debug)]
pub(super) struct Embedding<B: Backend> {
    pub(super) weight: Param<Tensor<B, 2>>,
}

/// Root mean square normalisation over the last axis.
#[derive(Module, Debug)]
pub(super) struct Norm<B: Backend> {
    pub(super) weight: Param<Tensor<B, 1>>,
}

impl<B: Kernels> Norm<B> {
    /// `x / √(mean x² + ε) · w`. In Gemma the factor is `1 + w`.
    pub(super) fn forward<const D: usize>(&self, x: Tensor<B, D>, config: &Config) -> Tensor<B, D> {
        let weight = self.weight.val();
        let weight = match config.architecture.is_gemma() {
            true => weight + 1.0,
            false => weight,
        };
        let shape = x.dims();
        let width = shape[D - 1];
        let rows = x.reshape([-1, width as i32]);
        B::rms_norm(rows, weight, config.norm_eps).reshape(shape)
    }
}

/// The gated feed-forward block.
#[derive(Module, Debug)]
pub(super) struct Mlp<B: Backend> {
    pub(super) gate_proj: Linear<B>,
    pub(super) up_proj: Linear<B>,
    pub(super) down_proj: Linear<B>,
}

impl<B: Kernels> Mlp<B> {
    /// `[n, hidden]` to `[n, hidden]`.
    pub(super) fn forward(&self, x: Tensor<B, 2>, config: &Config) -> Tensor<B, 2> {
        let gate = self.gate_proj.forward(x.clone());
        let up = self.up_proj.forward(x);
        self.down_proj
            .forward(B::gated(gate, up, config.activation))
    }

    /// [`forward`](Self::forward) for one token of each text.
    pub(super) fn step(&self, x: Tensor<B, 2>, config: &Config) -> Tensor<B, 2> {
        let gate = self.gate_proj.step(x.clone());
        let up = self.up_proj.step(x);
        self.down_proj.step(B::gated(gate, up, config.activation))
    }
}
