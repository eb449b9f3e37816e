//! The embedded recipe: what `pref train` does without arguments. In: an output folder. Out: a trained
//! decoder. The recipe needs no other files.

mod plans;
mod run;
mod task;
mod tokenizer;

pub(crate) use run::Recipe;
