//! What a run measures. In: the output of losses. Out: the lines of `metrics.jsonl`, with TRL's names.

mod means;
mod pair_sums;
mod prefix;
mod record;
mod sums;
mod values;

pub use means::{Means, PairMeans, RewardMeans, SegmentMeans, TokenMeans};
pub use pair_sums::PairSums;
pub use record::{EvalRecord, MetricsLine, MixtureRecord, StepRecord};
pub(crate) use sums::Sums;
pub(crate) use values::{
    Measured, RowValues, of_answers, of_pairs, of_rewards, of_segments, of_tokens,
};
