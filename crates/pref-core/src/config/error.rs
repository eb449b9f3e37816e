//! Errors of an objective's configuration. In: a setting and what was found. Out: a message with
//! what was expected and the way out.

use serde_json::Value;
use thiserror::Error;

/// A configuration that does not describe an objective.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum ObjectiveConfigError {
    /// The text is not JSON.
    #[error("the objective is not valid JSON: {0}")]
    Json(String),
    /// There is no `method`.
    #[error("the objective has no `method`; name one of {known}")]
    NoMethod {
        /// All methods, separated by commas.
        known: String,
    },
    /// There is no method of that name.
    #[error("unknown method `{found}`{suggestion}; known methods: {known}")]
    UnknownMethod {
        /// The name found.
        found: String,
        /// ` (did you mean …?)`, or nothing.
        suggestion: String,
        /// All methods, separated by commas.
        known: String,
    },
    /// The object has no setting of that name.
    #[error("`{key}` is not a setting of {owner}{suggestion}; its settings are {known}")]
    UnknownKey {
        /// The object that has the key, such as the method.
        owner: String,
        /// The key found.
        key: String,
        /// ` (did you mean …?)`, or nothing.
        suggestion: String,
        /// All settings of the object, separated by commas.
        known: String,
    },
    /// A setting is given in both spellings.
    #[error("`{key}` is given twice, once with `_` and once with `-`; keep one of them")]
    Twice {
        /// The key that was found second.
        key: String,
    },
    /// A value has the wrong type, or is not one of the known words.
    #[error("`{key}` must be {expected}, found {found}")]
    WrongType {
        /// The setting.
        key: String,
        /// The values that it accepts.
        expected: String,
        /// The value found.
        found: String,
    },
    /// A number is outside its range.
    #[error("`{key}` must be {expected}, found {value}")]
    OutOfRange {
        /// The setting.
        key: String,
        /// The value found.
        value: f64,
        /// The values that it accepts.
        expected: &'static str,
    },
    /// Weights that must sum to 1 do not.
    #[error("`{key}` must sum to 1, found a sum of {sum}")]
    Sum {
        /// The setting.
        key: &'static str,
        /// The sum found.
        sum: f64,
    },
    /// Two settings exclude each other.
    #[error("`{first}` and `{second}` set the same value; give only one of them")]
    Exclusive {
        /// One setting.
        first: &'static str,
        /// The other setting.
        second: &'static str,
    },
    /// A setting has no effect, because another setting has a value that excludes it.
    #[error("`{key}` needs `{other}` to be \"{required}\", found \"{found}\"; leave `{key}` out")]
    WithoutEffect {
        /// The setting without effect.
        key: &'static str,
        /// The other setting.
        other: &'static str,
        /// The value of the other setting with which `key` has an effect.
        required: &'static str,
        /// The value of the other setting.
        found: &'static str,
    },
    /// A setting without a default is missing.
    #[error("{owner} needs `{key}`: {expected}")]
    Required {
        /// The method.
        owner: &'static str,
        /// The missing setting.
        key: &'static str,
        /// The values that it accepts.
        expected: &'static str,
    },
    /// A combination of settings has no meaning.
    #[error("{method} with {setting} has no meaning: {why}")]
    Meaningless {
        /// The method.
        method: &'static str,
        /// The setting that it cannot be combined with.
        setting: String,
        /// The reason.
        why: &'static str,
    },
    /// BVPO's optimal `α` is to be computed, but there are no gradient moments.
    #[error(
        "bvpo with `alpha` \"optimal\" needs the moments of the gradients with and without traces; estimate them, or give `alpha` a number"
    )]
    NoGradientMoments,
}

impl ObjectiveConfigError {
    pub(super) fn wrong_type(key: &str, expected: &str, found: &Value) -> Self {
        ObjectiveConfigError::WrongType {
            key: key.to_owned(),
            expected: expected.to_owned(),
            found: found.to_string(),
        }
    }

    pub(super) fn unknown_key(owner: &str, key: &str, known: &[&str]) -> Self {
        ObjectiveConfigError::UnknownKey {
            owner: owner.to_owned(),
            key: key.to_owned(),
            suggestion: suggestion(key, known),
            known: known.join(", "),
        }
    }
}

/// ` (did you mean …?)` with the known name that is most similar, or nothing if none is similar.
pub(super) fn suggestion(found: &str, known: &[&str]) -> String {
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
