//! Decoders in Hugging Face's formats, on Burn: Llama 2 and 3, Mistral, Qwen2, Qwen3, Gemma 3.
//!
//! A [`Decoder`] is loaded from a folder with `config.json` and safetensors. It computes hidden states,
//! logits and the log-probs of tokens, continues texts with a key-value cache, and is saved in files
//! that `transformers` reads. It is a Burn module; its parameters have the names of the tensors in the
//! files.
//!
//! A [`RewardModel`] is a decoder whose head gives scores in place of logits.
//! A decoder can have a LoRA adapter, which is read and written in PEFT's format: [`Decoder::add_lora`],
//! [`Decoder::load_lora`], [`Decoder::merge_lora`].
//!
//! Code that works with any model takes a [`Policy`]. The operations that take most of the time of a
//! training step are methods of [`Kernels`], which backends can override.
//!
//! ```
//! use burn::{backend::Flex, tensor::{Int, Tensor}};
//! use pref_model::{Config, Decoder, GenerateOptions, LlamaSizes, generate, response_log_probs};
//!
//! let config = Config::llama(&LlamaSizes {
//!     vocab: 64, hidden: 16, intermediate: 32, layers: 2, heads: 4, kv_heads: 2,
//!     positions: 32, eos: 1, pad: 0,
//! })?;
//! let device = Default::default();
//! let model = Decoder::<Flex>::init(&config, 7, &device);
//!
//! // two rows, the second padded; the responses follow the first two tokens of each row
//! let tokens = Tensor::<Flex, 2, Int>::from_data([[5, 6, 7, 8], [5, 6, 9, 0]], &device);
//! let log_probs = response_log_probs(&model, tokens, &[2..4, 2..3]);
//! assert_eq!(log_probs.dims(), [2, 2]);
//!
//! let greedy = generate(&model, &[5, 6], &GenerateOptions::default())?;
//! assert_eq!(greedy.len(), 30); // up to the last position
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod config;
mod cost;
mod decoder;
mod generate;
mod hidden_part;
mod kernels;
mod log_probs;
mod lora;
mod number_format;
mod places;
mod policy;
mod precision;
mod random;
mod reward;
mod vector;
mod weights;

pub use config::{
    Activation, Architecture, Config, LlamaSizes, ModelConfigError, Rope, RopeScaling,
};
pub use cost::Cost;
pub use decoder::Decoder;
pub use generate::{
    Answer, Finish, GenerateError, GenerateOptions, Guide, MakeGuide, Prompt, SampleCounts,
    Sampler, before_stop, generate, sample, token_probabilities,
};
pub use hidden_part::HiddenPart;
pub use kernels::plain as plain_kernels;
pub use kernels::{
    AdamWStep, Block, CPU_TOKENS_OF_A_PASS, CachedText, GradientSums, Kernels, KeyValues, MuonStep,
    Rotary, ScoreRule, SgdStep, TOKENS_OF_A_BLOCK, Texts, Visibility, token_log_probs,
};
pub use log_probs::{Response, ResponseTokens, response_log_probs};
pub use lora::{LoraConfig, LoraError, LoraTargets, TrainingPass};
pub use number_format::SaveDtype;
pub use places::{at_places, hidden_at};
pub use policy::Policy;
pub use precision::Precision;
pub use reward::{FreshHead, RewardModel};
pub use weights::{
    ChecksumError, Checksums, LoadError, SaveError, add_checksums, load_parameters, replace_file,
    save_parameters, try_for_each_parameter, verify_checksums, write_file,
};
