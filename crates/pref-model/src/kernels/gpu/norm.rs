//! Root mean square normalisation. In: values and weights. Out: values of the same shape, or the gradients.

use burn::tensor::DType;
use burn_cubecl::CubeRuntime;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::launch::{
    THREADS, addresses, contiguous, empty, group, groups, groups_for_values, in_format,
    sum_of_group,
};

/// Rows whose parts of the weight's gradient are added by one thread. Fewer rows are more threads and more parts.
const ROWS_OF_A_PART: usize = 64;

/// `1 / √(mean x² + ε)` of the row of this group.
#[cube]
fn inverse_root_mean_square<F: Float>(x: &Tensor<F>, row: usize, end: usize, epsilon: f32) -> f32 {
    let width = x.shape(1);
    let mut squares = 0.0f32;
    let mut column = UNIT_POS as usize;
    while column < end {
        let value = f32::cast_from(x[row * width + column]);
        squares += value * value;
        column += comptime!(THREADS);
    }
    let mean = sum_of_group(squares) / f32::cast_from(width as u32);
    1.0 / f32::sqrt(mean + epsilon)
}

/// One group of threads for a row.
#[cube(launch_unchecked, address_type = "dynamic")]
fn norm_of_row<F: Float, W: Float>(
    x: &Tensor<F>,
    weight: &Tensor<W>,
    normed: &mut Tensor<F>,
    epsilon: f32,
    #[define(F, W)] _formats: [StorageType; 2],
) {
    let row = CUBE_POS;
    let width = x.shape(1);
    let end = select(row < x.shape(0), width, 0usize);
    let scale = inverse_root_mean_square::<F>(x, row, end, epsilon);
    let mut column = UNIT_POS as usize;
    while column < end {
        let at = row * width + column;
        let value = f32::cast_from(x[at]) * scale * f32::cast_from(weight[column]);
        normed[at] = F::cast_from(value);
        column += comptime!(THREADS);
    }
}

/// One group of threads for a row: the gradient of `x`, and the scale of the row for the gradient of the weight.
#[cube(launch_unchecked, address_type = "dynamic")]
fn gradient_of_row<F: Float, W: Float>(
    x: &Tensor<F>,
    weight: &Tensor<W>,
    gradient: &Tensor<F>,
    of_x: &mut Tensor<F>,
    scales: &mut Tensor<f32>,
    epsilon: f32,
    #[define(F, W)] _formats: [StorageType; 2],
) {
    let row = CUBE_POS;
    let width = x.shape(1);
    let end = select(row < x.shape(0), width, 0usize);
    let scale = inverse_root_mean_square::<F>(x, row, end, epsilon);
    // The threads have read the sum of squares before its memory gets another sum.
    sync_cube();

    let mut products = 0.0f32;
    let mut column = UNIT_POS as usize;
    while column < end {
        let at = row * width + column;
        let weighted = f32::cast_from(gradient[at]) * f32::cast_from(weight[column]);
        products += weighted * f32::cast_from(x[at]) * scale;
        column += comptime!(THREADS);
    }
    let mean = sum_of_group(products) / f32::cast_from(width as u32);

    let mut column = UNIT_POS as usize;
    while column < end {
        let at = row * width + column;
        let weighted = f32::cast_from(gradient[at]) * f32::cast_from(weight[column]);
        let normed = f32::cast_from(x[at]) * scale;
        of_x[at] = F::cast_from((weighted - normed * mean) * scale);
        column += comptime!(THREADS);
    }
    if UNIT_POS == 0 && end > 0 {
        scales[row] = scale;
    }
}

/// One thread for a column of a part of the rows: `Σ g x r`.
#[cube(launch_unchecked, address_type = "dynamic")]
fn part_of_weight<F: Float>(
    x: &Tensor<F>,
    gradient: &Tensor<F>,
    scales: &Tensor<f32>,
    parts: &mut Tensor<f32>,
    #[define(F)] _format: StorageType,
) {
    let rows = x.shape(0);
    let width = x.shape(1);
    let part = ABSOLUTE_POS / width;
    let column = ABSOLUTE_POS - part * width;
    if part < parts.shape(0) {
        let first = part * comptime!(ROWS_OF_A_PART);
        let mut sum = 0.0f32;
        for i in 0..comptime!(ROWS_OF_A_PART) {
            let row = first + i;
            if row < rows {
                let at = row * width + column;
                sum += f32::cast_from(gradient[at]) * f32::cast_from(x[at]) * scales[row];
            }
        }
        parts[part * width + column] = sum;
    }
}

/// One thread for a column: the sum of the parts.
#[cube(launch_unchecked, address_type = "dynamic")]
fn sum_of_parts(parts: &Tensor<f32>, of_weight: &mut Tensor<f32>) {
    let column = ABSOLUTE_POS;
    let width = parts.shape(1);
    if column < width {
        let mut sum = 0.0f32;
        let mut part = 0usize;
        while part < parts.shape(0) {
            sum += parts[part * width + column];
            part += 1;
        }
        of_weight[column] = sum;
    }
}

/// The normalised values of `x`, `[n, width]`, with the weight `[width]`.
pub(super) fn rms_norm<R: CubeRuntime>(
    [x, weight]: [CubeTensor<R>; 2],
    epsilon: f64,
) -> [CubeTensor<R>; 1] {
    let [x, weight] = contiguous([x, weight]);
    let normed = empty(&x, x.meta.shape().clone(), x.dtype);
    let n = x.meta.shape()[0];
    let formats = [x.dtype.into(), weight.dtype.into()];
    // SAFETY: every group reads and writes one row, and a column below its width.
    unsafe {
        norm_of_row::launch_unchecked(
            &normed.client,
            groups(n),
            group(),
            addresses(&[&x]),
            x.into_tensor_arg(),
            weight.into_tensor_arg(),
            normed.clone().into_tensor_arg(),
            epsilon as f32,
            formats,
        );
    }
    [normed]
}

/// The gradients of `x` and of the weight, the second in float32.
pub(super) fn rms_norm_backward<R: CubeRuntime>(
    [x, weight, gradient]: [CubeTensor<R>; 3],
    epsilon: f64,
) -> [CubeTensor<R>; 2] {
    let [x, weight] = contiguous([x, weight]);
    let gradient = in_format(gradient, x.dtype);
    let [n, width] = [0, 1].map(|axis| x.meta.shape()[axis]);
    let n_parts = n.div_ceil(ROWS_OF_A_PART);
    let of_x = empty(&x, [n, width], x.dtype);
    let of_weight = empty(&x, [width], DType::F32);
    let scales = empty(&x, [n], DType::F32);
    let parts = empty(&x, [n_parts, width], DType::F32);
    let client = x.client.clone();
    let addresses = addresses(&[&x]);
    let (format, formats) = (x.dtype.into(), [x.dtype.into(), weight.dtype.into()]);
    // SAFETY: the kernels check that their row, part and column exist.
    unsafe {
        gradient_of_row::launch_unchecked(
            &client,
            groups(n),
            group(),
            addresses,
            x.clone().into_tensor_arg(),
            weight.into_tensor_arg(),
            gradient.clone().into_tensor_arg(),
            of_x.clone().into_tensor_arg(),
            scales.clone().into_tensor_arg(),
            epsilon as f32,
            formats,
        );
        part_of_weight::launch_unchecked(
            &client,
            groups_for_values(n_parts * width),
            group(),
            addresses,
            x.into_tensor_arg(),
            gradient.into_tensor_arg(),
            scales.into_tensor_arg(),
            parts.clone().into_tensor_arg(),
            format,
        );
        sum_of_parts::launch_unchecked(
            &client,
            groups_for_values(width),
            group(),
            addresses,
            parts.into_tensor_arg(),
            of_weight.clone().into_tensor_arg(),
        );
    }
    [of_x, of_weight]
}
