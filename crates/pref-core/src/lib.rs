//! Preference objectives at the grain of the token, the segment and the aspect.
//!
//! An objective over pairs of answers is five choices: what a token is worth ([`TokenReward`]),
//! how much it counts ([`TokenWeight`]), what is compared with what ([`Granularity`]), the
//! function from granule sums to a loss ([`Link`]), and how losses are summed. Every published
//! method is a named choice of the five, read from configuration; any other is a line of it.
//!
//! Hand it per-token log-probs from any Burn model, get a loss to call `backward()` on:
//!
//! ```
//! use burn::{backend::{Autodiff, Flex}, tensor::Tensor};
//! use pref_core::{ObjectiveConfig, PairBatch, Side};
//!
//! type B = Autodiff<Flex>;
//! let device = Default::default();
//! let tokens = |rows: [[f32; 3]; 1]| Tensor::<B, 2>::from_data(rows, &device);
//!
//! // one pair: log-probs of the answers' tokens, [pairs, tokens]; the rejected answer has two
//! let chosen = tokens([[-0.5, -1.2, -0.3]]).require_grad();
//! let rejected = tokens([[-0.9, -2.0, 0.0]]).require_grad();
//! let batch = PairBatch::new(
//!     Side::new(chosen.clone(), tokens([[1., 1., 1.]])).with_reference(tokens([[-0.6, -1.1, -0.4]])),
//!     Side::new(rejected, tokens([[1., 1., 0.]])).with_reference(tokens([[-0.8, -1.9, 0.0]])),
//! );
//!
//! let objective: ObjectiveConfig =
//!     r#"{"method": "adpo", "beta": 0.1, "granularity": {"adaptive": 2}}"#.parse()?;
//! let objective = objective.pairwise().expect("adpo compares pairs").build();
//! let output = objective.loss(&batch)?;
//! let gradients = output.loss.backward();
//! let of_chosen = chosen.grad(&gradients).expect("the loss depends on it");
//! assert!(of_chosen.into_data().iter::<f32>().all(|g| g < 0.0)); // raise the chosen tokens
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Nothing here reads a file, knows a token's text or starts a thread, and a loss copies nothing
//! from the device.

mod batch;
mod bvpo;
mod case;
mod config;
mod divergence;
mod error;
mod granularity;
mod granules;
mod kto;
mod link;
mod math;
mod moments;
mod objective;
mod pairwise;
mod segments;
mod vocabulary;
mod weight;

pub use batch::{PairBatch, Role, Side};
pub use bvpo::{BvpoAlpha, BvpoConfig, BvpoOutput};
pub use case::{Case, CaseError, Evaluation, Expected, Mismatch};
pub use config::{
    ConfigError, GranularityConfig, LinkConfig, Method, MethodInfo, Needs, ObjectiveConfig,
    ObjectiveKind, PairwiseConfig, TermConfig, WeightConfig,
};
pub use divergence::Divergence;
pub use error::{BatchError, SegmentError};
pub use granularity::{Adaptive, Granularity, Parts, Ranked, Static, Whole};
pub use granules::{Assignment, GranuleSums, Granules};
pub use kto::{Kto, KtoOutput, UnpairedBatch, mismatched};
pub use link::{
    ApoDown, ApoZero, DiscoPop, Exo, Figa, Hinge, LengthRegularized, Link, Logistic, Nca,
    NoPreference, OddsRatio, RobustLogistic, SimPo, Sppo, Squared,
};
pub use moments::GradientMoments;
pub use objective::{Objective, Term, WeightedSum};
pub use pairwise::{LossOutput, PairwiseObjective, TokenReward};
pub use segments::{N_ASPECTS, Segments};
pub use vocabulary::{backward_in_chunks, position_chunks, token_kl};
pub use weight::{
    Confidence, Given, Importance, ReferenceConfidence, SharedLength, TemporalDecay, TokenWeight,
    TokenWeights, Unit, Varied,
};
