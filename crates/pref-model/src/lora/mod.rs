//! Low-rank adapters (LoRA, Hu et al. 2021; DoRA, Liu et al. 2024). In: the settings of an adapter, and the
//! names of a model's layers. Out: the layers that get an adapter, and what an adapter computes. This module
//! does not know the decoder.

mod adapter;
mod config;
mod dropout;
mod error;
mod read;
mod targets;

pub(crate) use adapter::Adapter;
pub use config::LoraConfig;
pub use dropout::TrainingPass;
pub use error::LoraError;
pub use targets::LoraTargets;

/// The file of an adapter's settings, as PEFT names it.
pub(crate) const CONFIG: &str = "adapter_config.json";

/// The file of an adapter's weights, as PEFT names it.
pub(crate) const WEIGHTS: &str = "adapter_model.safetensors";
