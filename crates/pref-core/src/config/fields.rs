//! Reading a closed schema: each setting is asked for by name, and what nobody asked for is an
//! error that suggests what was meant. In: a JSON object. Out: checked values, and the same object
//! with every default spelled out.

use serde_json::{Map, Value};

use super::error::ConfigError;

/// Which numbers a setting may take.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Domain {
    /// `> 0`.
    Positive,
    /// `≥ 0`.
    NonNegative,
    /// `0 ≤ x ≤ 1`.
    Unit,
    /// `0 < x ≤ 1`.
    PositiveUnit,
    /// `0 ≤ x < 0.5`.
    BelowHalf,
    /// `0 < x < 0.5`.
    PositiveBelowHalf,
    /// Any.
    Finite,
}

impl Domain {
    fn holds(self, x: f64) -> bool {
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
            Domain::PositiveUnit => "a number above 0, at most 1",
            Domain::BelowHalf => "a number from 0 to below 0.5",
            Domain::PositiveBelowHalf => "a number above 0, below 0.5",
            Domain::Finite => "a number",
        }
    }
}

/// An object being read. Keys are accepted in snake_case and in kebab-case.
#[derive(Debug)]
pub(crate) struct Fields {
    owner: String,
    given: Map<String, Value>,
    asked: Vec<&'static str>,
    resolved: Map<String, Value>,
}

impl Fields {
    /// `owner` names the object in messages: `dpo`, `token_weights`.
    pub(crate) fn new(owner: &str, value: &Value) -> Result<Self, ConfigError> {
        let Value::Object(map) = value else {
            return Err(ConfigError::wrong_type(owner, "an object", value));
        };
        let mut given = Map::new();
        for (key, value) in map {
            let canonical = key.replace('-', "_");
            if given.insert(canonical, value.clone()).is_some() {
                return Err(ConfigError::Twice { key: key.clone() });
            }
        }
        Ok(Self {
            owner: owner.to_owned(),
            given,
            asked: Vec::new(),
            resolved: Map::new(),
        })
    }

    pub(crate) fn rename(&mut self, owner: &str) {
        owner.clone_into(&mut self.owner);
    }

    /// The value of `key`, taken out; it counts as asked for. A `null` is an absent value.
    pub(crate) fn take(&mut self, key: &'static str) -> Option<Value> {
        self.asked.push(key);
        self.given.remove(key).filter(|value| !value.is_null())
    }

    pub(crate) fn resolve(&mut self, key: &str, value: impl Into<Value>) {
        self.resolved.insert(key.to_owned(), value.into());
    }

    pub(crate) fn number(
        &mut self,
        key: &'static str,
        default: f64,
        domain: Domain,
    ) -> Result<f64, ConfigError> {
        let number = self.optional_number(key, domain)?.unwrap_or(default);
        self.resolve(key, number);
        Ok(number)
    }

    pub(crate) fn optional_number(
        &mut self,
        key: &'static str,
        domain: Domain,
    ) -> Result<Option<f64>, ConfigError> {
        let Some(value) = self.take(key) else {
            return Ok(None);
        };
        as_number(key, &value, domain).map(Some)
    }

    pub(crate) fn flag(&mut self, key: &'static str, default: bool) -> Result<bool, ConfigError> {
        let flag = match self.take(key) {
            None => default,
            Some(Value::Bool(flag)) => flag,
            Some(other) => return Err(ConfigError::wrong_type(key, "true or false", &other)),
        };
        self.resolve(key, flag);
        Ok(flag)
    }

    pub(crate) fn text(&mut self, key: &'static str) -> Result<Option<String>, ConfigError> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(ConfigError::wrong_type(key, "a string", &other)),
        }
    }

    /// Every setting spelled out; an error if a key was never asked for.
    pub(crate) fn finish(self) -> Result<Map<String, Value>, ConfigError> {
        match self.given.keys().next() {
            None => Ok(self.resolved),
            Some(key) => Err(ConfigError::unknown_key(&self.owner, key, &self.asked)),
        }
    }
}

pub(crate) fn as_number(key: &str, value: &Value, domain: Domain) -> Result<f64, ConfigError> {
    let number = value
        .as_f64()
        .ok_or_else(|| ConfigError::wrong_type(key, domain.describe(), value))?;
    if domain.holds(number) {
        Ok(number)
    } else {
        Err(ConfigError::OutOfRange {
            key: key.to_owned(),
            value: number,
            expected: domain.describe(),
        })
    }
}

pub(crate) fn as_count(key: &str, value: &Value) -> Result<usize, ConfigError> {
    value
        .as_u64()
        .filter(|&n| n >= 1)
        .and_then(|n| usize::try_from(n).ok())
        .ok_or_else(|| ConfigError::wrong_type(key, "a whole number of at least 1", value))
}
