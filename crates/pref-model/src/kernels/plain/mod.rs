//! The operations in plain Burn operations, which run on every backend. In: tensors of one operation. Out: its
//! result, or the gradients of its inputs.
//!
//! An override of [`Kernels`](super::Kernels) must give the same values; its test compares it with these.

mod adamw;
mod attention;
mod blocks;
mod format;
mod gate;
mod gradient;
mod log_probs;
mod muon;
mod norm;
mod project;
mod rotary;
mod sgd;
mod texts;

pub use adamw::adamw;
pub use attention::{causal_attention, causal_attention_backward};
pub use blocks::{causal_attention_in_blocks, causal_attention_in_blocks_backward};
#[cfg(any(feature = "flex", feature = "ndarray"))]
pub(crate) use format::BF16_ON_A_CPU;
pub(crate) use format::{in_format, wide};
#[cfg(any(feature = "flex", feature = "cuda", feature = "wgpu"))]
pub(crate) use gate::{GELU_CUBIC, GELU_SCALE};
pub use gate::{gated, gated_backward};
pub(crate) use log_probs::head_logits;
pub use log_probs::{log_probs_of_logits, logits_backward, token_log_probs};
pub use muon::muon;
pub use norm::{rms_norm, rms_norm_backward};
pub use project::{project, project_backward, project_backward_into};
pub use rotary::rotary;
pub use sgd::sgd;
pub use texts::attention_of_texts;
