//! Rotary position embeddings. In: the angle of every position and pair of channels. Out: rotated queries or
//! keys.

use burn::backend::Flex;
use burn::tensor::Tensor;

use super::buffers::{contiguous, new_tensor, strided, values, with_rows};
use super::parallel::new_rows;
use crate::kernels::inputs::Rotary;

/// [`Kernels::rotary`](crate::Kernels::rotary). The result lies in memory as `[rows, tokens, heads, head_dim]`, in
/// which the projections before and after attention have it.
pub(super) fn rotary(x: Tensor<Flex, 4>, rotary: &Rotary<Flex>) -> Tensor<Flex, 4> {
    let [rows, heads, tokens, head_dim] = x.dims();
    let half = head_dim / 2;
    let [tables, ..] = rotary.cos.dims();
    let x = with_rows(x);
    let x = strided(&x);
    let (cos, sin) = (
        contiguous(rotary.cos.clone()),
        contiguous(rotary.sin.clone()),
    );
    let (cos, sin) = (values(&cos), values(&sin));
    let rotated = new_rows(
        rows * tokens,
        heads * head_dim,
        #[inline(always)]
        |first, out| {
            for (k, out) in out.chunks_exact_mut(heads * head_dim).enumerate() {
                let (row, token) = ((first + k) / tokens, (first + k) % tokens);
                let table = (row.min(tables - 1) * tokens + token) * half;
                let (cos, sin) = (&cos[table..table + half], &sin[table..table + half]);
                for (head, out) in out.chunks_exact_mut(head_dim).enumerate() {
                    let x = x.from(row, head, token);
                    let (a, b) = x[..head_dim].split_at(half);
                    let (out_a, out_b) = out.split_at_mut(half);
                    for i in 0..half {
                        out_a[i] = a[i] * cos[i] - b[i] * sin[i];
                        out_b[i] = b[i] * cos[i] + a[i] * sin[i];
                    }
                }
            }
        },
    );
    new_tensor(rotated, [rows, tokens, heads, head_dim]).swap_dims(1, 2)
}
