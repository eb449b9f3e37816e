//! Continuing texts with cached keys and values. In: a prompt, or one new token of each text. Out: logits of the next
//! tokens; the cache gets the keys and values.

use burn::tensor::{Int, Tensor, TensorData};

use super::cache::Cache;
use super::model::Decoder;
use super::positions::rotary_tables;
use crate::kernels::{Kernels, Texts, in_format, wide};

impl<B: Kernels> Decoder<B> {
    /// A cache without texts.
    pub(crate) fn new_cache(&self) -> Cache<B> {
        Cache::new(&self.config, &self.model.norm.weight.val().device())
    }

    /// Logits of the token after a prompt, `[1, vocab]`, and the number of the cache's block with its keys and values.
    pub(crate) fn read_prompt(&self, ids: &[u32], cache: &mut Cache<B>) -> (Tensor<B, 2>, usize) {
        let mut kept = Vec::new();
        let tokens = self.ids(ids, [1, ids.len()]);
        let hidden = self.forward(tokens, &[], Some(&mut kept));
        let last = hidden.narrow(1, ids.len() - 1, 1).reshape([1, -1]);
        (self.step_logits(last), cache.add_prompt(kept))
    }

    /// Logits `[rows, vocab]` of the tokens that follow one new token of each text.
    pub(crate) fn step(&self, tokens: &[u32], texts: &Texts, cache: &mut Cache<B>) -> Tensor<B, 2> {
        let config = &self.config;
        let rows = tokens.len();
        let mut x = self.embed(self.ids(tokens, [rows, 1]));
        let positions: Vec<Vec<usize>> = texts
            .rows()
            .iter()
            .map(|text| vec![text.position()])
            .collect();
        let tables = rotary_tables(config, &positions, &x.device());
        for (i, layer) in self.model.layers.iter().enumerate() {
            let kind = &config.layers[i];
            let (_, rotary) = &tables[tables.iter().position(|(k, _)| k == kind).unwrap_or(0)];
            let blocks = &mut cache.layers[i];
            x = layer.forward(
                x,
                config,
                self.precision.format(),
                |x| layer.self_attn.step(x, config, kind, rotary, blocks, texts),
                |x| layer.mlp.step(x, config),
            );
        }
        let hidden = self.normed(x, [rows, 1]).reshape([rows as i32, -1]);
        self.step_logits(hidden)
    }

    /// Logits in float32 of hidden states, where no row depends on the others.
    fn step_logits(&self, hidden: Tensor<B, 2>) -> Tensor<B, 2> {
        let hidden = in_format(hidden, self.precision.format());
        let logits = wide(match self.adapted_head() {
            Some(head) => head.step(hidden),
            None => B::project_rows(hidden, self.head()),
        });
        match self.config.logit_softcap {
            Some(cap) => (logits / cap).tanh() * cap,
            None => logits,
        }
    }

    fn ids(&self, ids: &[u32], shape: [usize; 2]) -> Tensor<B, 2, Int> {
        let ids: Vec<i32> = ids.iter().map(|&id| id as i32).collect();
        let device = self.model.norm.weight.val().device();
        Tensor::from_data(TensorData::new(ids, shape), &device)
    }
}
