//! Continuing texts. In: the ids of prompts, and options. Out: the ids that follow.

mod continue_text;
mod distribution;
mod finish;
mod guide;
mod options;
mod sampler;
mod stops;

pub use continue_text::{generate, sample};
pub use distribution::token_probabilities;
pub use finish::Finish;
pub use guide::{Guide, MakeGuide};
pub use options::{GenerateError, GenerateOptions};
pub use sampler::{Answer, Prompt, SampleCounts, Sampler};
pub use stops::before_stop;
