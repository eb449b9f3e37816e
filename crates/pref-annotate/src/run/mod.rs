//! Runs: asks the open questions of a job. In: a judge, a store, limits. Out: replies in the store, and a report.

mod attempt;
mod batch;
mod decide;
mod engine;
mod error;
mod gate;
mod options;
mod queue;
mod report;

pub use batch::BatchRun;
pub use engine::Run;
pub use error::RunError;
pub use options::RunOptions;
pub use report::{End, Observer, RunProgress, RunReport};
