//! The extension trait of backends. In: tensors on a device. Out: the results of one operation.

use burn::tensor::{Int, Tensor, backend::Backend};

use super::adamw::{self, AdamWStep};
use super::attention::attention;
use super::gate::gated;
use super::log_probs::{head_logits, token_log_probs};
use super::norm::rms_norm;
use super::rotary::Rotary;
use super::visibility::Visibility;
use crate::config::Activation;

/// A backend with the operations of a decoder and of its optimiser.
///
/// Every method has a body in plain Burn operations, so `impl Kernels for MyBackend {}` is enough. An
/// override must give the same values and the same gradients.
pub trait Kernels: Backend {
    /// Attention of grouped queries: `softmax(Q Kᵀ) V` over the tokens that each token sees.
    ///
    /// With `softcap`, a score `s` becomes `softcap · tanh(s / softcap)`.
    ///
    /// # Shapes
    /// `queries` is `[rows, heads, tokens, head_dim]`, already scaled; `keys` and `values` are
    /// `[rows, kv_heads, before + tokens, head_dim]`, where `heads` is a multiple of `kv_heads`. The
    /// result has the shape of `queries`.
    fn causal_attention(
        queries: Tensor<Self, 4>,
        keys: Tensor<Self, 4>,
        values: Tensor<Self, 4>,
        visibility: &Visibility<Self>,
        softcap: Option<f64>,
    ) -> Tensor<Self, 4> {
        attention(queries, keys, values, visibility, softcap)
    }

    /// Root mean square normalisation of the last axis: `x / √(mean x² + ε) · w` (Zhang & Sennrich
    /// 2019, eq. 4).
    ///
    /// # Shapes
    /// `x` is `[…, width]` and `weight` is `[width]`.
    fn rms_norm<const D: usize>(
        x: Tensor<Self, D>,
        weight: Tensor<Self, 1>,
        epsilon: f64,
    ) -> Tensor<Self, D> {
        rms_norm(x, weight, epsilon)
    }

    /// Rotary position embedding in Hugging Face's layout: channel `i` rotates with channel
    /// `i + head_dim / 2`.
    ///
    /// # Shapes
    /// `x` is `[rows, heads, tokens, head_dim]`.
    fn rotary(x: Tensor<Self, 4>, rotary: &Rotary<Self>) -> Tensor<Self, 4> {
        rotary.rotate(x)
    }

    /// The product in the middle of a gated MLP: `activation(gate) · up`.
    ///
    /// # Shapes
    /// `gate` and `up` are `[n, intermediate]`.
    fn gated(
        gate: Tensor<Self, 2>,
        up: Tensor<Self, 2>,
        activation: Activation,
    ) -> Tensor<Self, 2> {
        gated(gate, up, activation)
    }

    /// `log softmax(logits)[target]` of each row, nats, where the logits are `hidden · headᵀ`, with
    /// `cap · tanh(logits / cap)` if there is a `softcap`.
    ///
    /// # Shapes
    /// `hidden` is `[n, hidden]`, `head` is `[vocab, hidden]`, `targets` and the result are `[n]`.
    fn target_log_probs(
        hidden: Tensor<Self, 2>,
        head: Tensor<Self, 2>,
        softcap: Option<f64>,
        targets: Tensor<Self, 1, Int>,
    ) -> Tensor<Self, 1> {
        token_log_probs(head_logits(hidden, head, softcap), targets)
    }

    /// One AdamW update of a parameter and of its two moments: the running means of the gradient and
    /// of its square.
    ///
    /// # Shapes
    /// All are flat, `[elements]`.
    fn adamw(
        parameter: Tensor<Self, 1>,
        gradient: Tensor<Self, 1>,
        moments: [Tensor<Self, 1>; 2],
        step: &AdamWStep,
    ) -> (Tensor<Self, 1>, [Tensor<Self, 1>; 2]) {
        adamw::adamw(parameter, gradient, moments, step)
    }
}
