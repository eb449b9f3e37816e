//! The functions, filters and methods that chat templates can call. In: an environment of the template
//! engine. Out: the same environment, with Python's behaviour.

use std::borrow::Cow;

use minijinja::Environment;
use minijinja::value::Value;

use super::methods::{join, method, replace};
use super::operations::{add, concat, multiply, remainder};
use super::python_json::tojson;
use super::python_text::text;

/// Adds the functions, filters and methods to an environment.
pub(super) fn add_to(environment: &mut Environment<'_>) {
    environment.add_function("__add", add);
    environment.add_function("__concat", concat);
    environment.add_function("__mul", multiply);
    environment.add_function("__rem", remainder);
    environment.add_filter("string", |value: &Value| text(value).map(Cow::into_owned));
    environment.add_filter("replace", |value: &Value, from: &Value, to: &Value| {
        replace(&text(value)?, &text(from)?, &text(to)?, None)
    });
    environment.add_filter("join", |list: &Value, joiner: Option<&Value>| {
        join(list, &text(joiner.unwrap_or(&Value::from("")))?)
    });
    environment.add_filter("tojson", tojson);
    environment.set_unknown_method_callback(method);
}
