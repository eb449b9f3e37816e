//! The batch interface of a chat server: files and batches. In: questions. Out: one file of questions, a batch of it, and
//! the replies in its output.
//!
//! Each call sends one request, and nothing here asks again.

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{RequestBuilder, Url};
use serde_json::{Value, json};

use super::body::Body;
use super::client::ChatJudge;
use super::status::{error_text, fault, meaning};
use crate::judge::{Ask, Fault, JudgeError, Reply};
use crate::random::random;
use crate::task::Task;

/// A line of a file of replies, with the id of its question. None if it is no such line.
pub(crate) fn batch_line_of(line: &str) -> Option<(String, Value)> {
    let line: Value = serde_json::from_str(line).ok()?;
    let id = line["custom_id"].as_str()?.to_owned();
    Some((id, line))
}

/// Most bytes of a file of replies.
const MOST_FILE_BYTES: usize = 512 << 20;

/// A batch, as the server describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RemoteBatch {
    pub(crate) id: String,
    /// `validating`, `in_progress`, `finalizing`, `completed`, `failed`, `expired`, `cancelling` or `cancelled`.
    pub(crate) status: String,
    /// Files with replies and with errors.
    pub(crate) files: Vec<String>,
    /// What the server says is wrong with the batch as a whole.
    pub(crate) errors: String,
    /// The file of its questions.
    input: String,
}

impl RemoteBatch {
    /// Whether nothing more happens to it.
    pub(crate) fn has_ended(&self) -> bool {
        ["completed", "failed", "expired", "cancelled"].contains(&&*self.status)
    }

    fn of(value: &Value) -> Option<Self> {
        let text = |name: &str| value[name].as_str().filter(|text| !text.is_empty());
        let errors = value["errors"]["data"].as_array();
        let errors = errors.into_iter().flatten();
        let messages: Vec<&str> = errors
            .filter_map(|e| e["message"].as_str())
            .take(3)
            .collect();
        Some(Self {
            id: text("id")?.to_owned(),
            status: text("status")?.to_owned(),
            files: ["output_file_id", "error_file_id"]
                .into_iter()
                .filter_map(|name| text(name).map(str::to_owned))
                .collect(),
            errors: messages.join("; "),
            input: text("input_file_id").unwrap_or_default().to_owned(),
        })
    }
}

impl ChatJudge {
    /// The line of a question in a file of questions.
    pub(crate) fn batch_line(&self, id: &str, ask: Ask<'_>) -> String {
        let body = Body::new(&self.model, ask, self.dialect.now(), self.server);
        let line = json!({
            "custom_id": id,
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": body,
        });
        line.to_string()
    }

    /// Sends a file of questions, and returns its id.
    pub(crate) async fn upload(&self, lines: &str) -> Result<String, JudgeError> {
        let boundary = format!("pref-{:016x}{:016x}", random(), random());
        let body = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"questions.jsonl\"\r\nContent-Type: application/jsonl\r\n\r\n{lines}\r\n--{boundary}--\r\n"
        );
        let request = self.client.post(self.below("files")?);
        let kind = format!("multipart/form-data; boundary={boundary}");
        let answer = self.control(request.header(CONTENT_TYPE, kind).body(body));
        let answer = answer.await?;
        let id = answer["id"].as_str().filter(|id| is_id(id));
        let id = id.ok_or_else(|| no_batches("the answer to a file has no `id`"))?;
        Ok(id.to_owned())
    }

    /// Makes a batch of a file of questions.
    pub(crate) async fn create_batch(&self, file: &str) -> Result<RemoteBatch, JudgeError> {
        let body = json!({
            "input_file_id": file,
            "endpoint": "/v1/chat/completions",
            "completion_window": "24h",
        });
        let request = self.client.post(self.below("batches")?);
        let request = request
            .header(CONTENT_TYPE, "application/json")
            .body(body.to_string());
        batch_of(&self.control(request).await?)
    }

    /// The batch of a file of questions, if the server has one.
    pub(crate) async fn find_batch(&self, file: &str) -> Result<Option<RemoteBatch>, JudgeError> {
        let mut after: Option<String> = None;
        loop {
            let mut url = self.below("batches")?;
            url.query_pairs_mut().append_pair("limit", "100");
            if let Some(after) = &after {
                url.query_pairs_mut().append_pair("after", after);
            }
            let page = self.control(self.client.get(url)).await?;
            let batches = page["data"].as_array();
            let batches = batches.ok_or_else(|| no_batches("the list of batches has no `data`"))?;
            let batches: Vec<RemoteBatch> = batches.iter().filter_map(RemoteBatch::of).collect();
            if let Some(found) = batches.iter().find(|batch| batch.input == file) {
                return Ok(Some(found.clone()));
            }
            let last = batches.last().map(|batch| batch.id.clone());
            let has_more = page["has_more"].as_bool().unwrap_or(false);
            if !has_more || last.is_none() || last == after {
                return Ok(None);
            }
            after = last;
        }
    }

    /// The state of a batch.
    pub(crate) async fn batch(&self, id: &str) -> Result<RemoteBatch, JudgeError> {
        let url = self.below(&format!("batches/{id}"))?;
        batch_of(&self.control(self.client.get(url)).await?)
    }

    /// The content of a file.
    pub(crate) async fn file(&self, id: &str) -> Result<String, JudgeError> {
        let url = self.below(&format!("files/{id}/content"))?;
        let (status, headers, text) = self
            .send_up_to(self.client.get(url), MOST_FILE_BYTES)
            .await?;
        match status {
            200 => Ok(self.key.redact(&text)),
            _ => Err(self.control_error(status, &headers, &text)),
        }
    }

    /// A line of a file of replies: the reply or the error of a question with this task.
    pub(crate) fn read_batch_line(&self, line: &Value, task: &Task) -> Result<Reply, JudgeError> {
        let response = &line["response"];
        let Some(status) = response["status_code"].as_u64() else {
            let message = error_text(&line["error"].to_string());
            // `batch_expired` and the like: the question was not asked.
            return Err(JudgeError::new(Fault::Server, message));
        };
        let status = u16::try_from(status).unwrap_or(500);
        let body = response["body"].to_string();
        self.read_answer(status, &HeaderMap::new(), body, self.dialect.now(), task)
    }

    /// A URL below the server's.
    fn below(&self, path: &str) -> Result<Url, JudgeError> {
        let url = format!("{}/{path}", self.url());
        Url::parse(&url).map_err(|error| JudgeError::new(Fault::Fatal, error.to_string()))
    }

    /// Sends a request that is no question, and reads the JSON of the answer.
    async fn control(&self, request: RequestBuilder) -> Result<Value, JudgeError> {
        let (status, headers, text) = self.send(request).await?;
        if !(200..300).contains(&status) {
            return Err(self.control_error(status, &headers, &text));
        }
        serde_json::from_str(&text).map_err(|_| no_batches("the answer is no JSON"))
    }

    fn control_error(&self, status: u16, headers: &HeaderMap, text: &str) -> JudgeError {
        let text = self.key.redact(&error_text(text));
        // A refusal concerns all questions of the file.
        let fault = match fault(status, &text, headers) {
            Fault::Refused => Fault::Fatal,
            fault => fault,
        };
        let message = match status {
            404 | 405 | 501 => format!(
                "{}: the server has no batch interface, or not this batch or file; leave --batch out (status {status}: {text})",
                self.url()
            ),
            _ => format!("{} (status {status}: {text})", meaning(status)),
        };
        JudgeError::new(fault, message)
    }
}

fn batch_of(answer: &Value) -> Result<RemoteBatch, JudgeError> {
    let batch = RemoteBatch::of(answer).filter(|batch| is_id(&batch.id));
    batch.ok_or_else(|| no_batches("the answer has no batch with `id` and `status`"))
}

fn no_batches(message: &str) -> JudgeError {
    let message = format!("the server's batch interface is not OpenAI's: {message}");
    JudgeError::new(Fault::Fatal, message)
}

/// Whether a server's id can be a part of a URL.
fn is_id(id: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    !id.is_empty() && id.len() <= 200 && !id.starts_with('.') && id.bytes().all(allowed)
}
