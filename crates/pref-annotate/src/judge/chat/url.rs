//! The URL of a server. In: text. Out: the URLs of its endpoints.

use reqwest::Url;

use super::preflight::ChatError;

/// The URLs of the endpoints.
#[derive(Clone, Debug)]
pub(super) struct Endpoints {
    /// The URL as it is shown.
    pub(super) base: String,
    pub(super) chat: Url,
    pub(super) models: Url,
}

impl Endpoints {
    pub(super) fn parse(text: &str) -> Result<Self, ChatError> {
        let wrong = |message: &str| ChatError::Url {
            url: text.to_owned(),
            message: message.to_owned(),
        };
        let url = Url::parse(text.trim()).map_err(|error| wrong(&error.to_string()))?;
        if !["http", "https"].contains(&url.scheme()) || !url.has_host() {
            return Err(wrong("expected a URL such as http://localhost:8000/v1"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            // The URL is printed, so the error does not repeat it.
            return Err(ChatError::Url {
                url: "the judge's URL".to_owned(),
                message: "it has a user name or password; give the key in the environment variable PREF_API_KEY".to_owned(),
            });
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("it has a part after `?` or `#`; leave it out"));
        }
        let base = url.as_str().trim_end_matches('/');
        let base = base.strip_suffix("/chat/completions").unwrap_or(base);
        let join = |path: &str| {
            Url::parse(&format!("{base}/{path}")).map_err(|error| wrong(&error.to_string()))
        };
        Ok(Self {
            chat: join("chat/completions")?,
            models: join("models")?,
            base: base.to_owned(),
        })
    }
}
