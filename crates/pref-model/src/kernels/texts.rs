//! Texts that are continued together, one token at a time. In: which blocks of a cache hold the tokens of each text.
//! Out: the descriptions that the operation on the cache takes.

use burn::tensor::{Tensor, backend::Backend};

/// Number of tokens of a block for new tokens.
pub const TOKENS_OF_A_BLOCK: usize = 128;

/// Keys and values of some tokens of one layer.
#[derive(Clone, Debug)]
pub struct Block<B: Backend> {
    /// `[kv_heads, places, head_dim]`.
    pub keys: Tensor<B, 3>,
    /// The same shape.
    pub values: Tensor<B, 3>,
}

impl<B: Backend> Block<B> {
    /// A block without tokens, with this number of places.
    pub fn empty([kv_heads, places, head_dim]: [usize; 3], device: &B::Device) -> Self {
        let zeros = || Tensor::zeros([kv_heads, places, head_dim], device);
        Self {
            keys: zeros(),
            values: zeros(),
        }
    }
}

/// The keys and values of one layer. A block never moves and is never copied; new tokens are written into it.
#[derive(Clone, Debug)]
pub struct KeyValues<B: Backend> {
    /// The blocks, which a [`CachedText`] names by their numbers.
    pub blocks: Vec<Block<B>>,
}

/// Where the keys and values of a text are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachedText {
    /// The block with the tokens of the prompt. Several texts can have the same one.
    pub prompt: usize,
    /// Number of tokens of the prompt.
    pub n_prompt: usize,
    /// The blocks with the tokens after the prompt, each of [`TOKENS_OF_A_BLOCK`] places. There is a place for the
    /// new token.
    pub answer: Vec<usize>,
    /// Number of tokens after the prompt, without the new one.
    pub n_answer: usize,
}

impl CachedText {
    /// The position of the new token.
    pub fn position(&self) -> usize {
        self.n_prompt + self.n_answer
    }

    /// The block of the new token, and its place in the block.
    pub fn new_place(&self) -> (usize, usize) {
        let block = self.answer[self.n_answer / TOKENS_OF_A_BLOCK];
        (block, self.n_answer % TOKENS_OF_A_BLOCK)
    }

    /// The blocks after the prompt with the number of their tokens, the new token included.
    pub fn answer_parts(&self) -> impl Iterator<Item = (usize, usize)> {
        let n = self.n_answer + 1;
        let parts = self.answer.iter().enumerate();
        parts.filter_map(move |(i, &block)| {
            let before = i * TOKENS_OF_A_BLOCK;
            (before < n).then(|| (block, (n - before).min(TOKENS_OF_A_BLOCK)))
        })
    }

    /// The first position that the new token sees in a layer with this window.
    pub fn first_seen(&self, window: Option<usize>) -> usize {
        window.map_or(0, |window| (self.position() + 1).saturating_sub(window))
    }
}

/// The texts of one step. Each gets one token.
#[derive(Clone, Debug)]
pub struct Texts {
    texts: Vec<CachedText>,
    groups: Vec<Vec<usize>>,
}

impl Texts {
    /// The texts in the order of the rows of the step.
    pub fn new(texts: Vec<CachedText>) -> Self {
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_by_key(|&row| texts[row].prompt);
        let groups = order.chunk_by(|&a, &b| texts[a].prompt == texts[b].prompt);
        let groups = groups.map(<[usize]>::to_vec).collect();
        Self { texts, groups }
    }

    /// One text for each row.
    pub fn rows(&self) -> &[CachedText] {
        &self.texts
    }

    /// The rows that share a prompt.
    pub fn groups(&self) -> &[Vec<usize>] {
        &self.groups
    }
}
