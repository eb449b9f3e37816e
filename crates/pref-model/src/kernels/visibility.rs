//! Which tokens each token of a batch attends to. In: the sizes of a batch, an optional window, and the
//! branches of rows that hold two answers. Out: the rule, and for plain bodies a mask.

use std::any::Any;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use burn::tensor::{Tensor, TensorData, backend::Backend};

/// Added to the attention score of a token that is not visible. Every token attends to itself, so no row has
/// only such scores. `−∞` is faster than a large negative number, because libm computes `e^−1e9` on its slow
/// path for underflow.
const INVISIBLE: f32 = f32::NEG_INFINITY;

/// Some queries, and the keys that at least one of them sees.
#[derive(Clone, Debug)]
pub(super) struct Block<B: Backend> {
    /// Numbers of new tokens.
    pub(super) queries: Range<usize>,
    /// Numbers of tokens, cached ones included.
    pub(super) keys: Range<usize>,
    /// Added to the scores, `[rows or 1, 1, queries, keys]`. With one row, all rows see the same.
    pub(super) mask: Tensor<B, 4>,
}

/// What a backend has stored.
type Stored = Arc<OnceLock<Box<dyn Any + Send + Sync>>>;

/// The tokens that each token of a batch attends to: itself and earlier tokens within the window.
///
/// A row can hold two answers to one prompt: prompt, first answer, second answer. Tokens of the second
/// answer do not attend to the first answer, and their positions continue the positions of the prompt.
#[derive(Clone, Debug)]
pub struct Visibility {
    /// Number of rows.
    pub rows: usize,
    /// Number of new tokens per row.
    pub tokens: usize,
    /// Number of cached tokens before the new ones.
    pub before: usize,
    /// A token attends to tokens that are less than this number of positions before it. `None` for no limit.
    pub window: Option<usize>,
    /// The tokens of the first answer of each row. Empty if every row is one text.
    pub branches: Arc<[Range<usize>]>,
    /// Number of query heads, and of key and value heads.
    pub heads: [usize; 2],
    /// The mask of the first backend that asked for one. All layers and their backward passes share it.
    mask: Stored,
    /// The size and the blocks of the first call that asked for them, shared in the same way.
    blocks: Stored,
}

impl Visibility {
    /// Rows that each hold one text. `tokens` new tokens follow `before` cached tokens. `heads` are the numbers
    /// of query heads and of key and value heads.
    pub fn causal(
        rows: usize,
        tokens: usize,
        before: usize,
        window: Option<usize>,
        heads: [usize; 2],
    ) -> Self {
        Self {
            rows,
            tokens,
            before,
            window,
            branches: Arc::default(),
            heads,
            mask: Arc::default(),
            blocks: Arc::default(),
        }
    }

    /// Rows that each hold two answers to one prompt. `branches[row]` are the tokens of the first answer.
    pub fn branched(
        branches: &[Range<usize>],
        tokens: usize,
        window: Option<usize>,
        heads: [usize; 2],
    ) -> Self {
        Self {
            branches: branches.into(),
            ..Self::causal(branches.len(), tokens, 0, window, heads)
        }
    }

    /// Positions of the new tokens of each row. If all rows have the same positions, there is one list.
    pub fn positions(&self) -> Vec<Vec<usize>> {
        if self.branches.is_empty() {
            return vec![(self.before..self.before + self.tokens).collect()];
        }
        let of_row = |branch: &Range<usize>| {
            let position = |t: usize| position(branch, t);
            (0..self.tokens).map(position).collect()
        };
        self.branches.iter().map(of_row).collect()
    }

    /// The new tokens in blocks of `size`. They are computed once and stored.
    pub(super) fn blocks<B: Backend>(&self, size: usize, device: &B::Device) -> Arc<[Block<B>]> {
        let make = || -> (usize, Arc<[Block<B>]>) {
            let starts = (0..self.tokens).step_by(size);
            let ranges = starts.map(|start| start..self.tokens.min(start + size));
            let blocks = ranges.map(|queries| self.block(queries, device));
            (size, blocks.collect())
        };
        let stored = self.blocks.get_or_init(|| Box::new(make()));
        match stored.downcast_ref::<(usize, Arc<[Block<B>]>)>() {
            Some((of_size, blocks)) if *of_size == size => Arc::clone(blocks),
            _ => make().1,
        }
    }

    fn block<B: Backend>(&self, queries: Range<usize>, device: &B::Device) -> Block<B> {
        let end = self.before + queries.end;
        // In rows of two answers, a window of positions can reach back over the first answer.
        let start = match self.window {
            Some(window) if self.branches.is_empty() => {
                (self.before + queries.start + 1).saturating_sub(window)
            }
            _ => 0,
        };
        let keys = start..end;
        let of_queries = self.before + queries.start..end;
        Block {
            mask: self.mask_of(of_queries, keys.clone(), device),
            queries,
            keys,
        }
    }

    /// `[rows or 1, 1, queries, keys]`, computed on the device from a few values of each token.
    fn mask_of<B: Backend>(
        &self,
        queries: Range<usize>,
        keys: Range<usize>,
        device: &B::Device,
    ) -> Tensor<B, 4> {
        let rows = self.branches.len().max(1);
        let values = |tokens: &Range<usize>, of: &dyn Fn(usize, usize) -> f32| -> Vec<f32> {
            let cells = (0..rows).flat_map(|row| tokens.clone().map(move |t| (row, t)));
            cells.map(|(row, t)| of(row, t)).collect()
        };
        // Each has its own data: a tensor used both as it is and transposed gave wrong masks on wgpu.
        let column = |of: &dyn Fn(usize, usize) -> f32| -> Tensor<B, 4> {
            let values = TensorData::new(values(&queries, of), [rows, 1, queries.len(), 1]);
            Tensor::from_data(values, device)
        };
        let across = |of: &dyn Fn(usize, usize) -> f32| -> Tensor<B, 4> {
            let values = TensorData::new(values(&keys, of), [rows, 1, 1, keys.len()]);
            Tensor::from_data(values, device)
        };
        let index = |_: usize, t: usize| t as f32;
        let mut hidden = across(&index).greater(column(&index)).float();
        let branch = |row: usize| self.branches.get(row).cloned().unwrap_or(0..0);
        if !self.branches.is_empty() {
            let is_first = |row: usize, t: usize| f32::from(u8::from(branch(row).contains(&t)));
            let is_second = |row: usize, t: usize| f32::from(u8::from(t >= branch(row).end));
            hidden = hidden + column(&is_second) * across(&is_first);
        }
        if let Some(window) = self.window {
            let position = |row: usize, t: usize| position(&branch(row), t) as f32;
            let distance = column(&position) - across(&position);
            hidden = hidden + distance.greater_equal_elem(window as f32).float();
        }
        let mask = hidden.zeros_like();
        mask.mask_fill(hidden.greater_elem(0.0), INVISIBLE)
    }

    /// Values to add to the attention scores. They are computed once and stored.
    ///
    /// # Shapes
    /// `[1, 1, group · tokens · total]` for rows of one text, `[rows · kv_heads, 1, group · tokens · total]`
    /// for rows of two answers. `group` is `heads / kv_heads`, and `total` is `before + tokens`. `None` if
    /// every new token attends to all tokens.
    pub(super) fn mask<B: Backend>(&self, device: &B::Device) -> Option<Tensor<B, 3>> {
        let make = || match self.branches.is_empty() {
            true => self.causal_mask::<B>(device),
            false => Some(self.branched_mask::<B>(device)),
        };
        let stored = self.mask.get_or_init(|| Box::new(make()));
        match stored.downcast_ref::<Option<Tensor<B, 3>>>() {
            Some(mask) => mask.clone(),
            None => make(),
        }
    }

    fn causal_mask<B: Backend>(&self, device: &B::Device) -> Option<Tensor<B, 3>> {
        let Self { tokens, before, .. } = *self;
        let total = before + tokens;
        if tokens == 1 && self.window.is_none_or(|window| total <= window) {
            return None;
        }
        let [heads, kv_heads] = self.heads;
        let group = heads / kv_heads;
        let sees = |i: usize, j: usize| j <= i && self.window.is_none_or(|window| j + window > i);
        let one_head: Vec<f32> = (before..total)
            .flat_map(|i| (0..total).map(move |j| (i, j)))
            .map(|(i, j)| if sees(i, j) { 0.0 } else { INVISIBLE })
            .collect();
        let shape = [1, 1, group * tokens * total];
        Some(Tensor::from_data(
            TensorData::new(one_head.repeat(group), shape),
            device,
        ))
    }

    /// The mask of rows of two answers, for all tokens and heads.
    fn branched_mask<B: Backend>(&self, device: &B::Device) -> Tensor<B, 3> {
        let Self { rows, tokens, .. } = *self;
        let [heads, kv_heads] = self.heads;
        let group = heads / kv_heads;
        let mask = self.mask_of(0..tokens, 0..tokens, device);
        // One copy per head: the layers share the mask, and adding tensors of one shape is fastest.
        let mask = mask.repeat(&[1, kv_heads, group, 1]);
        mask.reshape([rows * kv_heads, 1, group * tokens * tokens])
    }
}

/// The position of token `t` of a row. The second answer continues the positions of the prompt.
fn position(branch: &Range<usize>, t: usize) -> usize {
    match t < branch.end {
        true => t,
        false => t - branch.len(),
    }
}
