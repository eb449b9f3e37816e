//! New rows from old ones. In: a row of any file, and a template for each new field. Out: a row with
//! the new fields.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, context};
use serde_json::{Map, Value};
use thiserror::Error;

use crate::panics::catch_panic;
use crate::read::SourceRow;

/// New fields, and the Jinja template of each. The value of a field is the text that its template
/// writes. If the template is a single `{{ expression }}`, the field gets the value of the
/// expression, such as a list of messages.
#[derive(Debug)]
pub struct RowMap {
    environment: Environment<'static>,
    fields: Vec<Field>,
    /// Whether the other fields of the old row are kept.
    keeps_others: bool,
}

#[derive(Debug)]
struct Field {
    name: String,
    /// Whether the template is a single expression, whose value is the value of the field.
    is_value: bool,
}

/// The template of a field is not valid, or cannot be rendered for a row.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{place}field `{field}`: {message}")]
pub struct MapError {
    /// `FILE:LINE: `, or nothing if the error does not concern a row.
    pub place: String,
    /// The new field.
    pub field: String,
    /// The cause.
    pub message: String,
}

impl RowMap {
    /// Compiles the templates of the fields, given as name and template. With `keeps_others` the new row
    /// also has the other fields of the old row.
    ///
    /// ```
    /// use pref_data::{RowMap, read_rows};
    /// let folder = tempfile::tempdir()?;
    /// let file = folder.path().join("table.csv");
    /// std::fs::write(&file, "question,good\n2+2?,4\n")?;
    /// let field = |name: &str, template: &str| (name.to_owned(), template.to_owned());
    /// let map = RowMap::new(&[field("prompt", "Q: {{ question }}\nA:"), field("chosen", " {{ good }}")], false)?;
    /// let row = map.apply(&read_rows(&file)?.next().expect("a row")?)?;
    /// assert_eq!(serde_json::to_string(&row)?, r#"{"prompt":"Q: 2+2?\nA:","chosen":" 4"}"#);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`MapError`] names the field whose template cannot be compiled.
    #[expect(
        clippy::missing_panics_doc,
        reason = "it never panics, as the message says"
    )]
    pub fn new(fields: &[(String, String)], keeps_others: bool) -> Result<Self, MapError> {
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder().keep_trailing_newline(true).build();
        environment.set_syntax(syntax.expect("the default delimiters are valid"));
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(1_000_000));
        environment
            .set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_filter(AS_JSON, as_json);
        let mut named = Vec::with_capacity(fields.len());
        for (name, template) in fields {
            let expression = only_expression(template);
            let template = match expression {
                Some(expression) => format!("{{{{ ({expression}) | {AS_JSON} }}}}"),
                None => template.clone(),
            };
            let added = environment.add_template_owned(name.clone(), template);
            added.map_err(|e| MapError {
                place: String::new(),
                field: name.clone(),
                message: e.to_string(),
            })?;
            named.push(Field {
                name: name.clone(),
                is_value: expression.is_some(),
            });
        }
        Ok(Self {
            environment,
            fields: named,
            keeps_others,
        })
    }

    /// The new row.
    ///
    /// # Errors
    /// [`MapError`] names the row and the field whose template fails, for example because it uses a field
    /// that the row does not have.
    pub fn apply(&self, row: &SourceRow) -> Result<Map<String, Value>, MapError> {
        let mut new = match self.keeps_others {
            true => row.object.clone(),
            false => Map::new(),
        };
        let old = minijinja::Value::from(Serde(&row.object));
        let context = context! { row => &old, ..old.clone() };
        for field in &self.fields {
            let value = match catch_panic(|| self.render(field, &context)) {
                Ok(Ok(value)) => Ok(value),
                Ok(Err(error)) => {
                    let fields: Vec<&str> = row.object.keys().map(String::as_str).collect();
                    Err(format!("{error}; the row has {}", fields.join(", ")))
                }
                Err(panic) => Err(panic),
            };
            let value = value.map_err(|message| MapError {
                place: format!("{}: ", row.place()),
                field: field.name.clone(),
                message,
            })?;
            new.insert(field.name.clone(), value);
        }
        Ok(new)
    }

    fn render(&self, field: &Field, context: &minijinja::Value) -> Result<Value, Error> {
        let text = self
            .environment
            .get_template(&field.name)?
            .render(context)?;
        match field.is_value {
            true => serde_json::from_str(&text).map_err(not_json),
            false => Ok(Value::String(text)),
        }
    }
}

/// The name of the filter in this file that writes a value as JSON.
const AS_JSON: &str = "pref_as_json";

fn as_json(value: minijinja::Value) -> Result<String, Error> {
    match value.is_undefined() {
        true => Err(ErrorKind::UndefinedError.into()),
        false => serde_json::to_string(&value).map_err(not_json),
    }
}

fn not_json(error: serde_json::Error) -> Error {
    Error::new(ErrorKind::BadSerialization, error.to_string())
}

/// The expression of a template that is a single `{{ expression }}`.
fn only_expression(template: &str) -> Option<&str> {
    let inside = template.strip_prefix("{{")?.strip_suffix("}}")?;
    let is_one = !["{{", "}}", "{%", "{#"]
        .iter()
        .any(|mark| inside.contains(mark));
    is_one.then_some(inside.trim_matches('-').trim())
}
