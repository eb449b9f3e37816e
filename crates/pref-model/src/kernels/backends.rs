//! The backends on which all operations have their plain bodies.

#[cfg(feature = "ndarray")]
impl super::Kernels for burn::backend::NdArray {
    const TOKENS_OF_A_PASS: Option<std::ops::Range<usize>> = Some(super::CPU_TOKENS_OF_A_PASS);

    fn refusal_of_bf16(_: &Self::Device) -> Option<&'static str> {
        Some(super::plain::BF16_ON_A_CPU)
    }
}
