//! Statistics of evaluations. In: counts, and right or wrong answers by question. Out: intervals, p-values and rates.

mod bootstrap;
mod comparison;
mod holm;
mod logistic;
mod mcnemar;
mod samples;
mod wilson;
mod win_rate;

pub use bootstrap::{Difference, Mean, RESAMPLES, bootstrap_mean, paired_difference};
pub use comparison::Comparison;
pub use holm::holm;
pub use mcnemar::mcnemar;
pub use samples::{AnswerClass, maj_at_k, pass_at_k};
pub use wilson::{Share, wilson};
pub use win_rate::{Duel, GamedDuel, WinRate, win_rate};
