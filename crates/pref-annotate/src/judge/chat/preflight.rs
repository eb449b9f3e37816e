//! Checks a server before the first question. In: a URL and a model. Out: the model to ask, or what is wrong.

use serde_json::Value;
use strsim::jaro_winkler;
use thiserror::Error;

/// A chat server cannot be used.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChatError {
    /// The URL is no URL of a chat server.
    #[error("{url}: {message}")]
    Url {
        /// The URL.
        url: String,
        /// What is wrong with it.
        message: String,
    },
    /// No connection can be made.
    #[error("{url}: no connection: {message}; is the server running, and is the port right?")]
    Unreachable {
        /// The URL.
        url: String,
        /// The cause.
        message: String,
    },
    /// The server does not accept the key.
    #[error("{url}: {message}")]
    Key {
        /// The URL.
        url: String,
        /// What the server says.
        message: String,
    },
    /// The server is no chat server.
    #[error(
        "{url}: this is no OpenAI-compatible chat server: {message}; most servers have it under a URL that ends in /v1"
    )]
    NoChatServer {
        /// The URL.
        url: String,
        /// What it answers.
        message: String,
    },
    /// The server cannot say which models it has.
    #[error(
        "{url}/models: {message}; if the server answers questions all the same, name the model with --judge-model (pref sample: --server-model), and leave this check out with --set judge.check=false"
    )]
    Models {
        /// The URL.
        url: String,
        /// What the server says.
        message: String,
    },
    /// The server does not take a setting of answers.
    #[error(
        "{url}: OpenAI's interface has no `{setting}`, and the server is not known to take it; leave --{setting} out, or say with --set judge.server=vllm, sglang or llama.cpp which server it is"
    )]
    Setting {
        /// The URL.
        url: String,
        /// The setting.
        setting: &'static str,
    },
    /// The server does not have the model, or has several.
    #[error("{url}: {message}")]
    Model {
        /// The URL.
        url: String,
        /// What is wrong, and the models that there are.
        message: String,
    },
}

/// Most models that a message lists.
const MOST_LISTED: usize = 20;

/// The model to ask, from the body of `/models` and the name that the user gives.
pub(super) fn choose_model(
    url: &str,
    body: &str,
    wanted: Option<&str>,
) -> Result<String, ChatError> {
    let no_server = |message: &str| ChatError::NoChatServer {
        url: format!("{url}/models"),
        message: message.to_owned(),
    };
    let Ok(body) = serde_json::from_str::<Value>(body) else {
        return Err(no_server("the answer is no JSON"));
    };
    let list = body.get("data").unwrap_or(&body);
    let Some(list) = list.as_array() else {
        return Err(no_server("the answer has no list of models"));
    };
    let names: Vec<&str> = list
        .iter()
        .filter_map(|model| model["id"].as_str())
        .collect();
    let wrong = |message: String| ChatError::Model {
        url: url.to_owned(),
        message,
    };
    let shown = || {
        let mut listed = names
            .iter()
            .take(MOST_LISTED)
            .copied()
            .collect::<Vec<_>>()
            .join(", ");
        if names.len() > MOST_LISTED {
            listed.push_str(", …");
        }
        listed
    };
    match (wanted, &names[..]) {
        (None, []) => Err(wrong(
            "the server names no model; name it with --judge-model (pref sample: --server-model)"
                .to_owned(),
        )),
        (None, [only]) => Ok((*only).to_owned()),
        (None, _) => Err(wrong(format!(
            "the server has {} models; choose one with --judge-model (pref sample: --server-model): {}",
            names.len(),
            shown()
        ))),
        (Some(wanted), []) => Ok(wanted.to_owned()),
        (Some(wanted), _) if names.contains(&wanted) => Ok(wanted.to_owned()),
        (Some(wanted), _) => {
            let closest = names
                .iter()
                .map(|name| (jaro_winkler(name, wanted), name))
                .max_by(|a, b| a.0.total_cmp(&b.0));
            let hint = match closest {
                Some((similarity, name)) if similarity > 0.8 => format!("did you mean {name}?"),
                _ => format!("it has {}", shown()),
            };
            Err(wrong(format!("the server has no model {wanted}; {hint}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &str, wanted: Option<&str>, expected: Result<&str, &str>) {
        let chosen = choose_model("http://x/v1", body, wanted);
        match expected {
            Ok(model) => assert_eq!(chosen.as_deref(), Ok(model)),
            Err(part) => {
                let message = chosen.expect_err("no model").to_string();
                assert!(message.contains(part), "{message}");
            }
        }
    }

    #[test]
    fn the_model_is_the_one_that_the_server_has() {
        let two = r#"{"data": [{"id": "judge-small"}, {"id": "judge-large"}]}"#;
        let one = r#"{"object": "list", "data": [{"id": "only"}]}"#;
        check(one, None, Ok("only"));
        check(two, Some("judge-large"), Ok("judge-large"));
        check(two, None, Err("2 models"));
        check(two, Some("judge-larg"), Err("did you mean judge-large?"));
        check(two, Some("x"), Err("it has judge-small, judge-large"));
        check("<html>", None, Err("no JSON"));
        check("{}", None, Err("no list of models"));
        check(r#"{"data": []}"#, Some("mine"), Ok("mine"));
    }
}
