//! Limits of a run. In: what was sent and how it ended. Out: whether, when and how much more may be sent.

mod backoff;
mod concurrency;
mod prices;
mod rate;

pub use backoff::RetryOptions;
pub(crate) use backoff::pause;
pub(crate) use concurrency::Concurrency;
pub use concurrency::ConcurrencyOptions;
pub use prices::{PriceError, Prices};
pub use rate::RateOptions;
pub(crate) use rate::{Admission, Rate};
