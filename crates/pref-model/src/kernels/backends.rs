//! The backends on which all operations have their plain bodies.

use super::traits::Kernels;

#[cfg(feature = "ndarray")]
impl Kernels for burn::backend::NdArray {}

#[cfg(feature = "cuda")]
impl Kernels for burn::backend::Cuda {}

#[cfg(feature = "wgpu")]
impl Kernels for burn::backend::Wgpu {}
