//! How kernels are started. In: the number of rows or values of an operation. Out: the division of the work among the
//! threads of the device, and memory for results.

use burn::tensor::{DType, Shape};
use burn_cubecl::CubeRuntime;
use burn_cubecl::kernel::{cast, into_contiguous};
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

/// Threads that work together on a row, and that share memory. A power of two.
pub(super) const THREADS: usize = 256;

/// The largest number of groups of threads in a direction; WebGPU allows no more.
const MOST_GROUPS: usize = 65_535;

/// The size of a group of [`THREADS`].
pub(super) fn group() -> CubeDim {
    CubeDim::new_1d(THREADS as u32)
}

/// At least `n` groups of threads. A kernel has to ignore the groups that are too many.
pub(super) fn groups(n: usize) -> CubeCount {
    let n = n.max(1);
    let y = n.div_ceil(MOST_GROUPS);
    CubeCount::Static(n.div_ceil(y) as u32, y as u32, 1)
}

/// Groups with a thread for each of `n` values.
pub(super) fn groups_for_values(n: usize) -> CubeCount {
    groups(n.div_ceil(THREADS))
}

/// The number format of addresses that reaches every value of these tensors.
pub(super) fn addresses<R: CubeRuntime>(tensors: &[&CubeTensor<R>]) -> AddressType {
    let needed = tensors.iter().map(|tensor| tensor.required_address_type());
    needed.max().unwrap_or_default()
}

/// The tensors with their values in one run of memory each, in the order of the axes.
pub(super) fn contiguous<R: CubeRuntime, const N: usize>(
    tensors: [CubeTensor<R>; N],
) -> [CubeTensor<R>; N] {
    tensors.map(into_contiguous)
}

/// A contiguous tensor in this number format.
pub(super) fn in_format<R: CubeRuntime>(tensor: CubeTensor<R>, format: DType) -> CubeTensor<R> {
    match tensor.dtype == format {
        true => into_contiguous(tensor),
        false => into_contiguous(cast(tensor, format)),
    }
}

/// A contiguous tensor that may be written into: this one, or a copy if something else holds its memory.
pub(super) fn writable<R: CubeRuntime>(tensor: CubeTensor<R>) -> CubeTensor<R> {
    let tensor = into_contiguous(tensor);
    match tensor.can_mut() {
        true => tensor,
        false => into_contiguous(tensor.copy()),
    }
}

/// Memory for a result on the device of `like`. Its values are not set.
pub(super) fn empty<R: CubeRuntime>(
    like: &CubeTensor<R>,
    shape: impl Into<Shape>,
    format: DType,
) -> CubeTensor<R> {
    let (client, device) = (like.client.clone(), like.device.clone());
    empty_device_contiguous_dtype(client, device, shape.into(), format)
}

/// The sum of a value of each thread of the group. All threads get it.
#[cube]
pub(super) fn sum_of_group(value: f32) -> f32 {
    let mut shared = SharedMemory::<f32>::new(THREADS);
    let unit = UNIT_POS as usize;
    shared[unit] = value;
    sync_cube();
    let mut half = comptime!(THREADS / 2).runtime();
    while half > 0 {
        if unit < half {
            let other = shared[unit + half];
            shared[unit] += other;
        }
        sync_cube();
        half /= 2;
    }
    shared[0]
}
