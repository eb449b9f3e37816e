//! A run: set-up, loop, checkpoints, end. In: a plan. Out: the run's folder with the trained model.

mod adapter;
mod best;
mod changes;
mod checkpoint;
mod division;
mod entry;
mod evaluated;
mod events;
mod first_step;
mod folder;
mod freeze;
mod identity;
mod lock;
mod models;
mod moments;
mod outcome;
mod pace;
mod pins;
mod restore;
mod retention;
mod start;
mod timer;
mod token_values;
mod train;

pub use checkpoint::{copy_tokenizer, has_checkpoint};
pub use entry::{train, train_policy, train_policy_together, train_together};
pub use identity::model_hash;
pub use outcome::Outcome;
pub use token_values::{AnswerToken, PairTokens, TokenState, reward_scale, token_values};
