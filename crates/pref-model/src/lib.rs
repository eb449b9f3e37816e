//! Decoders in Hugging Face's formats, on Burn: Llama 2 and 3, Mistral, Qwen2, Qwen3, Gemma 3.
//!
//! A [`Decoder`] is loaded from a folder with `config.json` and safetensors, gives hidden states,
//! logits and the log-probs of given tokens, continues texts with a key-value cache, and is saved
//! so that `transformers` reads it. It is a Burn module whose parameters are named as the tensors
//! in the file.
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
//! // two rows, the second padded; the responses are what follows the first two tokens
//! let tokens = Tensor::<Flex, 2, Int>::from_data([[5, 6, 7, 8], [5, 6, 9, 0]], &device);
//! let log_probs = response_log_probs(&model, tokens, &[2..4, 2..3]);
//! assert_eq!(log_probs.dims(), [2, 2]);
//!
//! let greedy = generate(&model, &[5, 6], &GenerateOptions::default())?;
//! assert_eq!(greedy.len(), 30); // up to the last position
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod attention;
mod checksums;
mod config;
mod decoder;
mod dtype;
mod finite;
mod generate;
mod layers;
mod load;
mod log_probs;
mod random;
mod save;
mod whole;

pub use checksums::{ChecksumError, Checksums, add_checksums, verify_checksums};
pub use config::{Architecture, Config, ConfigError, LlamaSizes, Rope, RopeScaling};
pub use decoder::Decoder;
pub use dtype::SaveDtype;
pub use generate::{GenerateError, GenerateOptions, generate};
pub use load::LoadError;
pub use log_probs::{Response, ResponseTokens, response_log_probs, token_log_probs};
pub use save::SaveError;
