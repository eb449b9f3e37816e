//! The precision of a forward pass. In: the setting of a run. Out: a number format.

use burn::tensor::DType;
use serde::{Deserialize, Serialize};

/// The number format that a model computes in. Its weights, their gradients, the residual stream, log-softmax and
/// losses are in float32 with both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// float32.
    #[default]
    F32,
    /// bfloat16 for the products of the layers and of the head. Norms, exponentials and sums over the vocabulary are
    /// computed in float32.
    Bf16,
}

impl Precision {
    /// The format of the inputs of products.
    pub(crate) fn format(self) -> DType {
        match self {
            Precision::F32 => DType::F32,
            Precision::Bf16 => DType::BF16,
        }
    }
}
