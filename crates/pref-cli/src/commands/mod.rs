//! One module a command.

pub(crate) mod data;
pub(crate) mod diff;
pub(crate) mod generate;
pub(crate) mod inspect;
pub(crate) mod lint;
pub(crate) mod logprobs;
pub(crate) mod loss;
pub(crate) mod objectives;
pub(crate) mod segment;
pub(crate) mod train;
