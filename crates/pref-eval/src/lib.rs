//! Evaluation of language models: final answers, statistics, and pairs of samples.
//!
//! | stage | in | out |
//! |---|---|---|
//! | [`Extraction`] | a response | its final answer |
//! | [`compare_answers`] | two answers | a [`Verdict`], by an exact comparison |
//! | [`wilson`], [`bootstrap_mean`], [`paired_difference`] | counts, values by question | 95 % intervals |
//! | [`Comparison`] | the questions that two systems solve | difference, interval, test |
//! | [`mcnemar`], [`holm`] | counts, p-values | p-values |
//! | [`win_rate`] | answers that a judge compared, and their lengths | win rates, with and without the effect of the length |
//! | [`choose_pairs`] | graded samples of a question | pairs of a better and a worse one |
//! | [`pass_at_k`], [`maj_at_k`] | samples of a question | rates |
//! | [`Report::to_html`] | metrics, plans, pairs and tokens of runs | one HTML page |
//!
//! The crate has no tensors, reads no files and opens no connections.
//!
//! ```
//! use pref_eval::{Extraction, Verdict, compare_answers, wilson};
//!
//! let response = "There are 3 + 4 = 7 eggs, half of them are eaten. The answer is $\\frac{7}{2}$.";
//! let found = Extraction::Auto.extract(response).unwrap_or_default();
//! assert_eq!(compare_answers("3.5", found), Verdict::Equal);
//! assert_eq!(compare_answers("(3, 5]", "(3,5)"), Verdict::Different);
//!
//! let share = wilson(139, 200);
//! assert_eq!(format!("{:.2} to {:.2}", share.low, share.high), "0.63 to 0.75");
//! ```

mod answers;
mod pairing;
mod report;
mod statistics;

pub use answers::{Extraction, ExtractionError, Verdict, compare_answers, expected_answer};
pub use pairing::{Choice, ChosenPair, NoPairs, PairOptions, Sample, choose_pairs};
pub use report::{
    DifferenceRow, EvaluatedPair, MetricsRow, Report, RowTable, Run, ShareRow, ShareTable, Token,
    TokenPair, TokenValues, TokenView,
};
pub use statistics::{
    AnswerClass, Comparison, Difference, Duel, GamedDuel, Mean, RESAMPLES, Share, WinRate,
    bootstrap_mean, holm, maj_at_k, mcnemar, paired_difference, pass_at_k, wilson, win_rate,
};
