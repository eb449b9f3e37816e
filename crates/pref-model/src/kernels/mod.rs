//! The operations that take most of the time of a training step. A backend can replace each of them.
//!
//! In: tensors of one operation, such as queries, keys and values. Out: its result. [`Kernels`] gives
//! every operation a body in plain Burn operations. A backend overrides the operations that it computes faster.

mod adamw;
mod attention;
mod backends;
mod gate;
mod log_probs;
mod norm;
mod rotary;
mod traits;
mod visibility;

pub use adamw::AdamWStep;
pub(crate) use log_probs::head_logits;
pub use log_probs::token_log_probs;
pub use rotary::Rotary;
pub use traits::Kernels;
pub use visibility::Visibility;
