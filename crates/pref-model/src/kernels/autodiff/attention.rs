//! Attention with gradients. In: queries, keys and values. Out: one vector per query.

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::tensor::Tensor;

use crate::kernels::inputs::ScoreRule;
use crate::kernels::tensors::{primitive, tensor};
use crate::kernels::traits::Kernels;
use crate::kernels::visibility::Visibility;

#[derive(Debug)]
struct Attention;

/// What the backward pass reads.
#[derive(Clone, Debug)]
struct State<B: Kernels> {
    inputs: [Tensor<B, 4>; 3],
    visibility: Visibility,
    rule: ScoreRule,
}

impl<B: Kernels> Backward<B, 3> for Attention {
    type State = State<B>;

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = tensor::<B, 4>(grads.consume::<B>(&ops.node));
        let State {
            inputs,
            visibility,
            rule,
        } = ops.state;
        let gradients = B::causal_attention_backward(inputs, &visibility, rule, gradient);
        for (parent, gradient) in ops.parents.into_iter().zip(gradients) {
            if let Some(parent) = parent {
                grads.register::<B>(parent.id, primitive(gradient));
            }
        }
    }
}

pub(super) fn causal_attention<B: Kernels, C: CheckpointStrategy>(
    inputs: [Tensor<Autodiff<B, C>, 4>; 3],
    visibility: &Visibility,
    rule: ScoreRule,
) -> Tensor<Autodiff<B, C>, 4> {
    let inputs = inputs.map(primitive);
    let nodes = inputs.each_ref().map(|input| input.node.clone());
    let inputs = inputs.map(|input| tensor::<B, 4>(input.primitive));
    let [queries, keys, values] = inputs.clone();
    let attended = primitive(B::causal_attention(queries, keys, values, visibility, rule));
    let operation = Attention.prepare::<C>(nodes).compute_bound();
    tensor(match operation.stateful() {
        OpsKind::Tracked(tracked) => {
            let state = State {
                inputs,
                visibility: visibility.clone(),
                rule,
            };
            tracked.finish(state, attended)
        }
        OpsKind::UnTracked(untracked) => untracked.finish(attended),
    })
}
