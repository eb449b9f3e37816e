//! Rotary position embeddings with gradients. In: queries or keys. Out: rotated queries or keys.

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::tensor::Tensor;

use crate::kernels::inputs::Rotary;
use crate::kernels::tensors::{primitive, tensor};
use crate::kernels::traits::Kernels;

#[derive(Debug)]
struct Rotate;

impl<B: Kernels> Backward<B, 1> for Rotate {
    type State = Rotary<B>;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = tensor::<B, 4>(grads.consume::<B>(&ops.node));
        let [parent] = ops.parents;
        if let Some(parent) = parent {
            let gradient = B::rotary(gradient, &ops.state.reversed());
            grads.register::<B>(parent.id, primitive(gradient));
        }
    }
}

pub(super) fn rotary<B: Kernels, C: CheckpointStrategy>(
    x: Tensor<Autodiff<B, C>, 4>,
    rotary: Rotary<B>,
) -> Tensor<Autodiff<B, C>, 4> {
    let x = primitive(x);
    let rotated = primitive(B::rotary(tensor(x.primitive), &rotary));
    let operation = Rotate.prepare::<C>([x.node]).compute_bound();
    tensor(match operation.stateful() {
        OpsKind::Tracked(tracked) => tracked.finish(rotary, rotated),
        OpsKind::UnTracked(untracked) => untracked.finish(rotated),
    })
}
