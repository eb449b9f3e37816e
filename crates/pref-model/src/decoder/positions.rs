//! Tables that the layers of one forward pass share. In: the positions of the tokens. Out: for each kind of
//! layer, the rotary tables and the tokens that each token attends to.

use burn::tensor::{Tensor, TensorData, backend::Backend};

use crate::config::{Config, LayerKind, Rope};
use crate::kernels::{Rotary, Visibility};

/// Rotary tables and visibility for each kind of layer of a decoder.
#[derive(Debug)]
pub(super) struct Positions<B: Backend> {
    kinds: Vec<(LayerKind, Rotary<B>, Visibility)>,
}

impl<B: Backend> Positions<B> {
    /// Tables for a batch. `visible` gives the visibility for layers with a window, or without one.
    pub(super) fn new(
        config: &Config,
        device: &B::Device,
        visible: impl Fn(Option<usize>) -> Visibility,
    ) -> Self {
        let mut kinds: Vec<(LayerKind, Rotary<B>, Visibility)> = Vec::new();
        for kind in &config.layers {
            if kinds.iter().all(|(other, ..)| other != kind) {
                let visibility = visible(kind.window);
                let positions = visibility.positions();
                let rotary = rotary(&kind.rope, config.head_dim, &positions, device);
                kinds.push((kind.clone(), rotary, visibility));
            }
        }
        Self { kinds }
    }

    /// The tables for a layer.
    pub(super) fn of(&self, kind: &LayerKind) -> (&Rotary<B>, &Visibility) {
        let found = self.kinds.iter().find(|(other, ..)| other == kind);
        let (_, rotary, visibility) = found.expect("every kind of layer was added");
        (rotary, visibility)
    }
}

/// The rotary tables for each rope of a decoder's layers. `positions` has a list for each row.
pub(super) fn rotary_tables<B: Backend>(
    config: &Config,
    positions: &[Vec<usize>],
    device: &B::Device,
) -> Vec<(LayerKind, Rotary<B>)> {
    let mut tables: Vec<(LayerKind, Rotary<B>)> = Vec::new();
    for kind in &config.layers {
        if tables.iter().all(|(other, _)| other != kind) {
            let rotary = rotary(&kind.rope, config.head_dim, positions, device);
            tables.push((kind.clone(), rotary));
        }
    }
    tables
}

/// Cosines and sines for the positions of each row. If there is one list, all rows have these positions.
fn rotary<B: Backend>(
    rope: &Rope,
    head_dim: usize,
    positions: &[Vec<usize>],
    device: &B::Device,
) -> Rotary<B> {
    let (frequencies, amplitude) = (rope.frequencies(head_dim), rope.amplitude());
    let mut distinct: Vec<usize> = positions.iter().flatten().copied().collect();
    distinct.sort_unstable();
    distinct.dedup();
    let tokens = positions.first().map_or(0, Vec::len);
    let table = |f: fn(f64) -> f64| {
        let of_position = |&position: &usize| {
            let value = move |frequency: &f64| (f(position as f64 * frequency) * amplitude) as f32;
            frequencies.iter().map(value).collect::<Vec<f32>>()
        };
        let by_position: Vec<Vec<f32>> = distinct.iter().map(of_position).collect();
        let all = positions.iter().flatten();
        let values: Vec<f32> = all
            .flat_map(|p| {
                let place = distinct.binary_search(p).unwrap_or_default();
                by_position[place].iter().copied()
            })
            .collect();
        let shape = [positions.len(), 1, tokens, head_dim / 2];
        Tensor::from_data(TensorData::new(values, shape), device)
    };
    Rotary {
        cos: table(f64::cos),
        sin: table(f64::sin),
    }
}
