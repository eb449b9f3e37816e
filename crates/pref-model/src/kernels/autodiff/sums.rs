//! Sums of gradients over several backward passes. In: the sum so far of a weight. Out: the sum after the next pass.
//!
//! A pass makes a gradient for each weight, which is then added to a sum. A weight whose sum is lent needs no
//! memory for its gradient: the matrix product of its gradient is added to the sum as it is computed.

use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;

use burn::backend::Autodiff;
use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::tensor::{Tensor, backend::AutodiffBackend};

use crate::kernels::tensors::primitive;
use crate::kernels::traits::Kernels;

thread_local! {
    /// The lent sums, flat, by the node of their weight. A backward pass runs on the thread that calls it.
    static SUMS: RefCell<HashMap<NodeId, Box<dyn Any>>> = RefCell::default();
}

/// Automatic differentiation that can add gradients to sums during the backward pass.
pub trait GradientSums: AutodiffBackend {
    /// Lends the sum of the gradients of a weight to the next backward pass of this thread.
    ///
    /// # Shapes
    /// `sum` is flat, `[elements]`.
    fn lend_sum<const D: usize>(weight: Tensor<Self, D>, sum: Tensor<Self::InnerBackend, 1>);

    /// Takes a lent sum back. The backward pass has added to it if it could; else the gradient of the weight is
    /// among the gradients of the pass, as usual. `None` if no sum was lent.
    fn take_sum<const D: usize>(weight: Tensor<Self, D>) -> Option<Tensor<Self::InnerBackend, 1>>;
}

impl<B: Kernels, C: CheckpointStrategy> GradientSums for Autodiff<B, C> {
    fn lend_sum<const D: usize>(weight: Tensor<Self, D>, sum: Tensor<B, 1>) {
        put(primitive(weight).node.id, sum);
    }

    fn take_sum<const D: usize>(weight: Tensor<Self, D>) -> Option<Tensor<B, 1>> {
        take(primitive(weight).node.id)
    }
}

/// Adds the gradient of a weight to its sum, if one is lent. `add` gets the sum in the shape of the weight.
pub(super) fn add_to_sum<B: Kernels>(
    weight: NodeId,
    shape: [usize; 2],
    add: impl FnOnce(Tensor<B, 2>) -> Tensor<B, 2>,
) -> bool {
    let Some(sum) = take::<B>(weight) else {
        return false;
    };
    put(weight, add(sum.reshape(shape)).reshape([-1]));
    true
}

fn put<B: Kernels>(weight: NodeId, sum: Tensor<B, 1>) {
    SUMS.with_borrow_mut(|sums| sums.insert(weight, Box::new(sum)));
}

fn take<B: Kernels>(weight: NodeId) -> Option<Tensor<B, 1>> {
    let sum = SUMS.with_borrow_mut(|sums| sums.remove(&weight))?;
    sum.downcast().ok().map(|sum| *sum)
}
