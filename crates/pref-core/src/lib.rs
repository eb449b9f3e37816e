//! Preference objectives that work on single tokens, on segments and on whole answers.
//!
//! An objective over pairs of answers is made of five choices:
//! - the reward of a token ([`TokenReward`]): its log-ratio to the reference, or its log-prob;
//! - how much each token counts ([`TokenWeight`]);
//! - which tokens of one answer are compared with which tokens of the other ([`Granularity`]);
//! - the function that makes a loss of the sums of both sides ([`Link`]); before it, an
//!   f-divergence ([`Divergence`]) can turn each sum into a score;
//! - how the losses are added up.
//!
//! DPO, SimPO, ADPO and most other published methods are combinations of these choices. The
//! configuration ([`ObjectiveConfig`]) knows them by name and can change each choice. Methods that
//! are not such a combination have types of their own: [`Kto`], [`Bvpo`], [`WeightedSum`].
//!
//! You give per-token log-probs of any Burn model, and get a loss to call `backward()` on:
//!
//! ```
//! use burn::{backend::{Autodiff, Flex}, tensor::Tensor};
//! use pref_core::{ObjectiveConfig, PairBatch, Side};
//!
//! type B = Autodiff<Flex>;
//! let device = Default::default();
//! let tokens = |rows: [[f32; 3]; 1]| Tensor::<B, 2>::from_data(rows, &device);
//!
//! // one pair: log-probs [pairs, tokens]; the rejected answer has two tokens and is padded
//! let chosen = tokens([[-0.5, -1.2, -0.3]]).require_grad();
//! let rejected = tokens([[-0.9, -2.0, 0.0]]).require_grad();
//! let batch = PairBatch::new(
//!     Side::new(chosen.clone(), tokens([[1., 1., 1.]])).with_reference(tokens([[-0.6, -1.1, -0.4]])),
//!     Side::new(rejected, tokens([[1., 1., 0.]])).with_reference(tokens([[-0.8, -1.9, 0.0]])),
//! );
//!
//! let config: ObjectiveConfig =
//!     r#"{"method": "adpo", "beta": 0.1, "granularity": {"adaptive": 2}}"#.parse()?;
//! let objective = config.pairwise().expect("adpo compares pairs").build();
//! let output = objective.loss(&batch)?;
//! let gradients = output.loss.backward();
//! let chosen_gradient = chosen.grad(&gradients).expect("the loss depends on it");
//! // a step against the gradient makes the chosen tokens more likely
//! assert!(chosen_gradient.into_data().iter::<f32>().all(|g| g < 0.0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! This crate reads no files, does not know the text of tokens and starts no threads. Computing a
//! loss copies nothing from the device.

mod batch;
mod config;
mod divergence;
mod error;
mod granularity;
mod granules;
mod link;
mod math;
mod moments;
mod objective;
mod reward;
mod segments;
mod vocabulary;
mod weight;

pub use batch::{PairBatch, Role, Side};
pub use config::{
    BvpoAlpha, BvpoConfig, GranularityConfig, LinkConfig, Method, MethodInfo, Needs,
    ObjectiveConfig, ObjectiveConfigError, ObjectiveKind, PairwiseConfig, TermConfig, WeightConfig,
};
pub use divergence::Divergence;
pub use error::{BatchError, SegmentError};
pub use granularity::{Adaptive, Granularity, Parts, Ranked, Static, Whole};
pub use granules::{Assignment, GranuleSums, Granules};
pub use link::{
    ApoDown, ApoZero, DiscoPop, Exo, Figa, Hinge, LengthRegularized, Link, Logistic, Nca,
    NoPreference, OddsRatio, RobustLogistic, SimPo, Sppo, Squared,
};
pub use moments::GradientMoments;
pub use objective::{
    BradleyTerry, Bvpo, BvpoOutput, Kto, KtoOutput, LossOutput, Objective, PairwiseObjective,
    SegmentScores, Sft, SftOutput, Term, UnpairedBatch, WeightedSum, mismatched_indices,
};
pub use reward::TokenReward;
pub use segments::{ASPECT_NAMES, N_ASPECTS, Segments};
pub use vocabulary::{backward_in_chunks, position_chunks, token_importance, token_kl};
pub use weight::{
    Confidence, Given, Importance, ReferenceConfidence, SharedLength, TemporalDecay, TokenWeight,
    TokenWeights, Unit, Varied,
};
