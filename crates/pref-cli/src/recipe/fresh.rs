//! The decoder that the recipe starts from. In: lessons for the tokenizer, and a seed. Out: a folder with a tokenizer and
//! random weights.

use std::path::Path;

use anyhow::{Context, Result};
use pref_data::Tokenizer;
use pref_model::{Config, Decoder, LlamaSizes, SaveDtype};
use pref_train::TrainBackend;

use super::task::Lesson;
use super::tokenizer::{EOS_ID, PAD_ID, write_tokenizer};

/// Writes a Llama with half a million random weights.
pub(super) fn write_fresh_model<B: TrainBackend>(
    folder: &Path,
    lessons: &[Lesson],
    seed: u64,
    device: &B::Device,
) -> Result<()> {
    let texts: Vec<String> = lessons
        .iter()
        .map(|lesson| format!("{}{}", lesson.prompt, lesson.completion))
        .collect();
    write_tokenizer(folder, &texts, 512).context("the recipe's tokenizer")?;
    let tokenizer = Tokenizer::from_folder(folder)?;
    let config = Config::llama(&LlamaSizes {
        vocab: tokenizer.vocab_size(),
        hidden: 128,
        intermediate: 256,
        layers: 3,
        heads: 4,
        kv_heads: 2,
        positions: 256,
        eos: EOS_ID,
        pad: PAD_ID,
    })?;
    let model = Decoder::<B::InnerBackend>::init(&config, seed, device);
    model.save(folder, SaveDtype::F32)?;
    Ok(())
}
