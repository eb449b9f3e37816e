//! TensorBoard's event files. In: lines of `metrics.jsonl`. Out: a file that TensorBoard opens, with a curve for each
//! metric, under the names that `transformers` gives them (`train/loss`, `eval/loss`).

mod convert;
mod event;
mod file;
mod line;
mod record;
mod times;

pub use convert::{EventFileSummary, write_event_file};
pub(crate) use file::{EventFile, EventFolder};
pub(crate) use line::Line;
pub(crate) use times::StepTimes;
