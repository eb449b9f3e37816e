//! Texts and conversations. In: a string, or messages with roles. Out: [`Text`], the type of every
//! prompt and answer before it becomes tokens.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// One turn of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// `system`, `user`, `assistant`, or another role that the chat template knows.
    pub role: String,
    /// The text of the turn.
    pub content: String,
    /// Other fields, such as `tool_calls`. The chat template receives them unchanged.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// The role of the turns that a model writes.
pub(crate) const ASSISTANT: &str = "assistant";

impl Message {
    /// A turn without other fields.
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> Self {
        Self {
            role: role.into(),
            content: content.into(),
            more: Map::new(),
        }
    }
}

/// A plain text, or the turns of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Text {
    /// The tokenizer receives this string unchanged.
    Plain(String),
    /// The model's chat template renders these turns; the tokenizer receives the result.
    Conversation(Vec<Message>),
}

impl Text {
    /// Whether the text holds nothing: no character, no turn, or only turns without content and
    /// without other fields.
    pub fn is_empty(&self) -> bool {
        match self {
            Text::Plain(text) => text.is_empty(),
            Text::Conversation(turns) => turns
                .iter()
                .all(|turn| turn.content.is_empty() && turn.more.is_empty()),
        }
    }

    /// Whether the text holds nothing but white space.
    pub fn is_blank(&self) -> bool {
        match self {
            Text::Plain(text) => text.trim().is_empty(),
            Text::Conversation(turns) => turns
                .iter()
                .all(|turn| turn.content.trim().is_empty() && turn.more.is_empty()),
        }
    }

    /// Length of the contents, in bytes. Roles and other fields do not count.
    pub fn n_bytes(&self) -> usize {
        match self {
            Text::Plain(text) => text.len(),
            Text::Conversation(turns) => turns.iter().map(|turn| turn.content.len()).sum(),
        }
    }

    /// A 128-bit hash of the contents and roles of this text, for comparing texts without keeping
    /// them in memory. Other fields of messages do not count.
    pub fn key(&self) -> u128 {
        match self {
            Text::Plain(text) => text_key([text.as_str()]),
            Text::Conversation(turns) => {
                text_key(turns.iter().flat_map(|turn| [&*turn.role, &*turn.content]))
            }
        }
    }
}

/// A 128-bit hash of a list of texts: the first 16 bytes of their SHA-256.
pub(crate) fn text_key<'a>(texts: impl IntoIterator<Item = &'a str>) -> u128 {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update(text);
        hash.update([0xff]); // UTF-8 never contains this byte, so it separates the texts
    }
    let mut first = [0; 16];
    first.copy_from_slice(&hash.finalize()[..16]);
    u128::from_be_bytes(first)
}

impl From<&[Message]> for Text {
    fn from(turns: &[Message]) -> Self {
        Text::Conversation(turns.to_vec())
    }
}

impl fmt::Display for Text {
    /// A plain text unchanged; for a conversation, the content of its last turn.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Text::Plain(text) => f.write_str(text),
            Text::Conversation(turns) => match turns.last() {
                Some(turn) => f.write_str(&turn.content),
                None => Ok(()),
            },
        }
    }
}
