//! What a run measures. In: the output of losses. Out: the lines of `metrics.jsonl`, with TRL's names.

mod means;
mod prefix;
mod record;
mod sums;
mod values;

pub use means::PairMeans;
pub use record::{EvalRecord, MetricsLine, StepRecord};
pub use sums::PairSums;
pub(crate) use values::{PairValues, of_answers, of_pairs};
