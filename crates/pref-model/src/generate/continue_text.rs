//! The loop that continues a text with a key-value cache. In: the ids of a prompt. Out: the ids that
//! follow.

use burn::module::Module;
use burn::tensor::{Int, Tensor, TensorData};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::choose::choose;
use super::options::{GenerateError, GenerateOptions, check};
use crate::decoder::{Cache, Decoder};
use crate::kernels::Kernels;

/// Continues a prompt by at most `max_new_tokens` tokens. The continuation ends earlier at a stop id or
/// at the last position of the model.
///
/// # Errors
/// [`GenerateError`] for a prompt that cannot be continued, or an option outside its range.
pub fn generate<B: Kernels>(
    model: &Decoder<B>,
    prompt: &[u32],
    options: &GenerateOptions,
) -> Result<Vec<u32>, GenerateError> {
    let positions = model.config().max_position_embeddings();
    check(prompt, options, model.config().vocab_size(), positions)?;
    let device = model.devices().remove(0);
    let room = positions - prompt.len();
    let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
    let mut cache = Cache::new(model.config().n_layers());
    let mut output = Vec::new();
    let mut input: Vec<i32> = prompt.iter().map(|&id| id as i32).collect();
    while output.len() < options.max_new_tokens.min(room) {
        let n = input.len();
        let tokens: Tensor<B, 2, Int> = Tensor::from_data(TensorData::new(input, [1, n]), &device);
        let hidden = model.forward(tokens, &[], Some(&mut cache));
        let last = hidden.narrow(1, n - 1, 1).reshape([1, -1]);
        let logits = model.logits(last).into_data().iter::<f32>().collect();
        let next = choose(logits, options, &mut rng);
        output.push(next);
        if options.stop_ids.contains(&next) {
            break;
        }
        input = vec![next as i32];
    }
    Ok(output)
}
