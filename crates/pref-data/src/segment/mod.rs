//! Divides text into segments that can be scored, weighted or compared one by one. In: text. Out:
//! byte ranges, in order, that together cover the text.

mod blocks;
mod lines;
mod parts;
mod segmenter;
mod sentences;

pub use lines::Lines;
pub use parts::{Part, PartMarker, PartRules, PartRulesError};
pub use segmenter::{Segmenter, segment_of_tokens};
pub use sentences::{ItemSentences, Sentences};
