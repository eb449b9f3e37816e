//! A part of a model. In: hidden states. Out: hidden states.

use burn::tensor::Tensor;

/// A part of the computation of hidden states, `[rows, tokens, hidden]`. It gets the result of the part before it, and
/// the first part gets nothing.
pub type HiddenPart<'a, B> = Box<dyn Fn(Option<Tensor<B, 3>>) -> Tensor<B, 3> + 'a>;
