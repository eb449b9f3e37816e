//! The embedded recipe: what `pref train` does without arguments. In: an output folder. Out: a trained
//! decoder. It needs no model and no data.

mod plans;
mod run;
mod task;
mod tokenizer;

pub(crate) use run::Recipe;
