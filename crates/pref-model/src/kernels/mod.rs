//! The operations that take most of the time of a training step. A backend can replace each of them.
//!
//! In: tensors of one operation, such as queries, keys and values. Out: its result, or gradients. [`Kernels`]
//! gives every operation a body in plain Burn operations. A backend overrides the operations that it computes
//! faster, and `Autodiff` takes the gradients from the backend below it.

mod autodiff;
mod backends;
#[cfg(feature = "flex")]
mod flex;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
mod gpu;
mod inputs;
pub mod plain;
mod tensors;
mod texts;
mod traits;
mod visibility;

pub use autodiff::GradientSums;
pub use inputs::{AdamWStep, MuonStep, Rotary, ScoreRule, SgdStep};
pub use plain::token_log_probs;
pub(crate) use plain::{head_logits, in_format, wide};
pub use texts::{Block, CachedText, KeyValues, TOKENS_OF_A_BLOCK, Texts};
pub use traits::{CPU_TOKENS_OF_A_PASS, Kernels};
pub use visibility::Visibility;
