//! Keys and values of the texts that are continued together. In: the keys and values of prompts. Out: the numbers of
//! blocks, for prompts and for new tokens.

use burn::tensor::{Tensor, backend::Backend};

use crate::config::Config;
use crate::kernels::{Block, KeyValues, TOKENS_OF_A_BLOCK};

/// Keys and values that one layer computed of a prompt, each `[1, kv_heads, tokens, head_dim]`.
pub(super) type OfPrompt<B> = [Tensor<B, 4>; 2];

/// The keys and values of every layer. A block has the same number in all layers.
#[derive(Debug)]
pub(crate) struct Cache<B: Backend> {
    pub(super) layers: Vec<KeyValues<B>>,
    shape: [usize; 3],
    device: B::Device,
    /// Blocks of answers that no text uses.
    free: Vec<usize>,
    /// Numbers that no block has.
    vacant: Vec<usize>,
}

impl<B: Backend> Cache<B> {
    /// A cache without blocks.
    pub(super) fn new(config: &Config, device: &B::Device) -> Self {
        let layer = || KeyValues { blocks: Vec::new() };
        Self {
            layers: (0..config.n_layers()).map(|_| layer()).collect(),
            shape: [config.n_kv_heads, TOKENS_OF_A_BLOCK, config.head_dim],
            device: device.clone(),
            free: Vec::new(),
            vacant: Vec::new(),
        }
    }

    /// The number of a block with the tokens of a prompt, from the keys and values of every layer.
    pub(super) fn add_prompt(&mut self, layers: Vec<OfPrompt<B>>) -> usize {
        let blocks = layers.into_iter().map(|layer| {
            let [keys, values] = layer.map(|x| x.squeeze_dim(0));
            Block { keys, values }
        });
        self.add(blocks.collect())
    }

    /// The number of a block for new tokens. Blocks of texts that ended are used again.
    pub(crate) fn take_block(&mut self) -> usize {
        if let Some(block) = self.free.pop() {
            return block;
        }
        let block = |_| Block::empty(self.shape, &self.device);
        let blocks = self.layers.iter().map(block).collect();
        self.add(blocks)
    }

    /// Takes back a block for new tokens.
    pub(crate) fn return_block(&mut self, block: usize) {
        self.free.push(block);
    }

    /// Frees the memory of a prompt.
    pub(crate) fn remove_prompt(&mut self, block: usize) {
        for layer in &mut self.layers {
            layer.blocks[block] = Block::empty([1, 1, 1], &self.device);
        }
        self.vacant.push(block);
    }

    fn add(&mut self, blocks: Vec<Block<B>>) -> usize {
        let number = self.vacant.pop();
        for (layer, block) in self.layers.iter_mut().zip(blocks) {
            match number {
                Some(number) => layer.blocks[number] = block,
                None => layer.blocks.push(block),
            }
        }
        let last = self.layers.first().map_or(0, |layer| layer.blocks.len());
        number.unwrap_or(last.saturating_sub(1))
    }
}
