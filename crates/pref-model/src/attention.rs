//! Grouped-query attention with rotary positions, a causal mask and an optional window.
//! In: hidden states of new tokens, and the keys and values before them. Out: hidden states.

use std::ops::Range;

use burn::module::Module;
use burn::tensor::{Tensor, TensorData, activation::softmax, backend::Backend};

use crate::config::{Config, LayerKind, Rope};
use crate::layers::{Linear, Norm};

/// What is added to the score of a token that must not be seen. Every token sees itself, so no row
/// is without a finite score; and `e^−∞` is 0 at once, where `e^−1e9` goes through libm's slow path
/// for underflow.
const UNSEEN: f32 = f32::NEG_INFINITY;

#[derive(Module, Debug)]
pub(crate) struct Attention<B: Backend> {
    pub(crate) q_proj: Linear<B>,
    pub(crate) k_proj: Linear<B>,
    pub(crate) v_proj: Linear<B>,
    pub(crate) o_proj: Linear<B>,
    pub(crate) q_norm: Option<Norm<B>>,
    pub(crate) k_norm: Option<Norm<B>>,
}

/// Keys and values of the tokens so far, `[rows, kv_heads, tokens, head_dim]`.
#[derive(Clone, Debug)]
pub(crate) struct KeysValues<B: Backend> {
    keys: Tensor<B, 4>,
    values: Tensor<B, 4>,
}

/// What the layers of one forward pass share: rotary tables and masks, one of each kind.
#[derive(Debug)]
pub(crate) struct Positions<B: Backend> {
    kinds: Vec<Kind<B>>,
    rows: usize,
    tokens: usize,
}

type Kind<B> = (LayerKind, Rotary<B>, Option<Tensor<B, 3>>);

/// `cos` and `sin` of every position's angles, times the rope's amplitude, `[1 or rows, 1, tokens, head_dim / 2]`.
#[derive(Clone, Debug)]
struct Rotary<B: Backend> {
    cos: Tensor<B, 4>,
    sin: Tensor<B, 4>,
}

impl<B: Backend> Positions<B> {
    /// For `tokens` new tokens after `before` others.
    pub(crate) fn new(
        config: &Config,
        rows: usize,
        tokens: usize,
        before: usize,
        device: &B::Device,
    ) -> Self {
        let all: Vec<usize> = (before..before + tokens).collect();
        let kinds = kinds(config, &[all], device, |window| {
            mask(window, config, tokens, before, device)
        });
        Self {
            kinds,
            rows,
            tokens,
        }
    }

    /// For rows of `tokens` tokens that hold two continuations of one beginning: `branches[row]` is
    /// the first, which those behind do not see.
    pub(crate) fn branched(
        config: &Config,
        branches: &[Range<usize>],
        tokens: usize,
        device: &B::Device,
    ) -> Self {
        // behind the first continuation positions go on from the beginning's end
        let place = |branch: &Range<usize>, t: usize| match t < branch.end {
            true => t,
            false => t - branch.len(),
        };
        let rows = branches.iter();
        let places: Vec<Vec<usize>> = rows
            .map(|branch| (0..tokens).map(|t| place(branch, t)).collect())
            .collect();
        let kinds = kinds(config, &places, device, |window| {
            Some(branched_mask(window, config, branches, &places, device))
        });
        Self {
            kinds,
            rows: branches.len(),
            tokens,
        }
    }

    fn of(&self, kind: &LayerKind) -> (&Rotary<B>, Option<&Tensor<B, 3>>) {
        let found = self.kinds.iter().find(|(known, ..)| known == kind);
        let (_, rotary, mask) = found.expect("every layer's kind was added");
        (rotary, mask.as_ref())
    }
}

/// A rotary table and a mask for each kind of layer.
fn kinds<B: Backend>(
    config: &Config,
    positions: &[Vec<usize>],
    device: &B::Device,
    mask: impl Fn(Option<usize>) -> Option<Tensor<B, 3>>,
) -> Vec<Kind<B>> {
    let mut kinds: Vec<Kind<B>> = Vec::new();
    for kind in &config.layers {
        if kinds.iter().all(|(known, ..)| known != kind) {
            let rotary = Rotary::new(&kind.rope, config.head_dim, positions, device);
            kinds.push((kind.clone(), rotary, mask(kind.window)));
        }
    }
    kinds
}

impl<B: Backend> Rotary<B> {
    /// Of the positions of each row, or of all rows alike.
    fn new(rope: &Rope, head_dim: usize, positions: &[Vec<usize>], device: &B::Device) -> Self {
        let (frequencies, amplitude) = (rope.frequencies(head_dim), rope.amplitude());
        let last = positions.iter().flatten().copied().max().unwrap_or(0);
        let first = positions.iter().flatten().copied().min().unwrap_or(0);
        let tokens = positions.first().map_or(0, Vec::len);
        let table = |f: fn(f64) -> f64| {
            let of_position = |position: usize| {
                let angle =
                    move |frequency: &f64| (f(position as f64 * frequency) * amplitude) as f32;
                frequencies.iter().map(angle).collect::<Vec<f32>>()
            };
            let known: Vec<Vec<f32>> = (first..=last).map(of_position).collect();
            let all = positions.iter().flatten();
            let values: Vec<f32> = all
                .flat_map(|&p| known[p - first].iter().copied())
                .collect();
            let shape = [positions.len(), 1, tokens, head_dim / 2];
            Tensor::from_data(TensorData::new(values, shape), device)
        };
        Self {
            cos: table(f64::cos),
            sin: table(f64::sin),
        }
    }

    /// Rotates `[rows, heads, tokens, head_dim]`: channel `i` with channel `i + head_dim/2`.
    fn rotate(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let half = x.dims()[3] / 2;
        let a = x.clone().narrow(3, 0, half);
        let b = x.narrow(3, half, half);
        let (cos, sin) = (&self.cos, &self.sin);
        let turned_a = a.clone() * cos.clone() - b.clone() * sin.clone();
        let turned_b = b * cos.clone() + a * sin.clone();
        Tensor::cat(vec![turned_a, turned_b], 3)
    }
}

/// What is added to the scores, `[1, 1, group · tokens · (before + tokens)]`; nothing where every
/// token is seen.
fn mask<B: Backend>(
    window: Option<usize>,
    config: &Config,
    tokens: usize,
    before: usize,
    device: &B::Device,
) -> Option<Tensor<B, 3>> {
    let total = before + tokens;
    if tokens == 1 && window.is_none_or(|window| total <= window) {
        return None;
    }
    let group = config.n_heads / config.n_kv_heads;
    let sees = |i: usize, j: usize| j <= i && window.is_none_or(|window| j + window > i);
    let one_head: Vec<f32> = (before..total)
        .flat_map(|i| (0..total).map(move |j| (i, j)))
        .map(|(i, j)| if sees(i, j) { 0.0 } else { UNSEEN })
        .collect();
    let shape = [1, 1, group * tokens * total];
    Some(Tensor::from_data(
        TensorData::new(one_head.repeat(group), shape),
        device,
    ))
}

/// What is added to the scores of rows with two continuations each,
/// `[rows · kv_heads, 1, group · tokens · tokens]`, made on the device from what is known of each token.
fn branched_mask<B: Backend>(
    window: Option<usize>,
    config: &Config,
    branches: &[Range<usize>],
    places: &[Vec<usize>],
    device: &B::Device,
) -> Tensor<B, 3> {
    let rows = branches.len();
    let tokens = places.first().map_or(0, Vec::len);
    let column = |of: &dyn Fn(usize, usize) -> f32| -> Tensor<B, 4> {
        let cells = (0..rows).flat_map(|row| (0..tokens).map(move |t| (row, t)));
        let values: Vec<f32> = cells.map(|(row, t)| of(row, t)).collect();
        Tensor::from_data(TensorData::new(values, [rows, 1, tokens, 1]), device)
    };
    let flag = |holds: bool| f32::from(u8::from(holds));
    let behind = column(&|row, t| flag(t >= branches[row].end));
    let within = column(&|row, t| flag(branches[row].contains(&t)));
    let index = column(&|_, t| t as f32);
    let across = |x: Tensor<B, 4>| x.swap_dims(2, 3); // [rows, 1, 1, tokens]

    let mut unseen = behind * across(within);
    unseen = unseen + across(index.clone()).greater(index).float();
    if let Some(window) = window {
        let place = column(&|row, t| places[row][t] as f32);
        let distance = place.clone() - across(place);
        unseen = unseen + distance.greater_equal_elem(window as f32).float();
    }
    let group = config.n_heads / config.n_kv_heads;
    let mask = unseen.zeros_like();
    let mask = mask.mask_fill(unseen.greater_elem(0.0), UNSEEN);
    // of every head its own: the layers share one mask, and adding like to like is the fast way
    let mask = mask.repeat(&[1, config.n_kv_heads, group, 1]);
    mask.reshape([rows * config.n_kv_heads, 1, group * tokens * tokens])
}

impl<B: Backend> Attention<B> {
    /// `[rows · tokens, hidden]` to the same, the cache extended by the new tokens.
    pub(crate) fn forward(
        &self,
        x: Tensor<B, 2>,
        config: &Config,
        kind: &LayerKind,
        positions: &Positions<B>,
        cache: Option<&mut Option<KeysValues<B>>>,
    ) -> Tensor<B, 2> {
        let (rotary, mask) = positions.of(kind);
        let Positions { rows, tokens, .. } = *positions;
        let (heads, kv_heads, head_dim) = (config.n_heads, config.n_kv_heads, config.head_dim);
        // [rows · tokens, heads · head_dim] → [rows, heads, tokens, head_dim]
        let split = |x: Tensor<B, 2>, heads: usize, norm: Option<&Norm<B>>| {
            let x = x.reshape([rows, tokens, heads, head_dim]);
            let x = match norm {
                Some(norm) => norm.forward(x, config),
                None => x,
            };
            x.swap_dims(1, 2)
        };
        let queries = split(self.q_proj.forward(x.clone()), heads, self.q_norm.as_ref());
        let keys = split(
            self.k_proj.forward(x.clone()),
            kv_heads,
            self.k_norm.as_ref(),
        );
        let values = split(self.v_proj.forward(x), kv_heads, None);
        let queries = rotary.rotate(queries) * config.attention_scale;
        let (keys, values) = extend(cache, rotary.rotate(keys), values);

        // the heads of a group share keys and values: they become more rows of one product
        let group = heads / kv_heads;
        let total = keys.dims()[2];
        let queries = queries.reshape([rows, kv_heads, group * tokens, head_dim]);
        let mut scores = queries.matmul(keys.swap_dims(2, 3)); // [rows, kv_heads, group · tokens, total]
        if let Some(cap) = config.attention_softcap {
            scores = (scores / cap).tanh() * cap;
        }
        if let Some(mask) = mask {
            // as [masks, rows and heads of each, scores]: a shared row, added in one sweep
            let [masks, _, row] = mask.dims();
            let flat = scores.reshape([masks, rows * kv_heads / masks, row]) + mask.clone();
            scores = flat.reshape([rows, kv_heads, group * tokens, total]);
        }
        debug_assert_eq!(scores.dims(), [rows, kv_heads, group * tokens, total]);
        let seen = softmax(scores, 3).matmul(values);
        let seen = seen
            .reshape([rows, heads, tokens, head_dim])
            .swap_dims(1, 2)
            .reshape([rows * tokens, heads * head_dim]);
        self.o_proj.forward(seen)
    }
}

/// All keys and values, those of the cache first.
fn extend<B: Backend>(
    cache: Option<&mut Option<KeysValues<B>>>,
    keys: Tensor<B, 4>,
    values: Tensor<B, 4>,
) -> (Tensor<B, 4>, Tensor<B, 4>) {
    let Some(slot) = cache else {
        return (keys, values);
    };
    let (keys, values) = match slot.take() {
        Some(old) => (
            Tensor::cat(vec![old.keys, keys], 2),
            Tensor::cat(vec![old.values, values], 2),
        ),
        None => (keys, values),
    };
    *slot = Some(KeysValues {
        keys: keys.clone(),
        values: values.clone(),
    });
    (keys, values)
}
