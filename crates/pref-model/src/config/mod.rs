//! `config.json` of a model folder. In: JSON as `transformers` writes it, in the spelling of version
//! 5 or of version 4. Out: a [`Config`] whose every setting the decoder implements.
//!
//! A setting that changes what the model computes and is not implemented is refused by name.

mod architecture;
mod classifier;
mod error;
mod fresh;
mod json;
mod keys;
mod read;
mod read_rope;
mod rope;

pub(crate) use architecture::LayerKind;
pub use architecture::{Activation, Architecture, Config};
pub use error::ModelConfigError;
pub use fresh::LlamaSizes;
pub use rope::{Rope, RopeScaling};
