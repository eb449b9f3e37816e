//! The body of a request. In: a question. Out: JSON that OpenAI-compatible servers read.

use pref_data::TemplateKwargs;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::dialect::{Features, Format};
use super::kind::ServerKind;
use crate::judge::Ask;
use crate::request::{ChatMessage, Request};

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
    #[serde(skip_serializing_if = "no_texts")]
    stop: &'a [String],
    #[serde(skip_serializing_if = "no_kwargs")]
    chat_template_kwargs: Option<&'a TemplateKwargs>,
    /// Parameters that OpenAI's interface lacks.
    #[serde(flatten)]
    special: Map<String, Value>,
}

fn no_texts(texts: &&[String]) -> bool {
    texts.is_empty()
}

fn no_kwargs(kwargs: &Option<&TemplateKwargs>) -> bool {
    kwargs.is_none_or(TemplateKwargs::is_empty)
}

impl<'a> Body<'a> {
    pub(super) fn new(
        model: &'a str,
        ask: Ask<'a>,
        features: Features,
        server: ServerKind,
    ) -> Self {
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
            seed: is_drawn.then_some(request.seed.unwrap_or(request.sample)),
            response_format: request
                .schema()
                .and_then(|schema| response_format(features.format, schema)),
            stop: request.drawing.as_ref().map_or(&[], |d| &d.stop),
            chat_template_kwargs: request.drawing.as_ref().map(|d| &d.template_kwargs),
            special: special(request, server),
        }
    }
}

fn response_format(format: Format, schema: Value) -> Option<Value> {
    match format {
        Format::Auto | Format::Schema => Some(json!({
            "type": "json_schema",
            "json_schema": {"name": "judgement", "strict": true, "schema": schema},
        })),
        Format::Json => Some(json!({"type": "json_object"})),
        Format::Text => None,
    }
}

/// How an answer is drawn, for servers that take it. Values that change nothing are sent too, because a server may have
/// others by default, from its own settings or from the model's `generation_config.json`.
fn special(request: &Request, server: ServerKind) -> Map<String, Value> {
    let mut fields = Map::new();
    if let (Some(drawing), Some(names)) = (&request.drawing, server.special()) {
        let top_k = match drawing.top_k {
            // All versions of these servers take -1 for all tokens.
            0 => json!(-1),
            k => json!(k),
        };
        let penalty = names.repetition_penalty.to_owned();
        fields.insert("top_k".to_owned(), top_k);
        fields.insert("min_p".to_owned(), json!(drawing.min_p));
        fields.insert(penalty, json!(drawing.repetition_penalty));
    }
    fields
}
