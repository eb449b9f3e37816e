//! The backends on which all operations have their plain bodies.

#[cfg(feature = "ndarray")]
impl super::Kernels for burn::backend::NdArray {
    const TOKENS_OF_A_PASS: Option<std::ops::Range<usize>> = Some(512..2048);
}

#[cfg(feature = "cuda")]
impl super::Kernels for burn::backend::Cuda {}

#[cfg(feature = "wgpu")]
impl super::Kernels for burn::backend::Wgpu {}
