//! The hidden states of a micro-batch without keeping its activations. In: token ids. Out: hidden states, and then,
//! from their gradient, the gradients of the parameters.
//!
//! The forward pass keeps only the inputs of the parts of the policy. The backward pass computes one part after the
//! other again, last part first (Chen et al. 2016, section 3).

use std::ops::Range;

use burn::tensor::{Int, Tensor};
use pref_model::Policy;

use super::policy::{TrainBackend, TrainablePolicy};

/// What a forward pass keeps instead of its activations.
pub(super) struct Checkpoints<'a, B: TrainBackend, P> {
    policy: &'a P,
    tokens: Tensor<B, 2, Int>,
    branches: &'a [Range<usize>],
    /// The input of each part; the first part reads the tokens.
    inputs: Vec<Option<Tensor<B::InnerBackend, 3>>>,
    /// The hidden states.
    leaf: Tensor<B, 3>,
    /// The gradient of the hidden states, once it is known.
    gradient: Option<Tensor<B::InnerBackend, 3>>,
}

impl<'a, B: TrainBackend, P: TrainablePolicy<B>> Checkpoints<'a, B, P> {
    /// Computes the hidden states of `[rows, tokens]` ids; [`Policy::hidden`] explains `branches`.
    pub(super) fn new(
        policy: &'a P,
        tokens: Tensor<B, 2, Int>,
        branches: &'a [Range<usize>],
    ) -> Self {
        let mut inputs = Vec::new();
        let mut x = None;
        {
            let policy = policy.valid();
            for part in policy.hidden_parts(tokens.clone().inner(), branches) {
                let output = part(x.clone());
                inputs.push(x);
                x = Some(output);
            }
        }
        let hidden = x.expect("a policy has at least one part");
        Self {
            policy,
            tokens,
            branches,
            inputs,
            leaf: Tensor::from_inner(hidden).require_grad(),
            gradient: None,
        }
    }

    /// Hidden states, `[rows, tokens, hidden]`.
    pub(super) fn hidden(&self) -> Tensor<B, 3> {
        self.leaf.clone()
    }

    /// Takes the gradient of the hidden states from a backward pass, if the pass reached them.
    pub(super) fn take_gradient(&mut self, gradients: &mut B::Gradients) {
        if let Some(gradient) = self.leaf.grad_remove(gradients) {
            self.gradient = Some(gradient);
        }
    }

    /// The backward passes of the parts, if the gradient of the hidden states was taken. `visit` gets the gradients
    /// of each.
    pub(super) fn backward(self, mut visit: impl FnMut(B::Gradients)) {
        let parts = self.policy.hidden_parts(self.tokens, self.branches);
        drop(self.leaf);
        let mut of_output = self.gradient;
        for (part, input) in parts.into_iter().zip(self.inputs).rev() {
            let Some(gradient) = of_output.take() else {
                return;
            };
            let input = input.map(|x| Tensor::<B, 3>::from_inner(x).require_grad());
            let output = part(input.clone());
            // A part without trained parameters may have no other leaf, and a backward pass needs one.
            let zero = Tensor::<B, 1>::zeros([1], &output.device()).require_grad();
            let root = (output * Tensor::from_inner(gradient)).sum() + zero;
            let mut gradients = root.backward();
            of_output = input.and_then(|input| input.grad_remove(&mut gradients));
            visit(gradients);
        }
    }
}
