//! What a reply has to contain. In: a reply. Out: a judgement, or a complaint that a judge understands.

mod judgement;
mod kind;
mod schema;

pub use judgement::{Judgement, PARSER_VERSION, Winner};
pub use kind::{Copy, Task};
