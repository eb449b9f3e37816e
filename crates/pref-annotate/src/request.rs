//! One question to a judge. In: messages, parameters, and what the reply has to contain. Out: the key
//! of the question, and its form in the store.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::drawing::Drawing;
use crate::task::Task;

/// One turn of a question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatMessage {
    /// Who speaks.
    pub role: Role,
    /// The text of the turn.
    pub content: String,
}

/// Who speaks in a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The instructions, which are the same for many questions.
    System,
    /// The question.
    User,
    /// An earlier reply of the judge.
    Assistant,
}

impl ChatMessage {
    /// A turn.
    pub fn new(role: Role, content: impl Into<String>) -> Self {
        Self {
            role,
            content: content.into(),
        }
    }
}

/// How a judge draws its reply. These values are part of the key.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Sampling {
    /// Temperature, at least 0; 0 asks for the most probable reply.
    pub temperature: f64,
    /// Probability mass from which tokens are drawn, above 0 and at most 1.
    pub top_p: f64,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            temperature: 0.0,
            top_p: 1.0,
        }
    }
}

/// One question to a judge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// The turns. The instructions come first and what varies last, so that servers can keep the common
    /// beginning in a cache.
    pub messages: Vec<ChatMessage>,
    /// How the reply is drawn.
    pub sampling: Sampling,
    /// The number of the sample, from 0; the same question can be asked several times.
    pub sample: u32,
    /// Name and version of the template, such as `scores@1`.
    pub template: String,
    /// What the reply has to contain.
    pub task: Task,
    /// The data behind the messages, for judges that read no messages. It is empty for the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<Facts>,
    /// How an answer is drawn, for [`Task::Answer`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drawing: Option<Drawing>,
    /// The seed that a server gets. None: the number of the sample.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u32>,
}

/// The data behind the messages of a question, for judges that are programs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The text of the prompt.
    pub question: String,
    /// The answers in the order of the question, each as its segments.
    pub answers: Vec<Vec<String>>,
    /// The right final answer, if the data gives it.
    pub truth: Option<String>,
    /// `prompt`, `tools` and `chat_template_kwargs` as in the row, for judges of the basis
    /// [`Basis::Rows`](crate::Basis::Rows).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<Map<String, Value>>,
}

/// The key of a question: the first 16 bytes of the SHA-256 of the canonical request.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub [u8; 16]);

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({self})")
    }
}

impl Request {
    /// The key of this question for a judge's model. The URL of the server, the data set, the limit of a
    /// judgement's length and the number of attempts are not part of it.
    ///
    /// The hash is taken of a JSON object with its keys in alphabetical order.
    pub fn key(&self, model: &str) -> Key {
        let mut canonical = json!({
            "facts": self.facts,
            "messages": self.messages,
            "model": model,
            "sample": self.sample,
            "schema": self.task.schema(),
            // Without messages only the task says what is asked.
            "task": self.facts.as_ref().map(|_| &self.task),
            "temperature": self.sampling.temperature,
            "template": self.template,
            "top_p": self.sampling.top_p,
        });
        if let Some(drawing) = &self.drawing {
            canonical["drawing"] = json!(drawing);
            canonical["seed"] = json!(self.seed);
            // `Value` keeps the order of insertion.
            canonical.sort_all_objects();
        }
        let digest = Sha256::digest(canonical.to_string());
        let mut first = [0; 16];
        first.copy_from_slice(&digest[..16]);
        Key(first)
    }

    /// The turns before the last one, which other questions may share.
    pub fn prefix(&self) -> &[ChatMessage] {
        &self.messages[..self.messages.len().saturating_sub(1)]
    }

    /// An upper bound of the prompt's tokens. A token has at least one byte, and a chat template adds a few
    /// tokens to each turn.
    pub fn max_prompt_tokens(&self) -> u64 {
        let turn = |message: &ChatMessage| message.content.len() as u64 + TEMPLATE_TOKENS;
        self.messages.iter().map(turn).sum::<u64>() + TEMPLATE_TOKENS
    }

    /// The question again, with an invalid reply and what is wrong with it.
    pub fn repair(&self, reply: &str, complaint: &str) -> Self {
        let mut request = self.clone();
        request
            .messages
            .push(ChatMessage::new(Role::Assistant, reply));
        request
            .messages
            .push(ChatMessage::new(Role::User, complaint));
        request
    }

    /// The schema of the reply for servers that hold a model to one. None if any text is a reply.
    pub fn schema(&self) -> Option<Value> {
        self.task.schema()
    }
}

/// Tokens that a chat template may add to a turn.
const TEMPLATE_TOKENS: u64 = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Request {
        Request {
            messages: vec![
                ChatMessage::new(Role::System, "rules"),
                ChatMessage::new(Role::User, "question"),
            ],
            sampling: Sampling::default(),
            sample: 0,
            template: "scores@1".to_owned(),
            task: Task::scores("clarity", 0..=4, false, vec![1]),
            facts: None,
            drawing: None,
            seed: None,
        }
    }

    #[test]
    fn the_key_is_the_sha256_of_the_canonical_request() {
        // printf '%s' '…' | sha256sum, of the line below
        let canonical = r#"{"facts":null,"messages":[{"role":"system","content":"rules"},{"role":"user","content":"question"}],"model":"m","sample":0,"schema":SCHEMA,"task":null,"temperature":0.0,"template":"scores@1","top_p":1.0}"#;
        let canonical = canonical.replace("SCHEMA", &json!(request().schema()).to_string());
        let digest = Sha256::digest(canonical);
        assert_eq!(request().key("m").0, digest[..16]);
    }

    #[test]
    fn what_is_asked_changes_the_key() {
        let key = request().key("m");
        let changes: [fn(&mut Request); 6] = [
            |r| r.messages[1].content.push('!'),
            |r| r.sampling.temperature = 0.5,
            |r| r.sample = 1,
            |r| r.template = "scores@2".to_owned(),
            |r| r.facts = Some(Facts::default()),
            |r| r.drawing = Some(Drawing::default()),
        ];
        for change in changes {
            let mut other = request();
            change(&mut other);
            assert_ne!(other.key("m"), key, "{other:?}");
        }
        assert_ne!(request().key("n"), key);

        let answer = |max_tokens, seed| {
            let mut request = request();
            request.task = Task::Answer;
            request.drawing = Some(Drawing {
                max_tokens,
                ..Drawing::default()
            });
            request.seed = Some(seed);
            request.key("m")
        };
        assert_eq!(answer(5, 1), answer(5, 1));
        assert_ne!(answer(5, 1), answer(6, 1), "the limit cuts an answer");
        assert_ne!(answer(5, 1), answer(5, 2));
    }
}
