//! A linear map of a few rows. In: vectors and a matrix. Out: their product.
//!
//! The weights take most of the time to read, so each is read once, in the order of memory, and multiplied with all
//! vectors, which are lanes side by side.

use burn::backend::Flex;
use burn::tensor::Tensor;
use rayon::prelude::*;

use super::buffers::{contiguous, new_tensor, values};
use super::lanes::{MOST_LANES, lanes_for, multiply};
use super::parallel::as_values;
use super::product::{Matrix, Then};
use super::shared::Shared;

/// Number of outputs that a thread takes at a time: a multiple of the rows of every tile.
const OUTPUTS: usize = 48;

/// Number of inputs that a thread moves to lanes at a time.
const INPUTS: usize = 64;

/// [`Kernels::project_rows`](crate::Kernels::project_rows).
pub(super) fn project_rows(x: Tensor<Flex, 2>, weight: Tensor<Flex, 2>) -> Tensor<Flex, 2> {
    let [n, k] = x.dims();
    let [n_out, _] = weight.dims();
    let (x, weight) = (contiguous(x), contiguous(weight));
    let (x, weight) = (values(&x), values(&weight));
    if n * n_out == 0 || k == 0 {
        return new_tensor(vec![0.0; n * n_out], [n, n_out]);
    }
    let panels: Vec<Panel> = (0..n)
        .step_by(MOST_LANES)
        .map(|first| Panel::new(x, first..n.min(first + MOST_LANES), k))
        .collect();
    let mut product = Vec::with_capacity(n * n_out);
    let space = &mut product.spare_capacity_mut()[..n * n_out];
    // SAFETY: every value is written below, and none is read before.
    let out = Shared::of(unsafe { as_values(space) });
    let starts: Vec<usize> = (0..n_out).step_by(OUTPUTS).collect();
    starts.par_iter().for_each_init(Vec::new, |tile, &start| {
        let m = OUTPUTS.min(n_out - start);
        let left = Matrix::rows(&weight[start * k..(start + m) * k], k);
        for panel in &panels {
            tile.resize(m * panel.lanes, 0.0);
            let size = [m, k, panel.lanes];
            multiply(tile, size, left, &panel.values, Then::Write);
            for (lane, row) in panel.rows.clone().enumerate() {
                // SAFETY: each thread writes the columns of its own outputs.
                let to = unsafe { out.slice(row * n_out + start, m) };
                for (i, to) in to.iter_mut().enumerate() {
                    *to = tile[i * panel.lanes + lane];
                }
            }
        }
    });
    // SAFETY: all values were written above.
    unsafe { product.set_len(n * n_out) };
    new_tensor(product, [n, n_out])
}

/// Some rows of the input as lanes.
struct Panel {
    rows: std::ops::Range<usize>,
    lanes: usize,
    /// `[k, lanes]`.
    values: Vec<f32>,
}

impl Panel {
    fn new(x: &[f32], rows: std::ops::Range<usize>, k: usize) -> Self {
        let lanes = lanes_for(rows.len());
        let mut values = vec![0.0; k * lanes];
        let parts = values.par_chunks_mut(INPUTS * lanes).enumerate();
        parts.for_each(|(part, to)| {
            let first = part * INPUTS;
            let n = to.len() / lanes;
            for (lane, row) in rows.clone().enumerate() {
                let from = &x[row * k + first..row * k + first + n];
                for (i, &x) in from.iter().enumerate() {
                    to[i * lanes + lane] = x;
                }
            }
        });
        Self {
            rows,
            lanes,
            values,
        }
    }
}
