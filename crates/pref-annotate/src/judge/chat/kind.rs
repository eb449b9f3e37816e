//! Kinds of chat servers. In: the list of a server's models. Out: which parameters beside OpenAI's it takes.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The program behind a chat server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServerKind {
    /// What the server's list of models says (`owned_by`).
    #[default]
    Auto,
    /// vLLM.
    Vllm,
    /// SGLang.
    Sglang,
    /// llama.cpp's server.
    #[serde(rename = "llama.cpp")]
    LlamaCpp,
    /// Any other server, which gets the parameters of OpenAI's interface only.
    Other,
}

/// Names of the parameters that OpenAI's interface lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SpecialNames {
    pub(super) repetition_penalty: &'static str,
}

impl ServerKind {
    /// The kind that a list of models, the body of `/models`, says.
    pub(super) fn of_models(body: &str) -> Self {
        let body: Value = serde_json::from_str(body).unwrap_or_default();
        let owners = body["data"].as_array().into_iter().flatten();
        let owner = owners.filter_map(|model| model["owned_by"].as_str()).next();
        match owner {
            Some("vllm") => Self::Vllm,
            Some("sglang") => Self::Sglang,
            Some("llamacpp") => Self::LlamaCpp,
            _ => Self::Other,
        }
    }

    /// The names of the parameters that the server takes beside OpenAI's. None if it takes none.
    pub(super) fn special(self) -> Option<SpecialNames> {
        match self {
            Self::Vllm | Self::Sglang => Some(SpecialNames {
                repetition_penalty: "repetition_penalty",
            }),
            Self::LlamaCpp => Some(SpecialNames {
                repetition_penalty: "repeat_penalty",
            }),
            Self::Auto | Self::Other => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_of_the_models_tells_the_server() {
        let of = |owner: &str| {
            let body = serde_json::json!({"data": [{"id": "m", "owned_by": owner}]});
            ServerKind::of_models(&body.to_string())
        };
        assert_eq!(of("vllm"), ServerKind::Vllm);
        assert_eq!(of("llamacpp"), ServerKind::LlamaCpp);
        assert_eq!(of("openai"), ServerKind::Other);
        assert_eq!(ServerKind::of_models("<html>"), ServerKind::Other);
    }
}
