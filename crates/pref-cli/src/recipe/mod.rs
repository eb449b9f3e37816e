//! The embedded recipe: what `pref train` does without arguments. In: an output folder. Out: a trained
//! decoder, made from nothing but this program.

mod plans;
mod run;
mod task;
mod tokenizer;

pub(crate) use run::Recipe;
