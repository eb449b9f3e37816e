//! One step of texts that are continued together. In: queries, keys and values of one new token of each text. Out:
//! one vector for each text.
//!
//! Texts with the same prompt read its keys and values once, with their queries as lanes side by side. The tokens after
//! the prompt are read for each text alone. The two parts are softmaxes of their own, which are combined at the end
//! (Milakov & Gimelshein 2018, section 3.1). Every lane is computed by itself, so a text has the same bytes whatever
//! texts are continued with it.

use burn::backend::Flex;
use burn::tensor::Tensor;
use burn_flex::FlexTensor;
use rayon::prelude::*;

use super::buffers::{contiguous, new_tensor, tensor, values, values_mut};
use super::lanes::{MOST_LANES, UNIT, lanes_for, multiply, side_by_side};
use super::product::{Matrix, Then};
use super::shared::Shared;
use crate::kernels::inputs::ScoreRule;
use crate::kernels::texts::{Block, KeyValues, Texts};
use crate::vector::{exp, with_vectors};

/// [`Kernels::attention_of_texts`](crate::Kernels::attention_of_texts).
pub(super) fn attention_of_texts(
    new: [Tensor<Flex, 3>; 3],
    cache: &mut KeyValues<Flex>,
    texts: &Texts,
    window: Option<usize>,
    rule: ScoreRule,
) -> Tensor<Flex, 3> {
    let [rows, heads, head_dim] = new[0].dims();
    let [_, kv_heads, _] = new[1].dims();
    let [queries, keys, vectors] = new.map(contiguous);

    let blocks = std::mem::take(&mut cache.blocks).into_iter();
    let mut blocks: Vec<[FlexTensor; 2]> = blocks
        .map(|block| [block.keys, block.values].map(contiguous))
        .collect();
    for (row, text) in texts.rows().iter().enumerate() {
        let (block, place) = text.new_place();
        for (to, from) in blocks[block].iter_mut().zip([&keys, &vectors]) {
            let places = to.layout().shape()[1];
            let from = values(from)[row * kv_heads * head_dim..].chunks_exact(head_dim);
            let to = values_mut(to).chunks_exact_mut(places * head_dim);
            for (to, from) in to.zip(from) {
                to[place * head_dim..(place + 1) * head_dim].copy_from_slice(from);
            }
        }
    }

    let queries = values(&queries);
    let mut attended = vec![0.0; rows * heads * head_dim];
    let out = Shared::of(&mut attended);
    let work = work(texts, heads / kv_heads, kv_heads);
    work.par_iter()
        .for_each_init(Space::default, |space, (kv_head, lanes)| {
            let stretch = |(block, n): (usize, usize)| {
                let head = |tensor: &FlexTensor| {
                    let size = tensor.layout().shape()[1] * head_dim;
                    kv_head * size..kv_head * size + n * head_dim
                };
                let [keys, vectors] = &blocks[block];
                Stretch {
                    keys: &values(keys)[head(keys)],
                    values: &values(vectors)[head(vectors)],
                    n,
                }
            };
            let place = |&(row, head): &(usize, usize)| (row * heads + head) * head_dim;
            let query = |lane| &queries[place(lane)..place(lane) + head_dim];
            let lane_queries: Vec<&[f32]> = lanes.iter().map(query).collect();
            let text_of = |lane: usize| &texts.rows()[lanes[lane].0];
            let n_prompt = text_of(0).n_prompt;
            let prompt = [stretch((text_of(0).prompt, n_prompt))];
            let seen = (0..lanes.len()).map(|lane| text_of(lane).first_seen(window));
            space.seen.clear();
            space.seen.extend(seen);
            space.attend(0, &lane_queries, &prompt, rule);
            let mut first = 0;
            for lanes in lanes.chunk_by(|a, b| a.0 == b.0) {
                let text = text_of(first);
                let from = text.first_seen(window).saturating_sub(n_prompt);
                space.seen.clear();
                space.seen.resize(lanes.len(), from);
                let stretches: Vec<Stretch<'_>> = text.answer_parts().map(stretch).collect();
                let own = &lane_queries[first..first + lanes.len()];
                space.attend(1, own, &stretches, rule);
                for (i, lane) in lanes.iter().enumerate() {
                    // SAFETY: each lane writes the values of its own row and head.
                    let to = unsafe { out.slice(place(lane), head_dim) };
                    let [prompt, answer] = &space.sums;
                    combine(to, (prompt, first + i), (answer, i));
                }
                first += lanes.len();
            }
        });

    cache.blocks = blocks
        .into_iter()
        .map(|[keys, values]| Block {
            keys: tensor(keys),
            values: tensor(values),
        })
        .collect();
    new_tensor(attended, [rows, heads, head_dim])
}

/// What is computed together: a key head, and the rows and query heads that are its lanes. All rows share a prompt, and
/// the heads of a row are neighbours.
fn work(texts: &Texts, group: usize, kv_heads: usize) -> Vec<(usize, Vec<(usize, usize)>)> {
    let lanes_of_a_part = (MOST_LANES / group * group).max(group.min(MOST_LANES));
    let mut work = Vec::new();
    for rows in texts.groups() {
        for kv_head in 0..kv_heads {
            let heads = kv_head * group..(kv_head + 1) * group;
            let of_row = |&row: &usize| heads.clone().map(move |head| (row, head));
            let lanes: Vec<(usize, usize)> = rows.iter().flat_map(of_row).collect();
            let parts = lanes.chunks(lanes_of_a_part);
            work.extend(parts.map(|lanes| (kv_head, lanes.to_vec())));
        }
    }
    work
}

/// Neighbouring keys and values of one head.
struct Stretch<'a> {
    /// `[n, head_dim]`.
    keys: &'a [f32],
    /// The same shape.
    values: &'a [f32],
    n: usize,
}

/// A softmax over a part of the keys, for each lane.
#[derive(Default)]
struct Part {
    lanes: usize,
    /// The largest score; `−∞` if no key is visible.
    largest: Vec<f32>,
    /// The sum of `e^(score − largest)`.
    total: Vec<f32>,
    /// `Σ e^(score − largest) · value`, `[head_dim, lanes]`.
    values: Vec<f32>,
}

/// Memory that a thread uses again.
#[derive(Default)]
struct Space {
    /// `[head_dim, lanes]`.
    queries: Vec<f32>,
    /// `[keys, lanes]`.
    scores: Vec<f32>,
    /// The first key that each lane sees.
    seen: Vec<usize>,
    /// The part of the prompt, and that of the answer.
    sums: [Part; 2],
}

impl Space {
    /// Computes one of the two parts.
    fn attend(&mut self, which: usize, queries: &[&[f32]], keys: &[Stretch<'_>], rule: ScoreRule) {
        let head_dim = queries[0].len();
        let lanes = lanes_for(queries.len());
        side_by_side(queries, head_dim, lanes, &mut self.queries);
        let scale = rule.scale as f32;
        self.queries.iter_mut().for_each(|q| *q *= scale);

        let n: usize = keys.iter().map(|keys| keys.n).sum();
        // Keys before the first visible one of all lanes are left out.
        let skipped = self.seen.iter().copied().min().unwrap_or(0).min(n);
        self.scores.resize((n - skipped) * lanes, 0.0);
        let visible = |f: &mut dyn FnMut(&Stretch<'_>, usize, usize)| {
            let mut start = 0;
            for stretch in keys {
                let from = skipped.saturating_sub(start).min(stretch.n);
                if from < stretch.n {
                    f(stretch, from, start + from - skipped);
                }
                start += stretch.n;
            }
        };
        visible(&mut |stretch, from, row| {
            let left = Matrix::rows(&stretch.keys[from * head_dim..], head_dim);
            let size = [stretch.n - from, head_dim, lanes];
            let out = &mut self.scores[row * lanes..];
            multiply(out, size, left, &self.queries, Then::Write);
        });
        if let Some(cap) = rule.softcap {
            let cap = cap as f32;
            let scores = self.scores.iter_mut();
            scores.for_each(|score| *score = (*score / cap).tanh() * cap);
        }
        for (lane, &seen) in self.seen.iter().enumerate() {
            for row in 0..seen.min(n) - skipped {
                self.scores[row * lanes + lane] = f32::NEG_INFINITY;
            }
        }
        let part = &mut self.sums[which];
        part.lanes = lanes;
        part.largest.clear();
        part.largest.resize(lanes, f32::NEG_INFINITY);
        part.total.clear();
        part.total.resize(lanes, 0.0);
        part.values.clear();
        part.values.resize(head_dim * lanes, 0.0);
        with_vectors(
            #[inline(always)]
            || {
                for first in (0..lanes).step_by(UNIT) {
                    let unit = first..first + UNIT;
                    let (largest, total) = (&mut part.largest[unit.clone()], &mut part.total[unit]);
                    exponentials(&mut self.scores, lanes, first, largest, total);
                }
            },
        );
        visible(&mut |stretch, from, row| {
            let left = Matrix::rows(&stretch.values[from * head_dim..], head_dim).transposed();
            let size = [head_dim, stretch.n - from, lanes];
            let probabilities = &self.scores[row * lanes..];
            multiply(&mut part.values, size, left, probabilities, Then::Add);
        });
    }
}

/// Replaces the scores of a unit of lanes, of which the first is `first`, by `e^(score − largest)`.
#[inline(always)]
fn exponentials(
    scores: &mut [f32],
    lanes: usize,
    first: usize,
    largest: &mut [f32],
    total: &mut [f32],
) {
    let mut most = [f32::NEG_INFINITY; UNIT];
    for row in scores.chunks_exact(lanes) {
        let row = &row[first..first + UNIT];
        for i in 0..UNIT {
            most[i] = if row[i] > most[i] { row[i] } else { most[i] };
        }
    }
    // A lane that sees no key has only scores of −∞, and its exponentials are 0.
    let base = most.map(|x| if x == f32::NEG_INFINITY { 0.0 } else { x });
    let mut sums = [0.0; UNIT];
    for row in scores.chunks_exact_mut(lanes) {
        let row = &mut row[first..first + UNIT];
        for i in 0..UNIT {
            row[i] = exp(row[i] - base[i]);
            sums[i] += row[i];
        }
    }
    largest.copy_from_slice(&most);
    total.copy_from_slice(&sums);
}

/// The softmax over both parts, for one lane of each.
fn combine(to: &mut [f32], (a, a_lane): (&Part, usize), (b, b_lane): (&Part, usize)) {
    with_vectors(
        #[inline(always)]
        || {
            // The new token sees itself, so the part of the answer has a visible key.
            let (a_largest, b_largest) = (a.largest[a_lane], b.largest[b_lane]);
            let largest = a_largest.max(b_largest);
            let (a_weight, b_weight) = (exp(a_largest - largest), exp(b_largest - largest));
            let total = a.total[a_lane] * a_weight + b.total[b_lane] * b_weight;
            let (a_weight, b_weight) = (a_weight / total, b_weight / total);
            for (i, to) in to.iter_mut().enumerate() {
                let a = a.values[i * a.lanes + a_lane];
                let b = b.values[i * b.lanes + b_lane];
                *to = a * a_weight + b * b_weight;
            }
        },
    );
}
