//! The extension trait of backends. In: tensors on a device. Out: the results of one operation, or the
//! gradients of its inputs.

use std::ops::Range;

use burn::tensor::{DType, Int, Tensor, backend::Backend};

use super::inputs::{AdamWStep, MuonStep, Rotary, ScoreRule, SgdStep};
use super::plain;
use super::texts::{KeyValues, Texts};
use super::visibility::Visibility;
use crate::config::Activation;

/// The value of [`Kernels::TOKENS_OF_A_PASS`] on the CPU backends.
pub const CPU_TOKENS_OF_A_PASS: Range<usize> = 512..2048;

/// A backend with the operations of a decoder and of its optimiser.
///
/// Every method has a body in plain Burn operations, so `impl Kernels for MyBackend {}` is enough. An
/// override must give the same values.
///
/// A method whose name ends with `_backward` gives the gradients of the inputs of an operation, from the
/// gradient of its result. `Autodiff<B>` calls it on `B`, so a backend that overrides both has the faster
/// operation in training as well.
pub trait Kernels: Backend {
    /// The smallest and the largest number of tokens of a forward pass that keep the device busy: fewer waste time
    /// at each operation, and more take memory but save no time. `None` if more tokens always save time.
    const TOKENS_OF_A_PASS: Option<Range<usize>> = None;

    /// Why this device cannot train in bfloat16 with a gain. `None` if it can.
    fn refusal_of_bf16(device: &Self::Device) -> Option<&'static str> {
        let supports = Self::supports_dtype(device, DType::BF16);
        (!supports).then_some("the device has no arithmetic in bfloat16")
    }

    /// `x Wᵀ`. If `x` is in bfloat16, the weight is rounded to it.
    ///
    /// # Shapes
    /// `x` is `[n, in]`, `weight` is `[out, in]`, the result is `[n, out]`.
    fn project(x: Tensor<Self, 2>, weight: Tensor<Self, 2>) -> Tensor<Self, 2> {
        plain::project(x, weight)
    }

    /// The gradients of `x` (if `weight` is given) and of the weight (if `x` is given).
    fn project_backward(
        x: Option<Tensor<Self, 2>>,
        weight: Option<Tensor<Self, 2>>,
        gradient: Tensor<Self, 2>,
    ) -> [Option<Tensor<Self, 2>>; 2] {
        plain::project_backward(x, weight, gradient)
    }

    /// `sum` plus the gradient of the weight. A backend can write into the tensor `sum`.
    ///
    /// # Shapes
    /// `sum` is `[out, in]`, `x` is `[n, in]` and `gradient` is `[n, out]`.
    fn project_backward_into(
        sum: Tensor<Self, 2>,
        x: Tensor<Self, 2>,
        gradient: Tensor<Self, 2>,
    ) -> Tensor<Self, 2> {
        plain::project_backward_into(sum, x, gradient)
    }

    /// `x Wᵀ` for a few rows, as in the steps of texts that are continued together. There is no gradient.
    ///
    /// An override computes each row in the same way whatever rows are beside it, so that a text does not depend on
    /// the texts that are continued with it, to the bit.
    ///
    /// # Shapes
    /// As in [`project`](Self::project).
    fn project_rows(x: Tensor<Self, 2>, weight: Tensor<Self, 2>) -> Tensor<Self, 2> {
        plain::project(x, weight)
    }

    /// Attention of one new token of each text to the tokens of its text. The keys and values of the new token are
    /// written into the cache first; a backend can write in place. There is no gradient. As in
    /// [`project_rows`](Self::project_rows), an override computes each row in the same way whatever rows are beside it.
    ///
    /// # Shapes
    /// The first three are queries, keys and values of the new tokens: `[rows, heads, head_dim]` and twice
    /// `[rows, kv_heads, head_dim]`. The result has the shape of the queries.
    fn attention_of_texts(
        new: [Tensor<Self, 3>; 3],
        cache: &mut KeyValues<Self>,
        texts: &Texts,
        window: Option<usize>,
        rule: ScoreRule,
    ) -> Tensor<Self, 3> {
        plain::attention_of_texts(new, cache, texts, window, rule)
    }

    /// Attention of grouped queries: `softmax(Q Kᵀ) V` over the tokens that each token sees.
    ///
    /// # Shapes
    /// `queries` is `[rows, heads, tokens, head_dim]`; `keys` and `values` are
    /// `[rows, kv_heads, before + tokens, head_dim]`, where `heads` is a multiple of `kv_heads`. The
    /// result has the shape of `queries`.
    fn causal_attention(
        queries: Tensor<Self, 4>,
        keys: Tensor<Self, 4>,
        values: Tensor<Self, 4>,
        visibility: &Visibility,
        rule: ScoreRule,
    ) -> Tensor<Self, 4> {
        plain::causal_attention(queries, keys, values, visibility, rule)
    }

    /// The gradients of queries, keys and values.
    fn causal_attention_backward(
        inputs: [Tensor<Self, 4>; 3],
        visibility: &Visibility,
        rule: ScoreRule,
        gradient: Tensor<Self, 4>,
    ) -> [Tensor<Self, 4>; 3] {
        plain::causal_attention_backward(inputs, visibility, rule, gradient)
    }

    /// Root mean square normalisation of each row: `x / √(mean x² + ε) · w` (Zhang & Sennrich 2019, eq. 4).
    ///
    /// # Shapes
    /// `x` is `[n, width]` and `weight` is `[width]`.
    fn rms_norm(x: Tensor<Self, 2>, weight: Tensor<Self, 1>, epsilon: f64) -> Tensor<Self, 2> {
        plain::rms_norm(x, weight, epsilon)
    }

    /// The gradients of `x` and of the weight.
    fn rms_norm_backward(
        x: Tensor<Self, 2>,
        weight: Tensor<Self, 1>,
        epsilon: f64,
        gradient: Tensor<Self, 2>,
    ) -> (Tensor<Self, 2>, Tensor<Self, 1>) {
        plain::rms_norm_backward(x, weight, epsilon, gradient)
    }

    /// Rotary position embedding in Hugging Face's layout: channel `i` rotates with channel
    /// `i + head_dim / 2`. Its gradient is the [reversed](Rotary::reversed) rotation.
    ///
    /// # Shapes
    /// `x` is `[rows, heads, tokens, head_dim]`.
    fn rotary(x: Tensor<Self, 4>, rotary: &Rotary<Self>) -> Tensor<Self, 4> {
        plain::rotary(x, rotary)
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
        plain::gated(gate, up, activation)
    }

    /// The gradients of gate and up.
    fn gated_backward(
        gate: Tensor<Self, 2>,
        up: Tensor<Self, 2>,
        activation: Activation,
        gradient: Tensor<Self, 2>,
    ) -> [Tensor<Self, 2>; 2] {
        plain::gated_backward(gate, up, activation, gradient)
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
        let logits = plain::head_logits(hidden, head, softcap);
        Self::log_probs_of_logits(logits, targets)
    }

    /// `log softmax(logits)[target]` of each row, nats, without a gradient.
    ///
    /// # Shapes
    /// `logits` is `[n, vocab]`, `targets` and the result are `[n]`.
    fn log_probs_of_logits(
        logits: Tensor<Self, 2>,
        targets: Tensor<Self, 1, Int>,
    ) -> Tensor<Self, 1> {
        plain::log_probs_of_logits(logits, targets)
    }

    /// The gradient of the logits before the soft cap, from the gradient of the log-probs. `logits` are those
    /// after the soft cap, and `log_probs` what [`log_probs_of_logits`](Self::log_probs_of_logits) gave for them.
    fn logits_backward(
        logits: Tensor<Self, 2>,
        softcap: Option<f64>,
        targets: Tensor<Self, 1, Int>,
        log_probs: Tensor<Self, 1>,
        gradient: Tensor<Self, 1>,
    ) -> Tensor<Self, 2> {
        plain::logits_backward(logits, softcap, targets, log_probs, gradient)
    }

    /// One update by AdamW or Adam of a parameter and of its two moments: the running means of the gradient and
    /// of its square. A backend can write into the tensors that it gets.
    ///
    /// # Shapes
    /// All are flat, `[elements]`.
    fn adamw(
        parameter: Tensor<Self, 1>,
        gradient: Tensor<Self, 1>,
        moments: [Tensor<Self, 1>; 2],
        step: &AdamWStep,
    ) -> (Tensor<Self, 1>, [Tensor<Self, 1>; 2]) {
        plain::adamw(parameter, gradient, moments, step)
    }

    /// One update by stochastic gradient descent of a parameter and of its velocity, the sum of the gradients
    /// that decays with the momentum. Without a momentum there is no velocity. A backend can write into the
    /// tensors that it gets.
    ///
    /// # Shapes
    /// All are flat, `[elements]`.
    fn sgd(
        parameter: Tensor<Self, 1>,
        gradient: Tensor<Self, 1>,
        velocity: Option<Tensor<Self, 1>>,
        step: &SgdStep,
    ) -> (Tensor<Self, 1>, Option<Tensor<Self, 1>>) {
        plain::sgd(parameter, gradient, velocity, step)
    }

    /// One update by Muon of a matrix and of the running mean of its gradients. A backend can write into the
    /// tensors that it gets.
    ///
    /// # Shapes
    /// All are `[rows, columns]`.
    fn muon(
        parameter: Tensor<Self, 2>,
        gradient: Tensor<Self, 2>,
        mean: Tensor<Self, 2>,
        step: &MuonStep,
    ) -> (Tensor<Self, 2>, Tensor<Self, 2>) {
        plain::muon(parameter, gradient, mean, step)
    }

    /// `Σ x²`, `[1]`.
    ///
    /// # Shapes
    /// `x` is flat, `[elements]`.
    fn sum_of_squares(x: Tensor<Self, 1>) -> Tensor<Self, 1> {
        x.square().sum()
    }

    /// `a + b`. A backend can write into the tensor `a`.
    ///
    /// # Shapes
    /// Both are flat, `[elements]`.
    fn add_into(a: Tensor<Self, 1>, b: Tensor<Self, 1>) -> Tensor<Self, 1> {
        a + b
    }
}
