//! Reading values of a `config.json`. In: an object of the file. Out: a value of the requested type,
//! or an error that names the file, the key and what was found.

use serde_json::{Map, Value};

use super::error::ModelConfigError;

/// `max_position_embeddings` of a file that does not have the key.
pub(super) const DEFAULT_POSITIONS: usize = 2048;

/// An object of the file, with the name of the file and the key of the object for errors.
pub(super) struct Json<'a> {
    pub(super) map: &'a Map<String, Value>,
    origin: &'a str,
    prefix: &'a str,
    ignored: &'a [String],
}

impl<'a> Json<'a> {
    /// The whole file. Unknown settings that `ignored` names are not refused.
    pub(super) fn new(map: &'a Map<String, Value>, origin: &'a str, ignored: &'a [String]) -> Self {
        Self {
            map,
            origin,
            prefix: "",
            ignored,
        }
    }

    /// Whether the user asked to ignore this setting.
    pub(super) fn is_ignored(&self, key: &str) -> bool {
        self.ignored.contains(&self.path(key))
    }

    /// The value of a key. `null` counts as absent.
    pub(super) fn get(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    /// The object that `value`, the value of `key`, must be.
    pub(super) fn inner(
        &self,
        key: &'a str,
        value: &'a Value,
    ) -> Result<Json<'a>, ModelConfigError> {
        let map = value
            .as_object()
            .ok_or_else(|| self.wrong(key, "an object".to_owned()))?;
        Ok(Json {
            map,
            origin: self.origin,
            prefix: key,
            ignored: self.ignored,
        })
    }

    /// A whole number above 0, which the file must have.
    pub(super) fn size(&self, key: &str) -> Result<usize, ModelConfigError> {
        self.optional_size(key)?
            .ok_or_else(|| self.missing(key, "a whole number above 0"))
    }

    /// A whole number above 0.
    pub(super) fn optional_size(&self, key: &str) -> Result<Option<usize>, ModelConfigError> {
        let size = |value: &Value| {
            value
                .as_u64()
                // No model has a size near this limit, and the product of two sizes fits a usize.
                .filter(|n| (1..1 << 31).contains(n))
                .map(|n| n as usize)
                .ok_or_else(|| self.wrong(key, "a whole number above 0".to_owned()))
        };
        self.get(key).map(size).transpose()
    }

    pub(super) fn number(&self, key: &str) -> Result<Option<f64>, ModelConfigError> {
        let number = |value: &Value| {
            value
                .as_f64()
                .ok_or_else(|| self.wrong(key, "a number".to_owned()))
        };
        self.get(key).map(number).transpose()
    }

    /// A number above 0.
    pub(super) fn positive(&self, key: &str) -> Result<Option<f64>, ModelConfigError> {
        match self.number(key)? {
            Some(number) if number <= 0.0 => Err(self.wrong(key, "a number above 0".to_owned())),
            number => Ok(number),
        }
    }

    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>, ModelConfigError> {
        let flag = |value: &Value| {
            value
                .as_bool()
                .ok_or_else(|| self.wrong(key, "true or false".to_owned()))
        };
        self.get(key).map(flag).transpose()
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<String>, ModelConfigError> {
        let text = |value: &Value| {
            let text = value.as_str().map(str::to_owned);
            text.ok_or_else(|| self.wrong(key, "a string".to_owned()))
        };
        self.get(key).map(text).transpose()
    }

    /// The key with the key of the inner object before it, such as `rope_scaling.factor`.
    pub(super) fn path(&self, key: &str) -> String {
        match self.prefix {
            "" => key.to_owned(),
            prefix => format!("{prefix}.{key}"),
        }
    }

    /// The value of a key as text, for errors.
    pub(super) fn found(&self, key: &str) -> String {
        self.map
            .get(key)
            .map_or("absent".to_owned(), Value::to_string)
    }

    pub(super) fn missing(&self, key: &str, expected: &'static str) -> ModelConfigError {
        ModelConfigError::Missing {
            origin: self.origin.to_owned(),
            key: self.path(key),
            expected,
        }
    }

    pub(super) fn wrong(&self, key: &str, expected: String) -> ModelConfigError {
        ModelConfigError::Value {
            origin: self.origin.to_owned(),
            key: self.path(key),
            found: self.found(key),
            expected,
        }
    }

    pub(super) fn unsupported(&self, key: &str, reason: &str) -> ModelConfigError {
        ModelConfigError::Unsupported {
            origin: self.origin.to_owned(),
            key: self.path(key),
            found: self.found(key),
            reason: reason.to_owned(),
        }
    }
}
