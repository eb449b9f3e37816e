//! Log-probs under the reference. In: a model, or the file of an earlier computation. Out: the log-probs,
//! and if needed the next-token distributions, of a batch.

mod cache;
mod layout;
mod model;
mod score;

pub(crate) use cache::{CacheWriter, CachedLogProbs};
pub(crate) use layout::CacheLayout;
pub(crate) use model::{Distributions, Reference};
pub(crate) use score::{RowsToScore, ScoreError, cache_key, score_rows};
