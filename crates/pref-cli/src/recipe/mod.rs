//! The embedded recipe: what `pref train` does without arguments. In: an output folder. Out: a trained
//! decoder, and how many problems it solves. The recipe needs no other files.

mod compare;
mod events;
mod fresh;
mod pairs;
mod plans;
mod rows;
mod run;
mod solve;
mod task;
mod tokenizer;

pub(crate) use run::Recipe;
