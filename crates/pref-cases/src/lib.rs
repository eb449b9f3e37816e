//! Reference cases for preference losses: files with the expected value of a loss.
//!
//! A case is a JSON object with an objective, the log-probs of some answers, and the loss and
//! gradients that are expected. Cases made with code that is independent of the loss under test
//! show whether the loss is right. `pref loss` evaluates them on the command line, and the
//! project's own tests evaluate every file of `fixtures/losses`.
//!
//! This crate works on the text of a case and reads no files. [`Case`] is parsed from text,
//! [`Case::evaluate`] computes its objective on any Burn backend, and
//! [`Expected::largest_deviation`] compares the result with what is expected.
//!
//! # Checking a loss of your own
//!
//! [`Case::evaluate_with`] computes any function from a batch of pairs to one loss per pair, and
//! its gradients:
//!
//! ```
//! use burn::{backend::{Autodiff, Flex}, tensor::{Tensor, activation::log_sigmoid}};
//! use pref_cases::Case;
//! use pref_core::{PairBatch, Side};
//!
//! type B = Autodiff<Flex>;
//!
//! /// DPO written again: one loss per pair, `[pairs]`.
//! fn my_dpo(batch: &PairBatch<B>, beta: f64) -> Tensor<B, 1> {
//!     let log_ratio = |side: &Side<B>| {
//!         let reference = side.reference.clone().expect("the case has a reference");
//!         ((side.policy.clone() - reference) * side.mask.clone()).sum_dim(1)
//!     };
//!     let margin = log_ratio(&batch.chosen) - log_ratio(&batch.rejected); // [pairs, 1]
//!     -log_sigmoid(margin * beta).squeeze_dim(1)
//! }
//!
//! // usually the text of a file, such as fixtures/losses/dpo/plain.json
//! let case: Case = r#"{
//!     "name": "dpo/by-hand",
//!     "objective": {"method": "dpo", "beta": 0.1},
//!     "data": {"pairs": [{
//!         "chosen": {"policy": [-1.0, -2.0], "reference": [-1.5, -1.0]},
//!         "rejected": {"policy": [-0.5], "reference": [-0.25]}
//!     }]},
//!     "expect": {
//!         "loss": 0.7057253036,
//!         "grad": [{"chosen": [-0.0506249674, -0.0506249674], "rejected": [0.0506249674]}]
//!     }
//! }"#.parse()?;
//! let expected = case.expect.as_ref().expect("the case says what it expects");
//!
//! let device = Default::default();
//! let found = case.evaluate_with::<B>(&device, |batch| my_dpo(batch, 0.1))?;
//! let deviation = expected.largest_deviation(&found).expect("something is expected");
//! assert!(deviation.is_within_tolerance(), "{deviation}");
//!
//! // a wrong loss is found, and the message names the value that is farthest off
//! let wrong = case.evaluate_with::<B>(&device, |batch| my_dpo(batch, 0.2))?;
//! let deviation = expected.largest_deviation(&wrong).expect("something is expected");
//! assert!(!deviation.is_within_tolerance());
//! println!("{}: {deviation}", case.name);
//! # Ok::<(), pref_cases::CaseError>(())
//! ```
//!
//! # The format
//!
//! | key | content |
//! |---|---|
//! | `name` | family and name, such as `dpo/plain`; optional |
//! | `objective` | an objective as [`pref_core::ObjectiveConfig`] reads it |
//! | `data.pairs` | for objectives over pairs: a list of `{"chosen": answer, "rejected": answer}` |
//! | `data.trace`, `data.empty` | for bvpo: two lists of pairs, with reasoning traces and without |
//! | `data.moments` | for bvpo with an optimal α: `bias_trace`, `bias_empty` (lists), `variance_trace`, `variance_empty`, `covariance` |
//! | `data.examples`, `data.kl_examples` | for kto: answers with `desirable`, and the mismatched answers |
//! | `expect` | the expected values, in the form of [`Evaluation::values`]; optional |
//!
//! An answer has one value for each token in `policy` and, as the objective needs them, in
//! `reference` (log-probs in nats), `varied` (0 or 1), `importance` (0 to 1), `weights`, `kl`
//! (nats) and `parts` (labels); and `segments` (half-open token ranges) with `scores` (five per
//! segment).

mod case;
mod compare;
mod data;
mod error;
mod evaluate;
mod evaluation;
mod tensors;

pub use case::Case;
pub use compare::{Deviation, Expected};
pub use error::CaseError;
pub use evaluation::Evaluation;
