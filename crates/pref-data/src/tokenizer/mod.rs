//! A model's tokenizer. In: a model's folder, texts, messages. Out: the same token ids as in
//! `transformers`, and decoded texts.

mod encode;
mod error;
mod fixed_tokens;
mod folder;
mod patterns;
mod qwen2;
mod word_cut;

pub use encode::Tokenizer;
pub use error::TokenizerError;
pub use fixed_tokens::FixedTokens;
