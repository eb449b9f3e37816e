//! Log-probs of target tokens with gradients. In: hidden states, the output head and target ids. Out: nats,
//! one per target.

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::tensor::{DType, Int, Tensor};

use super::project::backward_of_product;
use crate::kernels::plain::{head_logits, in_format};
use crate::kernels::tensors::{primitive, tensor};
use crate::kernels::traits::Kernels;

#[derive(Debug)]
struct TargetLogProbs;

/// What the backward pass reads. The logits are kept, because to compute them again takes a third of the time
/// of the head.
#[derive(Clone, Debug)]
struct State<B: Kernels> {
    /// If the head needs a gradient.
    hidden: Option<Tensor<B, 2>>,
    /// If the hidden states need a gradient.
    head: Option<Tensor<B, 2>>,
    softcap: Option<f64>,
    targets: Tensor<B, 1, Int>,
    logits: Tensor<B, 2>,
    log_probs: Tensor<B, 1>,
    /// The number format of the hidden states.
    format: DType,
}

impl<B: Kernels> Backward<B, 2> for TargetLogProbs {
    type State = State<B>;

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = tensor::<B, 1>(grads.consume::<B>(&ops.node));
        let State {
            hidden,
            head,
            softcap,
            targets,
            logits,
            log_probs,
            format,
        } = ops.state;
        let of_logits = B::logits_backward(logits, softcap, targets, log_probs, gradient);
        let of_logits = in_format(of_logits, format);
        let nodes = ops.parents.map(|parent| parent.map(|node| node.id));
        backward_of_product(nodes, [hidden, head], of_logits, grads);
    }
}

pub(super) fn target_log_probs<B: Kernels, C: CheckpointStrategy>(
    hidden: Tensor<Autodiff<B, C>, 2>,
    head: Tensor<Autodiff<B, C>, 2>,
    softcap: Option<f64>,
    targets: Tensor<B, 1, Int>,
) -> Tensor<Autodiff<B, C>, 1> {
    let (hidden, head) = (primitive(hidden), primitive(head));
    let (needs_hidden, needs_head) = (head.is_tracked(), hidden.is_tracked());
    let operation = TargetLogProbs
        .prepare::<C>([hidden.node, head.node])
        .compute_bound();
    let (hidden, head) = (tensor::<B, 2>(hidden.primitive), tensor(head.primitive));
    tensor(match operation.stateful() {
        OpsKind::Tracked(tracked) => {
            let logits = head_logits(hidden.clone(), head.clone(), softcap);
            let log_probs = B::log_probs_of_logits(logits.clone(), targets.clone());
            let format = hidden.dtype();
            let state = State {
                hidden: needs_hidden.then_some(hidden),
                head: needs_head.then_some(head),
                softcap,
                targets,
                logits,
                log_probs: log_probs.clone(),
                format,
            };
            tracked.finish(state, primitive(log_probs))
        }
        OpsKind::UnTracked(untracked) => {
            let log_probs = B::target_log_probs(hidden, head, softcap, targets);
            untracked.finish(primitive(log_probs))
        }
    })
}
