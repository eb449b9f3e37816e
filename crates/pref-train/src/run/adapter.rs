//! The adapter of a run. In: a decoder and the section `train.lora` of a plan. Out: the decoder with a new adapter,
//! or with a stored one.

use pref_model::{Decoder, Kernels, LoraConfig, Policy};

use crate::error::TrainError;
use crate::plan::{Auto, LoraPlan, Plan};

/// The decoder with the adapter that the plan asks for.
pub(super) fn with_adapter<B: Kernels>(
    decoder: Decoder<B>,
    lora: &LoraPlan,
    plan: &Plan,
) -> Result<Decoder<B>, TrainError> {
    let base = plan.model.path.display().to_string();
    let decoder = match &lora.adapter {
        None => decoder.add_lora(lora.config(base), plan.train.seed)?,
        Some(folder) => {
            let stored = LoraConfig::from_folder(folder)?;
            decoder.load_lora_as(lora.config_of(stored, base)?, folder)?
        }
    };
    let in_chunks = matches!(plan.train.vocab_chunk, Auto::Set(1..));
    match in_chunks && !decoder.repeats_logits() {
        true => Err(TrainError::DropoutInChunks),
        false => Ok(decoder),
    }
}
