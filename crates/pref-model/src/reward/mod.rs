//! Reward models: a decoder whose head gives scores in place of logits. In: token ids. Out: scores, and a
//! model folder in Hugging Face's layout for sequence classification.

mod folder;
mod model;

pub use folder::FreshHead;
pub use model::RewardModel;
