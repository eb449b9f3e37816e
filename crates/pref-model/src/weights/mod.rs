//! The weights of a model folder. In: named tensors, or safetensors files. Out: safetensors files, or named
//! tensors. This module does not know which model the tensors belong to.

mod atomic;
mod checksums;
mod files;
mod finite;
mod load_error;
mod module;
mod names;
mod parameters;
mod save_error;
mod weight_folder;
mod write;

pub use atomic::{replace_file, write_file};
pub use checksums::{ChecksumError, Checksums, add_checksums, verify_checksums};
pub(crate) use files::{StoredTensors, WeightFiles};
pub use load_error::LoadError;
pub(crate) use module::load_renamed;
pub use module::{load_parameters, save_parameters};
pub use parameters::try_for_each_parameter;
pub use save_error::SaveError;
pub(crate) use write::{SHARD_BYTES, TensorsToSave};
