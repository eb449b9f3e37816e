//! Chat templates. In: a Jinja template of a model and a conversation. Out: the text for the
//! tokenizer, as `transformers` renders it.

mod chat_template;
mod functions;
mod limits;
mod methods;
mod operations;
mod operators;
mod python_json;
mod python_text;

pub use chat_template::{ChatTemplate, TemplateError};
