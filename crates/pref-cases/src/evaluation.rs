//! The result of evaluating a case. In: named values. Out: the same values as JSON, in the form of
//! a case's `expect`.

use serde_json::{Map, Value};

/// The values that were computed for a case.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evaluation {
    values: Map<String, Value>,
}

impl Evaluation {
    pub(super) fn insert(&mut self, name: &str, value: Value) {
        self.values.insert(name.to_owned(), value);
    }

    /// All values as a JSON object: `loss` in nats, `per_pair` in nats, `grad` (one entry per pair
    /// with the lists `chosen` and `rejected`, one number per token), and other values that depend
    /// on the objective. A value that is not a finite number is `null`.
    pub fn values(&self) -> Value {
        Value::Object(self.values.clone())
    }

    /// The loss of the batch in nats; NaN if it is not finite.
    pub fn loss(&self) -> f64 {
        self.values
            .get("loss")
            .and_then(Value::as_f64)
            .unwrap_or(f64::NAN)
    }
}
