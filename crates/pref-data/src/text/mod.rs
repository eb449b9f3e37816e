//! A row as text. In: prompts, answers and their annotations. Out: [`Pair`] and [`Example`], the
//! input of every later stage.

mod annotation;
mod content_hash;
mod message;
mod pair;
mod place;
mod template_kwargs;

pub use annotation::{ASPECTS, Annotation};
pub use content_hash::{ContentHash, InvalidContentHash};
pub(crate) use message::{ASSISTANT, text_key};
pub use message::{Message, Text};
pub use pair::{Example, Pair};
pub use place::{Place, Placed};
pub use template_kwargs::{ReservedName, TemplateKwargs};
