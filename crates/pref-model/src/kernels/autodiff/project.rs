//! A linear map with gradients. In: vectors and a matrix. Out: their product.

use burn::backend::Autodiff;
use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::tensor::Tensor;

use super::sums::add_to_sum;
use crate::kernels::tensors::{primitive, tensor};
use crate::kernels::traits::Kernels;

#[derive(Debug)]
struct Linear;

impl<B: Kernels> Backward<B, 2> for Linear {
    /// The vectors if the weight needs a gradient, and the weight if the vectors need one.
    type State = [Option<Tensor<B, 2>>; 2];

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = tensor::<B, 2>(grads.consume::<B>(&ops.node));
        let [x_node, weight_node] = ops.parents.map(|parent| parent.map(|node| node.id));
        backward_of_product([x_node, weight_node], ops.state, gradient, grads);
    }
}

/// Registers the gradients of the factors of `x Wᵀ` that have a node. The gradient of the weight is added to its sum
/// if one is lent.
pub(super) fn backward_of_product<B: Kernels>(
    [x_node, weight_node]: [Option<NodeId>; 2],
    [mut x, weight]: [Option<Tensor<B, 2>>; 2],
    gradient: Tensor<B, 2>,
    grads: &mut Gradients,
) {
    if let (Some(node), Some(vectors)) = (weight_node, x.clone()) {
        let shape = [gradient.dims()[1], vectors.dims()[1]];
        let add = |sum| B::project_backward_into(sum, vectors, gradient.clone());
        if add_to_sum::<B>(node, shape, add) {
            x = None;
        }
    }
    let gradients = B::project_backward(x, weight, gradient);
    for (node, gradient) in [x_node, weight_node].into_iter().zip(gradients) {
        if let (Some(node), Some(gradient)) = (node, gradient) {
            grads.register::<B>(node, primitive(gradient));
        }
    }
}

pub(super) fn project<B: Kernels, C: CheckpointStrategy>(
    x: Tensor<Autodiff<B, C>, 2>,
    weight: Tensor<Autodiff<B, C>, 2>,
) -> Tensor<Autodiff<B, C>, 2> {
    let (x, weight) = (primitive(x), primitive(weight));
    let (needs_x, needs_weight) = (weight.is_tracked(), x.is_tracked());
    let (x_values, weight_values) = (tensor::<B, 2>(x.primitive), tensor(weight.primitive));
    let product = primitive(B::project(x_values.clone(), weight_values.clone()));
    let operation = Linear.prepare::<C>([x.node, weight.node]).compute_bound();
    tensor(match operation.stateful() {
        OpsKind::Tracked(tracked) => {
            let state = [
                needs_x.then_some(x_values),
                needs_weight.then_some(weight_values),
            ];
            tracked.finish(state, product)
        }
        OpsKind::UnTracked(untracked) => untracked.finish(product),
    })
}
