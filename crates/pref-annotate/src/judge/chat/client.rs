//! Sends requests. In: a question. Out: a reply, or an error with its fault.
//!
//! One call sends one request. Nothing here asks again: the HTTP client's own retries and redirects are off.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Client, RequestBuilder, Response};

use super::body::Body;
use super::dialect::{Dialect, Features, Format, refused_setting};
use super::key::ApiKey;
use super::kind::ServerKind;
use super::preflight::{ChatError, choose_model};
use super::response;
use super::status::{error_text, fault, meaning, pause};
use super::url::Endpoints;
use crate::drawing::Drawing;
use crate::judge::{Ask, Fault, Judge, JudgeError, Reply};
use crate::task::Task;

/// How a chat server is reached.
#[derive(Clone, Debug)]
pub struct ChatOptions {
    /// The URL up to `/v1`, such as `http://localhost:8000/v1`.
    pub url: String,
    /// The model; if absent, the only one that the server has.
    pub model: Option<String>,
    /// The key.
    pub key: ApiKey,
    /// How the server is told the form of a reply.
    pub format: Format,
    /// Which server it is.
    pub server: ServerKind,
    /// The longest time from sending a request to the end of its reply.
    pub timeout: Duration,
    /// Whether the server is asked for its models before the first question.
    pub check: bool,
}

/// A model behind an OpenAI-compatible chat server.
#[derive(Debug)]
pub struct ChatJudge {
    pub(super) client: Client,
    endpoints: Endpoints,
    pub(super) model: String,
    pub(super) key: ApiKey,
    pub(super) dialect: Dialect,
    pub(super) server: ServerKind,
    timeout: Duration,
}

/// Most bytes of a response.
const MOST_BYTES: usize = 8 << 20;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

impl ChatJudge {
    /// Connects to a server and checks that it is a chat server with this model. No question is asked.
    ///
    /// # Errors
    /// [`ChatError`] says what is wrong with URL, server, key or model.
    pub async fn connect(options: &ChatOptions) -> Result<Self, ChatError> {
        let endpoints = Endpoints::parse(&options.url)?;
        let wrong = |message: String| ChatError::Url {
            url: endpoints.base.clone(),
            message,
        };
        let mut headers = HeaderMap::new();
        if let Some(bearer) = options.key.bearer() {
            let value = HeaderValue::from_str(&bearer);
            let mut value = value.map_err(|_| wrong("the key is no header".to_owned()))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let client = Client::builder()
            .default_headers(headers)
            .user_agent(concat!("pref/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            .timeout(options.timeout)
            .build()
            .map_err(|error| wrong(error.without_url().to_string()))?;
        let mut judge = Self {
            client,
            model: String::new(),
            key: options.key.clone(),
            dialect: Dialect::new(options.format),
            server: options.server,
            timeout: options.timeout,
            endpoints,
        };
        judge.model = match (options.check, &options.model) {
            (false, Some(model)) => model.clone(),
            (false, None) => {
                return Err(ChatError::Model {
                    url: judge.endpoints.base.clone(),
                    message: "without the check of the server, name the model with --judge-model (pref sample: --server-model)".to_owned(),
                });
            }
            (true, wanted) => {
                let (model, found) = judge.check(wanted.as_deref()).await?;
                if judge.server == ServerKind::Auto {
                    judge.server = found;
                }
                model
            }
        };
        Ok(judge)
    }

    /// The URL up to `/v1`.
    pub fn url(&self) -> &str {
        &self.endpoints.base
    }

    /// Checks that the server takes all settings of an answer.
    ///
    /// # Errors
    /// [`ChatError::Setting`] names one that it does not take.
    pub fn takes(&self, drawing: &Drawing) -> Result<(), ChatError> {
        match (drawing.special(), self.server.special()) {
            (Some(setting), None) => Err(ChatError::Setting {
                url: self.endpoints.base.clone(),
                setting,
            }),
            _ => Ok(()),
        }
    }

    /// The model, and the kind of the server.
    async fn check(&self, wanted: Option<&str>) -> Result<(String, ServerKind), ChatError> {
        let url = self.endpoints.base.clone();
        let sent = self
            .send(self.client.get(self.endpoints.models.clone()))
            .await;
        let (status, _, body) = sent.map_err(|error| ChatError::Unreachable {
            url: url.clone(),
            message: error.message,
        })?;
        let message = format!(
            "{} (status {status}: {})",
            meaning(status),
            self.key.redact(&error_text(&body))
        );
        match status {
            200..=299 => Ok((
                choose_model(&url, &body, wanted)?,
                ServerKind::of_models(&body),
            )),
            401 | 403 => Err(ChatError::Key { url, message }),
            300..=499 => Err(ChatError::NoChatServer {
                url: format!("{url}/models"),
                message,
            }),
            _ => Err(ChatError::Models { url, message }),
        }
    }

    /// Sends a request and reads the whole response.
    pub(super) async fn send(
        &self,
        request: RequestBuilder,
    ) -> Result<(u16, HeaderMap, String), JudgeError> {
        self.send_up_to(request, MOST_BYTES).await
    }

    /// As [`send`](Self::send), with a response of at most so many bytes.
    pub(super) async fn send_up_to(
        &self,
        request: RequestBuilder,
        most: usize,
    ) -> Result<(u16, HeaderMap, String), JudgeError> {
        let response = request.send().await.map_err(|error| self.lost(error))?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let body = self.read(response, most).await?;
        Ok((status, headers, body))
    }

    async fn read(&self, mut response: Response, most: usize) -> Result<String, JudgeError> {
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.lost(error))? {
            if bytes.len() + chunk.len() > most {
                let message = format!("the reply has more than {} MiB", most >> 20);
                return Err(JudgeError::new(Fault::Lost, message));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The reply to a question of this task that was sent with `features`.
    pub(super) fn read_answer(
        &self,
        status: u16,
        headers: &HeaderMap,
        text: String,
        features: Features,
        task: &Task,
    ) -> Result<Reply, JudgeError> {
        // A server that repeats the key must not bring it into the store.
        let text = self.key.redact(&text);
        if status == 200 {
            let mut reply = response::read(&text, task)?;
            reply.pause = pause(headers);
            return Ok(reply);
        }
        let message = error_text(&text);
        let fault = match fault(status, &text, headers) {
            Fault::Refused if self.dialect.adapt(features, &message, task) => Fault::Adapted,
            Fault::Refused if *task == Task::Answer && refused_setting(&message).is_some() => {
                Fault::Fatal
            }
            fault => fault,
        };
        let location = headers
            .get("location")
            .and_then(|value| value.to_str().ok());
        let message = match location {
            Some(location) if (300..400).contains(&status) => location.to_owned(),
            _ => message,
        };
        let message = format!("{} (status {status}: {message})", meaning(status));
        Err(JudgeError::new(fault, message))
    }

    /// The error of a request without a complete response.
    fn lost(&self, error: reqwest::Error) -> JudgeError {
        let error = error.without_url();
        if error.is_connect() {
            let mut cause: &dyn std::error::Error = &error;
            while let Some(next) = cause.source() {
                cause = next;
            }
            return JudgeError::new(Fault::Unreachable, self.key.redact(&cause.to_string()));
        }
        let message = match error.is_timeout() {
            true => format!(
                "no complete reply in {} s; judge.timeout-seconds sets this time",
                self.timeout.as_secs_f64()
            ),
            false => "the connection ended before the reply did".to_owned(),
        };
        JudgeError::new(Fault::Lost, message)
    }
}

impl Judge for ChatJudge {
    fn model(&self) -> &str {
        &self.model
    }

    async fn ask(&self, ask: Ask<'_>) -> Result<Reply, JudgeError> {
        if let Some(drawing) = &ask.request.drawing {
            self.takes(drawing)
                .map_err(|error| JudgeError::new(Fault::Fatal, error.to_string()))?;
        }
        let features = self.dialect.now();
        let body = Body::new(&self.model, ask, features, self.server);
        let body = serde_json::to_vec(&body).unwrap_or_default();
        let request = self.client.post(self.endpoints.chat.clone());
        let request = request
            .header("content-type", "application/json")
            .body(body);
        let (status, headers, text) = self.send(request).await?;
        self.read_answer(status, &headers, text, features, &ask.request.task)
    }
}
