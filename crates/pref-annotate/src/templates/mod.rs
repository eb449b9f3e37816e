//! Templates of questions. In: files, and the texts of a row. Out: the turns of a question.

mod builtin;
mod material;
mod template;

pub use builtin::TemplateKind;
pub(crate) use material::{fenced, numbered};
pub use template::{Aspect, Template, TemplateError};
