//! What can be wrong with an objective's configuration.

use serde_json::Value;
use thiserror::Error;

/// A configuration that describes no objective.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum ConfigError {
    /// The text is no JSON.
    #[error("the objective is not valid JSON: {0}")]
    Json(String),
    /// No `method`.
    #[error("the objective has no `method`; name one of {known}")]
    NoMethod {
        /// Every method.
        known: String,
    },
    /// A method nobody knows.
    #[error("unknown method `{found}`{suggestion}; known methods: {known}")]
    UnknownMethod {
        /// The name found.
        found: String,
        /// ` (did you mean …?)` or nothing.
        suggestion: String,
        /// Every method.
        known: String,
    },
    /// A setting that its owner does not have.
    #[error("`{key}` is no setting of {owner}{suggestion}; its settings are {known}")]
    UnknownKey {
        /// Which object holds the key.
        owner: String,
        /// The key found.
        key: String,
        /// ` (did you mean …?)` or nothing.
        suggestion: String,
        /// Every setting of the owner.
        known: String,
    },
    /// A setting written in both spellings.
    #[error("`{key}` is given twice, once with `_` and once with `-`; keep one")]
    Twice {
        /// The key found second.
        key: String,
    },
    /// A value of the wrong type.
    #[error("`{key}` must be {expected}, found {found}")]
    WrongType {
        /// The setting.
        key: String,
        /// What it takes.
        expected: String,
        /// What was there.
        found: String,
    },
    /// A number outside its range.
    #[error("`{key}` must be {expected}, found {value}")]
    OutOfRange {
        /// The setting.
        key: String,
        /// What was there.
        value: f64,
        /// What it takes.
        expected: &'static str,
    },
    /// Weights that must sum to one do not.
    #[error("`{key}` must sum to 1, found a sum of {sum}")]
    Sum {
        /// The setting.
        key: &'static str,
        /// The sum found.
        sum: f64,
    },
    /// Two settings that exclude each other.
    #[error("`{first}` and `{second}` say the same thing twice; give one of them")]
    Exclusive {
        /// One setting.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
    /// A setting that the method cannot do without.
    #[error("{owner} needs `{key}`: {expected}")]
    Required {
        /// The method.
        owner: &'static str,
        /// The setting.
        key: &'static str,
        /// What it takes.
        expected: &'static str,
    },
    /// A combination that has no meaning.
    #[error("{method} with {setting} has no meaning: {why}")]
    Meaningless {
        /// The method.
        method: &'static str,
        /// What it was combined with.
        setting: String,
        /// Why not.
        why: &'static str,
    },
}

impl ConfigError {
    pub(crate) fn wrong_type(key: &str, expected: &str, found: &Value) -> Self {
        ConfigError::WrongType {
            key: key.to_owned(),
            expected: expected.to_owned(),
            found: found.to_string(),
        }
    }

    pub(crate) fn unknown_key(owner: &str, key: &str, known: &[&str]) -> Self {
        ConfigError::UnknownKey {
            owner: owner.to_owned(),
            key: key.to_owned(),
            suggestion: suggestion(key, known),
            known: known.join(", "),
        }
    }
}

/// `; did you mean …?` for the nearest known name, if one is near.
pub(crate) fn suggestion(found: &str, known: &[&str]) -> String {
    let nearest = known
        .iter()
        .map(|name| (strsim::jaro_winkler(found, name), name))
        .filter(|(similarity, _)| *similarity > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match nearest {
        Some((_, name)) => format!(" (did you mean `{name}`?)"),
        None => String::new(),
    }
}
