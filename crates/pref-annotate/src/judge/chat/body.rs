//! The body of a request. In: a question. Out: JSON that OpenAI-compatible servers read.

use serde::Serialize;
use serde_json::{Value, json};

use super::dialect::{Features, Format};
use crate::judge::Ask;
use crate::request::ChatMessage;

/// The body of a request.
#[derive(Serialize)]
pub(super) struct Body<'a> {
    model: &'a str,
    messages: &'a [ChatMessage],
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<Value>,
}

impl<'a> Body<'a> {
    pub(super) fn new(model: &'a str, ask: Ask<'a>, features: Features) -> Self {
        let request = ask.request;
        let sampling = (!features.has_no_temperature).then_some(request.sampling);
        // Different samples of a question get different seeds, and an attempt after a failure the same one.
        let is_drawn = sampling.is_some_and(|sampling| sampling.temperature > 0.0);
        let limit = |is_this: bool| is_this.then_some(ask.max_tokens);
        Self {
            model,
            messages: &request.messages,
            max_completion_tokens: limit(features.has_completion_tokens),
            max_tokens: limit(!features.has_completion_tokens),
            temperature: sampling.map(|sampling| sampling.temperature),
            top_p: sampling.map(|sampling| sampling.top_p),
            seed: is_drawn.then_some(request.sample),
            response_format: match features.format {
                Format::Auto | Format::Schema => {
                    let mut format = json!({
                        "type": "json_schema",
                        "json_schema": {"name": "judgement", "strict": true},
                    });
                    format["json_schema"]["schema"] = request.schema();
                    Some(format)
                }
                Format::Json => Some(json!({"type": "json_object"})),
                Format::Text => None,
            },
        }
    }
}
