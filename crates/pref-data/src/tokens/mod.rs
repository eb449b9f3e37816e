//! A row as tokens. In: ids of prompts and answers. Out: [`TokenPair`] and [`TokenExample`], and
//! the annotations of answers, token by token.

mod features;
mod pair;

pub use features::{AnnotationError, TokenFeatures};
pub use pair::{PaddedLength, TokenExample, TokenPair};
