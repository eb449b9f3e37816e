//! The backends that a decoder runs on. All of them use the plain bodies.

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;

use super::traits::Kernels;

/// Gradients come from Burn's automatic differentiation of the plain bodies.
impl<B: Kernels, C: CheckpointStrategy> Kernels for Autodiff<B, C> {}

#[cfg(feature = "flex")]
impl Kernels for burn::backend::Flex {}

#[cfg(feature = "ndarray")]
impl Kernels for burn::backend::NdArray {}

#[cfg(feature = "cuda")]
impl Kernels for burn::backend::Cuda {}

#[cfg(feature = "wgpu")]
impl Kernels for burn::backend::Wgpu {}
