//! The key of a server. In: an environment variable. Out: a header, and texts without the key.

use thiserror::Error;

/// Variables that may hold the key, in this order.
const DEFAULT: [&str; 2] = ["PREF_API_KEY", "OPENAI_API_KEY"];

/// The key of a server, which is never printed or stored.
#[derive(Clone)]
pub struct ApiKey(Option<String>);

impl std::fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.0 {
            Some(_) => "ApiKey(…)",
            None => "ApiKey(none)",
        })
    }
}

/// The key cannot be used.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyError {
    /// The variable is not set.
    #[error("the environment variable {0}, which has to hold the key of the judge, is not set")]
    NotSet(String),
    /// The value is no key.
    #[error(
        "the environment variable {0} holds characters that a key cannot have, such as a line break or a space"
    )]
    NoKey(String),
}

impl ApiKey {
    /// No key, as for a server on the same machine.
    pub fn none() -> Self {
        Self(None)
    }

    /// The key in the environment variable `name`, or else in `PREF_API_KEY` or `OPENAI_API_KEY`; no key if none of
    /// them is set.
    ///
    /// # Errors
    /// [`KeyError`] if `name` is given and not set, or if the value is no key.
    pub fn from_env(name: Option<&str>) -> Result<Self, KeyError> {
        let read = |name: &str| {
            let value = std::env::var(name).ok()?;
            let value = value.trim().to_owned();
            (!value.is_empty()).then_some((name.to_owned(), value))
        };
        let found = match name {
            Some(name) => Some(read(name).ok_or_else(|| KeyError::NotSet(name.to_owned()))?),
            None => DEFAULT.into_iter().find_map(read),
        };
        match found {
            None => Ok(Self(None)),
            Some((_, key)) if key.bytes().all(|b| b.is_ascii_graphic()) => Ok(Self(Some(key))),
            Some((name, _)) => Err(KeyError::NoKey(name)),
        }
    }

    /// The value of the header `Authorization`.
    pub(super) fn bearer(&self) -> Option<String> {
        self.0.as_ref().map(|key| format!("Bearer {key}"))
    }

    /// A text without the key, should a server repeat it.
    pub(super) fn redact(&self, text: &str) -> String {
        match &self.0 {
            Some(key) => text.replace(key, "[key]"),
            None => text.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_not_in_debug_output_and_not_in_redacted_text() {
        let key = ApiKey(Some("sk-123".to_owned()));
        assert_eq!(format!("{key:?}"), "ApiKey(…)");
        assert_eq!(key.redact("bad key sk-123!"), "bad key [key]!");
    }
}
