//! Root mean square normalisation with gradients. In: values and weights. Out: values of the same shape.

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::tensor::Tensor;

use crate::kernels::tensors::{primitive, tensor};
use crate::kernels::traits::Kernels;

#[derive(Debug)]
struct RmsNorm;

impl<B: Kernels> Backward<B, 2> for RmsNorm {
    type State = (Tensor<B, 2>, Tensor<B, 1>, f64);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = tensor::<B, 2>(grads.consume::<B>(&ops.node));
        let (x, weight, epsilon) = ops.state;
        let (of_x, of_weight) = B::rms_norm_backward(x, weight, epsilon, gradient);
        let [x, weight] = ops.parents;
        if let Some(x) = x {
            grads.register::<B>(x.id, primitive(of_x));
        }
        if let Some(weight) = weight {
            grads.register::<B>(weight.id, primitive(of_weight));
        }
    }
}

pub(super) fn rms_norm<B: Kernels, C: CheckpointStrategy>(
    x: Tensor<Autodiff<B, C>, 2>,
    weight: Tensor<Autodiff<B, C>, 1>,
    epsilon: f64,
) -> Tensor<Autodiff<B, C>, 2> {
    let (x, weight) = (primitive(x), primitive(weight));
    let (x_values, weight_values) = (tensor::<B, 2>(x.primitive), tensor(weight.primitive));
    let normed = B::rms_norm(x_values.clone(), weight_values.clone(), epsilon);
    let normed = primitive(normed);
    let operation = RmsNorm.prepare::<C>([x.node, weight.node]).compute_bound();
    tensor(match operation.stateful() {
        OpsKind::Tracked(tracked) => tracked.finish((x_values, weight_values, epsilon), normed),
        OpsKind::UnTracked(untracked) => untracked.finish(normed),
    })
}
