//! Reads a JSON object whose keys must all be known. In: a JSON object. Out: checked values, and
//! the same object with every default spelled out. A key that was never read is an error.

use serde_json::{Map, Value};

use super::error::{ObjectiveConfigError, suggestion};

/// The numbers that a setting accepts. NaN and infinities are never allowed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Domain {
    /// `x > 0`.
    Positive,
    /// `x ≥ 0`.
    NonNegative,
    /// `0 ≤ x ≤ 1`.
    Unit,
    /// `0 < x ≤ 1`.
    PositiveUnit,
    /// `0 ≤ x < 0.5`.
    BelowHalf,
    /// `0 < x < 0.5`.
    PositiveBelowHalf,
    /// Any finite number.
    Finite,
}

impl Domain {
    fn contains(self, x: f64) -> bool {
        x.is_finite()
            && match self {
                Domain::Positive => x > 0.0,
                Domain::NonNegative => x >= 0.0,
                Domain::Unit => (0.0..=1.0).contains(&x),
                Domain::PositiveUnit => x > 0.0 && x <= 1.0,
                Domain::BelowHalf => (0.0..0.5).contains(&x),
                Domain::PositiveBelowHalf => x > 0.0 && x < 0.5,
                Domain::Finite => true,
            }
    }

    fn describe(self) -> &'static str {
        match self {
            Domain::Positive => "a number above 0",
            Domain::NonNegative => "a number of at least 0",
            Domain::Unit => "a number from 0 to 1",
            Domain::PositiveUnit => "a number above 0 and at most 1",
            Domain::BelowHalf => "a number of at least 0 and below 0.5",
            Domain::PositiveBelowHalf => "a number above 0 and below 0.5",
            Domain::Finite => "a number",
        }
    }
}

/// A JSON object that is being read. Keys may be written in snake_case or in kebab-case.
#[derive(Debug)]
pub(super) struct Fields {
    /// Name of the object in messages, such as `dpo` or `token_weights`.
    owner: String,
    /// Keys and values that have not been read yet.
    unread: Map<String, Value>,
    /// The keys that were read, or looked for: the settings of the owner.
    known: Vec<&'static str>,
    /// The object with every default spelled out.
    resolved: Map<String, Value>,
}

impl Fields {
    /// `owner` is the name of the object in messages.
    pub(super) fn new(owner: &str, value: &Value) -> Result<Self, ObjectiveConfigError> {
        let Value::Object(map) = value else {
            return Err(ObjectiveConfigError::wrong_type(owner, "an object", value));
        };
        let mut unread = Map::new();
        for (key, value) in map {
            let canonical = key.replace('-', "_");
            if unread.insert(canonical, value.clone()).is_some() {
                return Err(ObjectiveConfigError::Twice { key: key.clone() });
            }
        }
        Ok(Self {
            owner: owner.to_owned(),
            unread,
            known: Vec::new(),
            resolved: Map::new(),
        })
    }

    /// Changes the name of the object in messages.
    pub(super) fn rename(&mut self, owner: &str) {
        owner.clone_into(&mut self.owner);
    }

    /// Takes the value of `key`, and records that `key` is a setting. `null` counts as absent.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Value> {
        self.known.push(key);
        self.unread.remove(key).filter(|value| !value.is_null())
    }

    /// Records the value of `key` in the object with every default spelled out.
    pub(super) fn resolve(&mut self, key: &str, value: impl Into<Value>) {
        self.resolved.insert(key.to_owned(), value.into());
    }

    pub(super) fn number(
        &mut self,
        key: &'static str,
        default: f64,
        domain: Domain,
    ) -> Result<f64, ObjectiveConfigError> {
        let number = self.optional_number(key, domain)?.unwrap_or(default);
        self.resolve(key, number);
        Ok(number)
    }

    pub(super) fn optional_number(
        &mut self,
        key: &'static str,
        domain: Domain,
    ) -> Result<Option<f64>, ObjectiveConfigError> {
        let Some(value) = self.take(key) else {
            return Ok(None);
        };
        as_number(key, &value, domain).map(Some)
    }

    pub(super) fn flag(
        &mut self,
        key: &'static str,
        default: bool,
    ) -> Result<bool, ObjectiveConfigError> {
        let flag = match self.take(key) {
            None => default,
            Some(Value::Bool(flag)) => flag,
            Some(other) => {
                return Err(ObjectiveConfigError::wrong_type(
                    key,
                    "true or false",
                    &other,
                ));
            }
        };
        self.resolve(key, flag);
        Ok(flag)
    }

    pub(super) fn text(
        &mut self,
        key: &'static str,
    ) -> Result<Option<String>, ObjectiveConfigError> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(ObjectiveConfigError::wrong_type(key, "a string", &other)),
        }
    }

    /// The choice that the word under `key` names. `path` is the name of the setting in messages.
    pub(super) fn choice<T: Copy>(
        &mut self,
        key: &'static str,
        path: &str,
        choices: &[(&'static str, T)],
    ) -> Result<Option<T>, ObjectiveConfigError> {
        let Some(word) = self.text(key)? else {
            return Ok(None);
        };
        let word = word.replace('-', "_");
        let choice = choices.iter().find(|(name, _)| *name == word);
        let choice = choice.ok_or_else(|| {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            let similar = suggestion(&word, &names);
            ObjectiveConfigError::WrongType {
                key: path.to_owned(),
                expected: format!("one of {}{similar}", names.join(", ")),
                found: format!("{word:?}"),
            }
        })?;
        Ok(Some(choice.1))
    }

    /// The object with every default spelled out.
    ///
    /// # Errors
    /// If the object has a key that was never read.
    pub(super) fn finish(self) -> Result<Map<String, Value>, ObjectiveConfigError> {
        match self.unread.keys().next() {
            None => Ok(self.resolved),
            Some(key) => Err(ObjectiveConfigError::unknown_key(
                &self.owner,
                key,
                &self.known,
            )),
        }
    }
}

pub(super) fn as_number(
    key: &str,
    value: &Value,
    domain: Domain,
) -> Result<f64, ObjectiveConfigError> {
    let number = value
        .as_f64()
        .ok_or_else(|| ObjectiveConfigError::wrong_type(key, domain.describe(), value))?;
    if domain.contains(number) {
        Ok(number)
    } else {
        Err(ObjectiveConfigError::OutOfRange {
            key: key.to_owned(),
            value: number,
            expected: domain.describe(),
        })
    }
}

pub(super) fn as_count(key: &str, value: &Value) -> Result<usize, ObjectiveConfigError> {
    value
        .as_u64()
        .filter(|&n| n >= 1)
        .and_then(|n| usize::try_from(n).ok())
        .ok_or_else(|| ObjectiveConfigError::wrong_type(key, "a whole number of at least 1", value))
}
