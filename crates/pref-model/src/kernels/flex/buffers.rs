//! Tensors as slices of numbers, and back. In: a tensor of `Flex`. Out: its values, or a tensor of new values.

use burn::backend::Flex;
use burn::tensor::{DType, Tensor, TensorData, TensorPrimitive};
use burn_flex::FlexTensor;

/// Whether all tensors are in float32.
pub(super) fn is_f32<const D: usize>(tensors: &[&Tensor<Flex, D>]) -> bool {
    tensors.iter().all(|tensor| tensor.dtype() == DType::F32)
}

/// A tensor with its values in one run of memory, in the order of the axes.
pub(super) fn contiguous<const D: usize>(tensor: Tensor<Flex, D>) -> FlexTensor {
    tensor.into_primitive().tensor().to_contiguous()
}

/// The values of a contiguous tensor.
pub(super) fn values(tensor: &FlexTensor) -> &[f32] {
    tensor.storage()
}

/// Changes the values of a contiguous tensor in place, or a copy of them if another tensor shares them.
pub(super) fn values_mut(tensor: &mut FlexTensor) -> &mut [f32] {
    tensor.storage_mut()
}

/// A primitive as a tensor.
pub(super) fn tensor<const D: usize>(primitive: FlexTensor) -> Tensor<Flex, D> {
    Tensor::from_primitive(TensorPrimitive::Float(primitive))
}

/// A tensor of new values in the order of the axes.
pub(super) fn new_tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> Tensor<Flex, D> {
    tensor(FlexTensor::from_data(TensorData::new(values, shape)))
}

/// Values that lie in memory with a distance for each axis but the last, whose values are neighbours.
#[derive(Clone, Copy)]
pub(super) struct Strided<'a> {
    values: &'a [f32],
    start: usize,
    strides: [usize; 3],
}

impl<'a> Strided<'a> {
    /// The distance between neighbours on the third axis.
    pub(super) fn stride(&self) -> usize {
        self.strides[2]
    }

    /// The values from the place `[a, b, c]` on.
    pub(super) fn from(&self, a: usize, b: usize, c: usize) -> &'a [f32] {
        let [x, y, z] = self.strides;
        &self.values[self.start + a * x + b * y + c * z..]
    }
}

/// A tensor of four axes whose last axis is in one run of memory, copied if it is not.
pub(super) fn with_rows(tensor: Tensor<Flex, 4>) -> FlexTensor {
    let tensor = tensor.into_primitive().tensor();
    let strides = tensor.layout().strides();
    match strides[3] == 1 && strides.iter().all(|&stride| stride >= 0) {
        true => tensor,
        false => tensor.to_contiguous(),
    }
}

/// The values of a tensor that [`with_rows`] gave.
pub(super) fn strided(tensor: &FlexTensor) -> Strided<'_> {
    let layout = tensor.layout();
    let stride = |axis: usize| layout.strides()[axis].unsigned_abs();
    Strided {
        values: tensor.storage(),
        start: layout.start_offset(),
        strides: [stride(0), stride(1), stride(2)],
    }
}
