//! What the layers of one forward pass share. In: the positions of the tokens. Out: rotary tables and
//! the tokens that each token sees, one of both per kind of layer.

use burn::tensor::{Tensor, TensorData, backend::Backend};

use crate::config::{Config, LayerKind, Rope};
use crate::kernels::{Rotary, Visibility};

/// Rotary tables and visibility for each kind of layer of a decoder.
#[derive(Debug)]
pub(super) struct Positions<B: Backend> {
    kinds: Vec<(LayerKind, Rotary<B>, Visibility<B>)>,
    pub(super) rows: usize,
    pub(super) tokens: usize,
}

impl<B: Backend> Positions<B> {
    /// Tables for a batch, whose visibility `visible` gives for a layer with this window.
    pub(super) fn new(
        config: &Config,
        device: &B::Device,
        visible: impl Fn(Option<usize>) -> Visibility<B>,
    ) -> Self {
        let mut kinds: Vec<(LayerKind, Rotary<B>, Visibility<B>)> = Vec::new();
        let mut size = (0, 0);
        for kind in &config.layers {
            if kinds.iter().all(|(known, ..)| known != kind) {
                let visibility = visible(kind.window);
                size = (visibility.rows, visibility.tokens);
                let positions = visibility.positions();
                let rotary = rotary(&kind.rope, config.head_dim, &positions, device);
                kinds.push((kind.clone(), rotary, visibility));
            }
        }
        Self {
            kinds,
            rows: size.0,
            tokens: size.1,
        }
    }

    /// The tables for a layer.
    pub(super) fn of(&self, kind: &LayerKind) -> (&Rotary<B>, &Visibility<B>) {
        let found = self.kinds.iter().find(|(known, ..)| known == kind);
        let (_, rotary, visibility) = found.expect("every kind of layer was added");
        (rotary, visibility)
    }
}

/// Cosines and sines for the positions of each row, or of all rows if there is one list.
fn rotary<B: Backend>(
    rope: &Rope,
    head_dim: usize,
    positions: &[Vec<usize>],
    device: &B::Device,
) -> Rotary<B> {
    let (frequencies, amplitude) = (rope.frequencies(head_dim), rope.amplitude());
    let last = positions.iter().flatten().copied().max().unwrap_or(0);
    let first = positions.iter().flatten().copied().min().unwrap_or(0);
    let tokens = positions.first().map_or(0, Vec::len);
    let table = |f: fn(f64) -> f64| {
        let of_position = |position: usize| {
            let value = move |frequency: &f64| (f(position as f64 * frequency) * amplitude) as f32;
            frequencies.iter().map(value).collect::<Vec<f32>>()
        };
        let known: Vec<Vec<f32>> = (first..=last).map(of_position).collect();
        let all = positions.iter().flatten();
        let values: Vec<f32> = all
            .flat_map(|&p| known[p - first].iter().copied())
            .collect();
        let shape = [positions.len(), 1, tokens, head_dim / 2];
        Tensor::from_data(TensorData::new(values, shape), device)
    };
    Rotary {
        cos: table(f64::cos),
        sin: table(f64::sin),
    }
}
