//! Rotary position embeddings. In: queries or keys in any order of the axes in memory, and the cosines and sines of the
//! angles. Out: rotated values.

use burn_cubecl::CubeRuntime;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::launch::{addresses, contiguous, empty, group, groups_for_values};

/// One thread for a pair of channels.
#[cube(launch_unchecked, address_type = "dynamic")]
fn rotate_pair<F: Float, A: Float>(
    x: &Tensor<F>,
    cos: &Tensor<A>,
    sin: &Tensor<A>,
    rotated: &mut Tensor<F>,
    #[define(F, A)] _formats: [StorageType; 2],
) {
    let (heads, tokens) = (rotated.shape(1), rotated.shape(2));
    let half = cos.shape(3);
    let pair = ABSOLUTE_POS;
    if pair < rotated.shape(0) * heads * tokens * half {
        // The position in the result, which is contiguous.
        let vector = pair / half;
        let channel = pair - vector * half;
        let token = vector % tokens;
        let head = vector / tokens % heads;
        let row = vector / (tokens * heads);

        let from = row * x.stride(0) + head * x.stride(1) + token * x.stride(2);
        let a = f32::cast_from(x[from + channel * x.stride(3)]);
        let b = f32::cast_from(x[from + (channel + half) * x.stride(3)]);
        // With one row of angles, all rows have the same positions.
        let row_of_angles = select(cos.shape(0) == 1, 0usize, row);
        let angle = (row_of_angles * tokens + token) * half + channel;
        let (cos, sin) = (f32::cast_from(cos[angle]), f32::cast_from(sin[angle]));

        let to = vector * half * 2 + channel;
        rotated[to] = F::cast_from(a * cos - b * sin);
        rotated[to + half] = F::cast_from(b * cos + a * sin);
    }
}

/// Rotates `x`, `[rows, heads, tokens, head_dim]`, by angles `[rows or 1, 1, tokens, head_dim / 2]`.
pub(super) fn rotary<R: CubeRuntime>([x, cos, sin]: [CubeTensor<R>; 3]) -> [CubeTensor<R>; 1] {
    let [cos, sin] = contiguous([cos, sin]);
    let rotated = empty(&x, x.meta.shape().clone(), x.dtype);
    let formats = [x.dtype.into(), cos.dtype.into()];
    // SAFETY: the kernel checks that its pair exists, and reads `x` with its own strides.
    unsafe {
        rotate_pair::launch_unchecked(
            &rotated.client,
            groups_for_values(rotated.meta.num_elements() / 2),
            group(),
            addresses(&[&x, &rotated]),
            x.into_tensor_arg(),
            cos.into_tensor_arg(),
            sin.into_tensor_arg(),
            rotated.clone().into_tensor_arg(),
            formats,
        );
    }
    [rotated]
}
