//! The store: one SQLite file with every question, reply and cost. In: questions and replies. Out: what is known, and
//! what has still to be asked.
//!
//! A question is committed before it is sent, and a reply before it is read. So a process that is killed loses
//! only the replies that were on their way, and a better reader of replies costs nothing.

mod attempts;
mod batches;
mod claims;
mod database;
mod error;
mod forecast;
mod ids;
mod jobs;
mod outcome;
mod review;
mod schema;
mod units;
mod writer;

pub use attempts::{Cost, Ended, Limits, Reservation, Reserved, Spend};
pub(crate) use batches::{Batch, BatchAttempt, BatchResult, Batches};
pub use database::Store;
pub use error::StoreError;
pub use forecast::Forecast;
pub use ids::{JobId, UnitId};
pub use jobs::{Item, Job, NewJob, Slot};
pub use outcome::{Failure, Outcome};
pub use review::Review;
pub use units::{Counts, Drift, FailedUnit, Progress};
pub use writer::Writer;
