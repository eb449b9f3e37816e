//! The gate of an MLP with gradients. In: the outputs of the gate and up projections. Out: their gated product.

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::tensor::Tensor;

use crate::config::Activation;
use crate::kernels::tensors::{primitive, tensor};
use crate::kernels::traits::Kernels;

#[derive(Debug)]
struct Gated;

impl<B: Kernels> Backward<B, 2> for Gated {
    type State = (Tensor<B, 2>, Tensor<B, 2>, Activation);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = tensor::<B, 2>(grads.consume::<B>(&ops.node));
        let (gate, up, activation) = ops.state;
        let gradients = B::gated_backward(gate, up, activation, gradient);
        for (parent, gradient) in ops.parents.into_iter().zip(gradients) {
            if let Some(parent) = parent {
                grads.register::<B>(parent.id, primitive(gradient));
            }
        }
    }
}

pub(super) fn gated<B: Kernels, C: CheckpointStrategy>(
    gate: Tensor<Autodiff<B, C>, 2>,
    up: Tensor<Autodiff<B, C>, 2>,
    activation: Activation,
) -> Tensor<Autodiff<B, C>, 2> {
    let (gate, up) = (primitive(gate), primitive(up));
    let (gate_values, up_values) = (tensor::<B, 2>(gate.primitive), tensor(up.primitive));
    let product = B::gated(gate_values.clone(), up_values.clone(), activation);
    let product = primitive(product);
    let operation = Gated.prepare::<C>([gate.node, up.node]).compute_bound();
    tensor(match operation.stateful() {
        OpsKind::Tracked(tracked) => tracked.finish((gate_values, up_values, activation), product),
        OpsKind::UnTracked(untracked) => untracked.finish(product),
    })
}
