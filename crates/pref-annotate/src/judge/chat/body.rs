//! The body of a request. In: a question. Out: JSON that OpenAI-compatible servers read.

use serde_json::{Value, json};

use super::dialect::{Features, Format};
use crate::judge::Ask;

/// The body of a request.
pub(super) fn body(model: &str, ask: Ask<'_>, features: Features) -> Value {
    let request = ask.request;
    let mut body = json!({
        "model": model,
        "messages": request.messages,
    });
    let limit = match features.has_completion_tokens {
        true => "max_completion_tokens",
        false => "max_tokens",
    };
    body[limit] = json!(ask.max_tokens);
    if !features.has_no_temperature {
        body["temperature"] = json!(request.sampling.temperature);
        body["top_p"] = json!(request.sampling.top_p);
        if request.sampling.temperature > 0.0 {
            // Different samples of a question get different seeds, and an attempt after a failure the same one.
            body["seed"] = json!(request.sample);
        }
    }
    match features.format {
        Format::Auto | Format::Schema => {
            body["response_format"] = json!({
                "type": "json_schema",
                "json_schema": {"name": "judgement", "strict": true, "schema": request.schema()},
            });
        }
        Format::Json => body["response_format"] = json!({"type": "json_object"}),
        Format::Text => {}
    }
    body
}
