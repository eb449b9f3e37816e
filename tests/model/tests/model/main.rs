//! Tests of pref-model: values of `transformers` and PEFT, kernels, folders, sampling. One program, because each would
//! contain the code of the decoders again.

mod adapters;
mod branches;
mod common;
mod folders;
mod kernels;
mod precision;
mod properties;
mod reference;
mod sampling;
