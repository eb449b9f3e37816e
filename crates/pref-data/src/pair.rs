//! A preference pair as text: what a row of a file says.

use serde::{Deserialize, Serialize};

/// One turn of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// `system`, `user`, `assistant`, or what else the chat template knows.
    pub role: String,
    /// What is said.
    pub content: String,
}

/// A text, or the turns of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Text {
    /// Goes to the tokenizer as it is.
    Plain(String),
    /// Goes through the model's chat template.
    Conversation(Vec<Message>),
}

impl Text {
    /// Whether there is nothing in it: no character, no turn, or turns without a character.
    pub fn is_empty(&self) -> bool {
        match self {
            Text::Plain(text) => text.is_empty(),
            Text::Conversation(turns) => turns.iter().all(|turn| turn.content.is_empty()),
        }
    }
}

/// Two answers to one prompt, the first preferred.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pair {
    /// What both answer.
    pub prompt: Text,
    /// The preferred answer.
    pub chosen: Text,
    /// The other one.
    pub rejected: Text,
    /// Line in its file, from 1.
    #[serde(skip)]
    pub line: usize,
}
