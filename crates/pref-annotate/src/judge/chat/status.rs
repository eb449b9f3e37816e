//! A response with another status than 200, and what its headers say. In: status, headers, body. Out: a fault and a
//! message.

use std::time::Duration;

use reqwest::header::HeaderMap;
use serde_json::Value;

use crate::judge::Fault;

/// Most characters of a server's message.
const MOST_CHARS: usize = 300;

/// The message in the body of an error, without control characters.
pub(super) fn error_text(body: &str) -> String {
    let parsed: Option<Value> = serde_json::from_str(body).ok();
    let message = parsed.as_ref().and_then(|body| {
        let places = [
            &body["error"]["message"],
            &body["error"],
            &body["message"],
            &body["detail"],
        ];
        let found = places.into_iter().find(|place| !place.is_null())?;
        Some(match found {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        })
    });
    let text = match message {
        Some(message) => message,
        None if body.trim_start().starts_with('<') => "an HTML page".to_owned(),
        None => body.to_owned(),
    };
    let clean = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    clean.take(MOST_CHARS).collect::<String>().trim().to_owned()
}

/// The fault of a status. `is_adapted` says whether the next request is without what the server refused.
pub(super) fn fault(status: u16, body: &str, headers: &HeaderMap) -> Fault {
    let wait = wait(headers);
    match status {
        429 if is_out_of_quota(body) => Fault::Fatal,
        429 => Fault::Busy { wait },
        503 | 529 if wait.is_some() || status == 529 => Fault::Busy { wait },
        300..=399 | 401..=405 => Fault::Fatal,
        408 | 409 | 425 => Fault::Lost,
        400..=499 => Fault::Refused,
        _ => Fault::Server,
    }
}

/// What a status means, for messages.
pub(super) fn meaning(status: u16) -> &'static str {
    match status {
        300..=399 => "the server has moved; give the URL that it names",
        401 => {
            "the server does not accept the key; PREF_API_KEY, OPENAI_API_KEY or the variable that judge.key-variable names has to hold it"
        }
        402 => "the account has no credit",
        403 => "the server does not allow this key to use the model",
        404 => "the server has no such URL or no such model",
        405 => "this URL is no chat server",
        429 => "the server asks to wait",
        400..=499 => "the server refuses the question",
        _ => "the server failed",
    }
}

fn is_out_of_quota(body: &str) -> bool {
    let Ok(body) = serde_json::from_str::<Value>(body) else {
        return false;
    };
    let word = |name: &str| body["error"][name].as_str().unwrap_or_default();
    [word("code"), word("type")].iter().any(|word| {
        [
            "insufficient_quota",
            "billing_hard_limit_reached",
            "quota_exceeded",
        ]
        .contains(word)
    })
}

/// How long the server asks to wait: `retry-after-ms`, or `Retry-After` as seconds or as a date.
pub(super) fn wait(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    if let Some(ms) = text("retry-after-ms").and_then(|text| text.parse::<f64>().ok()) {
        return limited(ms / 1000.0);
    }
    let text = text("retry-after")?;
    if let Ok(seconds) = text.parse::<f64>() {
        return limited(seconds);
    }
    let date = chrono::DateTime::parse_from_rfc2822(text).ok()?;
    let left = date.with_timezone(&chrono::Utc) - chrono::Utc::now();
    limited(left.num_milliseconds() as f64 / 1000.0)
}

/// How long the server's limit is used up, from the headers of OpenAI and vLLM-like servers.
pub(super) fn pause(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: String| headers.get(name)?.to_str().ok().map(str::trim);
    ["requests", "tokens"]
        .into_iter()
        .filter_map(|what| {
            let remaining: f64 = text(format!("x-ratelimit-remaining-{what}"))?
                .parse()
                .ok()?;
            let reset = text(format!("x-ratelimit-reset-{what}"))?;
            (remaining <= 0.0).then(|| duration(reset)).flatten()
        })
        .max()
}

/// Longest time that a server can make a run wait.
const LONGEST: f64 = 3600.0;

fn limited(seconds: f64) -> Option<Duration> {
    let seconds = if seconds.is_nan() {
        return None;
    } else {
        seconds
    };
    Duration::try_from_secs_f64(seconds.clamp(0.0, LONGEST)).ok()
}

/// A time such as `6m0s`, `1.5s`, `20ms` or `12`, in seconds.
fn duration(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.parse::<f64>() {
        return limited(seconds);
    }
    let (mut seconds, mut rest) = (0.0, text);
    while !rest.is_empty() {
        let n_digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..n_digits].parse().ok()?;
        rest = &rest[n_digits..];
        let n_letters = rest
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(rest.len());
        seconds += number
            * match &rest[..n_letters] {
                "h" => 3600.0,
                "m" => 60.0,
                "s" => 1.0,
                "ms" => 0.001,
                _ => return None,
            };
        rest = &rest[n_letters..];
    }
    limited(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.insert(*name, value.parse().expect("a header"));
        }
        map
    }

    #[test]
    fn waits_are_read_from_headers() {
        let seconds =
            |pairs: &[(&'static str, &str)]| wait(&headers(pairs)).map(|d| d.as_secs_f64());
        assert_eq!(seconds(&[("retry-after", "2")]), Some(2.0));
        assert_eq!(seconds(&[("retry-after-ms", "250")]), Some(0.25));
        assert_eq!(seconds(&[("retry-after", "-5")]), Some(0.0));
        assert_eq!(seconds(&[("retry-after", "1e99")]), Some(3600.0));
        assert_eq!(seconds(&[("retry-after", "soon")]), None);
        assert_eq!(
            seconds(&[("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT")]),
            Some(0.0)
        );
        assert_eq!(seconds(&[]), None);
    }

    #[test]
    fn an_empty_bucket_pauses_until_its_reset() {
        let of = |remaining, reset| {
            pause(&headers(&[
                ("x-ratelimit-remaining-requests", remaining),
                ("x-ratelimit-reset-requests", reset),
            ]))
        };
        assert_eq!(of("0", "1m30s"), Some(Duration::from_secs(90)));
        assert_eq!(of("0", "20ms"), Some(Duration::from_millis(20)));
        assert_eq!(of("7", "1m"), None);
        assert_eq!(of("0", "later"), None);
    }

    #[test]
    fn each_status_has_its_fault() {
        let none = HeaderMap::new();
        let quota = r#"{"error": {"code": "insufficient_quota"}}"#;
        for (status, body, expected) in [
            (400, "", Fault::Refused),
            (401, "", Fault::Fatal),
            (402, "", Fault::Fatal),
            (404, "", Fault::Fatal),
            (422, "", Fault::Refused),
            (429, "", Fault::Busy { wait: None }),
            (429, quota, Fault::Fatal),
            (500, "", Fault::Server),
            (503, "", Fault::Server),
        ] {
            assert_eq!(fault(status, body, &none), expected, "{status}");
        }
    }
}
