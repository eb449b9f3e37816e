//! A response with status 200. In: its body. Out: a reply, or what is wrong with it.

use serde_json::Value;

use super::status::error_text;
use crate::judge::{Fault, JudgeError, Reply, Usage};
use crate::task::Task;

/// Reads a body. A body that says that its choice is complete and has text is a reply. Of an answer, the choice may be cut or
/// empty: it is what the model wrote.
pub(super) fn read(raw: &str, task: &Task) -> Result<Reply, JudgeError> {
    let server = |message: &str| JudgeError::new(Fault::Server, message);
    let Ok(body) = serde_json::from_str::<Value>(raw) else {
        return Err(match raw.trim_start().starts_with('<') {
            true => server("the server answers with HTML, not with JSON"),
            false => server("the server's reply is no complete JSON"),
        });
    };
    if let Some(error) = body.get("error").filter(|error| !error.is_null()) {
        return Err(of_error(error, &body));
    }
    let usage = usage(&body);
    let with_usage = |fault, message: String| JudgeError {
        usage,
        ..JudgeError::new(fault, message)
    };
    let Some(choice) = body["choices"].get(0) else {
        let message = "the server's reply has no `choices`";
        return Err(with_usage(Fault::Server, message.to_owned()));
    };
    let message = &choice["message"];
    let finish = choice["finish_reason"].as_str().unwrap_or("stop");
    if let Some(refusal) = message["refusal"].as_str().filter(|text| !text.is_empty()) {
        let refusal: String = refusal.chars().take(200).collect();
        let message = format!("the model refuses: {refusal}");
        return Err(with_usage(Fault::Refused, message));
    }
    if finish == "content_filter" {
        let message = "the server's filter removed the reply".to_owned();
        return Err(with_usage(Fault::Refused, message));
    }
    let is_answer = *task == Task::Answer;
    if finish == "length" && !is_answer {
        let message = "the limit of tokens cut the reply".to_owned();
        return Err(with_usage(Fault::Cut, message));
    }
    let text = content(&message["content"]);
    // Without a reason for its end, an empty reply is a failure of the server.
    let may_be_empty = is_answer && message.is_object() && choice["finish_reason"].is_string();
    if text.trim().is_empty() && !may_be_empty {
        return Err(with_usage(Fault::Server, "the reply is empty".to_owned()));
    }
    Ok(Reply {
        text,
        raw: raw.to_owned(),
        usage,
        model: body["model"].as_str().map(str::to_owned),
        fingerprint: body["system_fingerprint"].as_str().map(str::to_owned),
        pause: None,
    })
}

/// What a body says about an answer, beside its text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct About {
    /// Why it ended: `stop`, `length`, or another word of the server.
    pub(crate) finish: Option<String>,
    pub(crate) n_tokens: Option<u64>,
    /// What a reasoning model thought, if the server divides it from the answer.
    pub(crate) reasoning: Option<String>,
}

/// What a body says about an answer. Nothing if it is no body of a chat server.
pub(crate) fn about(raw: &str) -> About {
    let Ok(body) = serde_json::from_str::<Value>(raw) else {
        return About::default();
    };
    let choice = &body["choices"][0];
    let thought = |name: &str| choice["message"][name].as_str();
    let reasoning = thought("reasoning_content").or(thought("reasoning"));
    About {
        finish: choice["finish_reason"].as_str().map(str::to_owned),
        n_tokens: usage(&body).map(|usage| usage.completion),
        reasoning: reasoning.filter(|text| !text.is_empty()).map(str::to_owned),
    }
}

/// The text of a message: a string, or blocks of text.
fn content(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => blocks
            .iter()
            .filter_map(|block| block["text"].as_str())
            .collect(),
        _ => String::new(),
    }
}

/// The usage, whose names differ between servers.
fn usage(body: &Value) -> Option<Usage> {
    let usage = body.get("usage")?;
    let number = |names: &[&str]| names.iter().find_map(|name| usage[*name].as_u64());
    let cached = usage["prompt_tokens_details"]["cached_tokens"].as_u64();
    Some(Usage {
        prompt: number(&["prompt_tokens", "input_tokens"])?,
        completion: number(&["completion_tokens", "output_tokens"])?,
        cached: cached.or(number(&["prompt_cache_hit_tokens"])).unwrap_or(0),
    })
}

/// An error inside a response with status 200.
fn of_error(error: &Value, body: &Value) -> JudgeError {
    let text = error_text(&body.to_string());
    let word = |name: &str| error[name].as_str().unwrap_or_default().to_lowercase();
    let code = error["code"].as_u64().or(error["status"].as_u64());
    let words = format!("{} {}", word("code"), word("type"));
    let message = format!("the server's reply holds an error: {text}");
    let fault = if words.contains("quota") || words.contains("api_key") || words.contains("auth") {
        Fault::Fatal
    } else if words.contains("rate_limit") || code == Some(429) {
        Fault::Busy { wait: None }
    } else {
        match code {
            Some(401..=404) => Fault::Fatal,
            Some(400 | 413 | 422) => Fault::Refused,
            _ => Fault::Server,
        }
    };
    JudgeError::new(fault, message)
}
