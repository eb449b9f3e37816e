//! One module a command.

pub(crate) mod generate;
pub(crate) mod logprobs;
pub(crate) mod loss;
pub(crate) mod objectives;
pub(crate) mod recipe;
pub(crate) mod train;
