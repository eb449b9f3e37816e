//! Hidden states at single places of a batch. In: token ids, and rows with positions in them. Out: one hidden
//! state per place.

use std::ops::Range;

use burn::tensor::{Int, Tensor, TensorData, backend::Backend};

use crate::policy::Policy;

/// Hidden states at some places of a batch, `[places, hidden]`. A place is a row and a position in it.
/// `branches` is explained in [`Policy::hidden`].
///
/// # Shapes
/// `tokens` is `[rows, tokens]`, padded on the right with any id.
///
/// # Panics
/// If a place is not in the batch.
pub fn hidden_at<B: Backend>(
    model: &impl Policy<B>,
    tokens: Tensor<B, 2, Int>,
    branches: &[Range<usize>],
    places: &[(usize, usize)],
) -> Tensor<B, 2> {
    at_places(model.hidden(tokens, branches), places)
}

/// Some of the hidden states `[rows, tokens, hidden]`, `[places, hidden]`. A place is a row and a position in it.
///
/// # Panics
/// If a place is not among them.
pub fn at_places<B: Backend>(hidden: Tensor<B, 3>, places: &[(usize, usize)]) -> Tensor<B, 2> {
    let [rows, width, size] = hidden.dims();
    let device = hidden.device();
    let flat = places.iter().map(|&(row, t)| {
        assert!(
            row < rows && t < width,
            "position {t} of row {row} is not in {rows} rows of {width} tokens"
        );
        (row * width + t) as i32
    });
    let flat = TensorData::new(flat.collect::<Vec<i32>>(), [places.len()]);
    let flat: Tensor<B, 1, Int> = Tensor::from_data(flat, &device);
    hidden.reshape([rows * width, size]).select(0, flat)
}
