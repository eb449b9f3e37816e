//! Rotary position embeddings. In: the angle of every position and pair of channels. Out: rotated
//! queries or keys.

use burn::tensor::{Tensor, backend::Backend};

/// Cosines and sines of the angles of a batch, times the amplitude of the rope.
#[derive(Clone, Debug)]
pub struct Rotary<B: Backend> {
    /// `[rows or 1, 1, tokens, head_dim / 2]`. With one row, all rows have the same positions.
    pub cos: Tensor<B, 4>,
    /// The same shape.
    pub sin: Tensor<B, 4>,
}

impl<B: Backend> Rotary<B> {
    /// Rotates `[rows, heads, tokens, head_dim]`: channel `i` with channel `i + head_dim / 2`.
    pub(super) fn rotate(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let half = x.dims()[3] / 2;
        let a = x.clone().narrow(3, 0, half);
        let b = x.narrow(3, half, half);
        let (cos, sin) = (&self.cos, &self.sin);
        let rotated_a = a.clone() * cos.clone() - b.clone() * sin.clone();
        let rotated_b = b * cos.clone() + a * sin.clone();
        Tensor::cat(vec![rotated_a, rotated_b], 3)
    }
}
