//! Shapes in, made-up data of those shapes out: the same numbers on every run and machine.

use burn::tensor::{Tensor, TensorData, backend::Backend};
use pref_core::{PairBatch, Side};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Pairs with log-probs between −4 and 0 nats under policy and reference, `[pairs, tokens]`.
///
/// Answers have between half and all of `tokens`, so that a batch is padded as real ones are. The
/// policy's log-probs are leaves of the graph where the backend has one.
pub fn pairs<B: Backend>(pairs: usize, tokens: usize, device: &B::Device) -> PairBatch<B> {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut side = || {
        let lengths: Vec<usize> = (0..pairs)
            .map(|_| rng.random_range(tokens / 2..=tokens))
            .collect();
        let mask = fill(&lengths, tokens, || 1.0);
        let policy = fill(&lengths, tokens, || rng.random_range(-4.0..0.0));
        let reference = fill(&lengths, tokens, || rng.random_range(-4.0..0.0));
        let tensor = |values| -> Tensor<B, 2> {
            Tensor::from_data(TensorData::new(values, [pairs, tokens]), device)
        };
        Side::new(tensor(policy).require_grad(), tensor(mask)).with_reference(tensor(reference))
    };
    PairBatch::new(side(), side())
}

/// Rows of `tokens` values, the first of each drawn from `value`, zeros past the row's length.
fn fill(lengths: &[usize], tokens: usize, mut value: impl FnMut() -> f32) -> Vec<f32> {
    let mut values = vec![0.0; lengths.len() * tokens];
    for (row, &length) in values.chunks_mut(tokens).zip(lengths) {
        row[..length].fill_with(&mut value);
    }
    values
}
