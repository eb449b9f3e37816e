//! JSON schemas of replies, for servers that hold a model to one. In: a task. Out: a schema in the subset that
//! OpenAI's strict mode, vLLM and llama.cpp accept.

use serde_json::{Value, json};

use super::kind::Task;

/// Names of the two answers in a question.
pub(crate) const SIDES: [&str; 2] = ["a", "b"];

impl Task {
    /// The schema of the reply. None if any text is a reply.
    pub fn schema(&self) -> Option<Value> {
        Some(match self {
            Task::Answer => return None,
            Task::Scores {
                scale, n_segments, ..
            } => {
                let score = json!({"type": "integer", "enum": scale});
                let sides = SIDES.iter().zip(n_segments);
                object(sides.map(|(&side, &n)| (side, list(n, "score", &score))))
            }
            Task::Rewrite { may_keep, .. } => {
                let verdicts: &[&str] = match may_keep {
                    true => &["rewritten", "good-enough"],
                    false => &["rewritten"],
                };
                object([
                    ("verdict", json!({"type": "string", "enum": verdicts})),
                    ("text", json!({"type": "string"})),
                ])
            }
            Task::Compare => object([
                ("reason", json!({"type": "string"})),
                (
                    "winner",
                    json!({"type": "string", "enum": ["a", "b", "tie"]}),
                ),
            ]),
            Task::Rate { min, max } => object([
                ("reason", json!({"type": "string"})),
                ("score", integer(*min, *max)),
            ]),
            Task::Parts { labels, n_segments } => {
                let label = json!({"type": "string", "enum": labels});
                object([("parts", list(*n_segments, "label", &label))])
            }
            Task::Weights { max, n_segments } => {
                object([("weights", list(*n_segments, "weight", &integer(0, *max)))])
            }
        })
    }
}

fn integer(min: i64, max: i64) -> Value {
    let values: Vec<i64> = (min..=max).collect();
    json!({"type": "integer", "enum": values})
}

/// A list of `n` items with an index, a reason and a value.
fn list(n: usize, value: &str, schema: &Value) -> Value {
    let mut fields = vec![("index", json!({"type": "integer"}))];
    if value != "label" {
        fields.push(("reason", json!({"type": "string"})));
    }
    fields.push((value, schema.clone()));
    json!({"type": "array", "items": object(fields), "minItems": n, "maxItems": n})
}

/// An object with exactly these fields.
fn object<'a>(fields: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    let mut required = Vec::new();
    let mut properties = serde_json::Map::new();
    for (name, schema) in fields {
        required.push(Value::from(name));
        properties.insert(name.to_owned(), schema);
    }
    let mut object = serde_json::Map::new();
    object.insert("type".to_owned(), "object".into());
    object.insert("properties".to_owned(), properties.into());
    object.insert("required".to_owned(), required.into());
    object.insert("additionalProperties".to_owned(), false.into());
    object.into()
}
