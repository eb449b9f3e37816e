//! A preference pair as text: what a row of a file says.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::annotation::Annotation;
use crate::template::TemplateKwargs;

/// One turn of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// `system`, `user`, `assistant`, or what else the chat template knows.
    pub role: String,
    /// What is said.
    pub content: String,
    /// Its other fields, such as `tool_calls`, for the template.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

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
            Text::Conversation(turns) => turns
                .iter()
                .all(|turn| turn.content.is_empty() && turn.more.is_empty()),
        }
    }
}

impl Text {
    /// Bytes of all that is said.
    pub fn n_bytes(&self) -> usize {
        match self {
            Text::Plain(text) => text.len(),
            Text::Conversation(turns) => turns.iter().map(|turn| turn.content.len()).sum(),
        }
    }

    /// A number that tells texts apart, by all that is said and who says it, where the texts
    /// themselves need not be kept.
    pub fn key(&self) -> u128 {
        match self {
            Text::Plain(text) => key([text.as_str()]),
            Text::Conversation(turns) => {
                key(turns.iter().flat_map(|turn| [&*turn.role, &*turn.content]))
            }
        }
    }

    /// Whether nothing is said but white space.
    pub fn is_blank(&self) -> bool {
        match self {
            Text::Plain(text) => text.trim().is_empty(),
            Text::Conversation(turns) => turns
                .iter()
                .all(|turn| turn.content.trim().is_empty() && turn.more.is_empty()),
        }
    }
}

/// A number that tells lists of texts apart: the first 16 bytes of a SHA-256.
pub(crate) fn key<'a>(texts: impl IntoIterator<Item = &'a str>) -> u128 {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update(text);
        hash.update([0xff]); // no byte of a text
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
    /// The text, or the last turn's.
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

/// One answer to a prompt, wanted or not.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Example {
    /// What it answers.
    pub prompt: Text,
    /// The answer.
    pub completion: Text,
    /// Whether answers should be more like it.
    #[serde(rename = "label")]
    pub desirable: bool,
    /// Functions that the template tells the model of, as JSON schemas.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Value>,
    /// Settings of the chat template for this row.
    #[serde(
        rename = "chat_template_kwargs",
        skip_serializing_if = "TemplateKwargs::is_empty"
    )]
    pub template_kwargs: TemplateKwargs,
    /// Where it is from.
    #[serde(skip)]
    pub place: Place,
    /// The row's other fields.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// Two answers to one prompt, the first preferred.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pair {
    /// What both answer.
    pub prompt: Text,
    /// The preferred answer.
    pub chosen: Text,
    /// The other one.
    pub rejected: Text,
    /// Functions that the template tells the model of, as JSON schemas.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Value>,
    /// Settings of the chat template for this row.
    #[serde(
        rename = "chat_template_kwargs",
        skip_serializing_if = "TemplateKwargs::is_empty"
    )]
    pub template_kwargs: TemplateKwargs,
    /// Where it is from.
    #[serde(skip)]
    pub place: Place,
    /// What the row says of the chosen and of the rejected answer besides.
    #[serde(skip)]
    pub annotations: [Option<Box<Annotation>>; 2],
    /// The row's other fields.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

impl Pair {
    /// A pair that nothing more is said of.
    pub fn new(prompt: Text, chosen: Text, rejected: Text, place: impl Into<Place>) -> Self {
        Self {
            prompt,
            chosen,
            rejected,
            tools: Vec::new(),
            template_kwargs: TemplateKwargs::default(),
            place: place.into(),
            annotations: [None, None],
            more: Map::new(),
        }
    }

    /// The pair as a row that reads back as itself.
    pub fn to_value(&self) -> Value {
        let mut row = json!({
            "prompt": self.prompt,
            "chosen": self.chosen,
            "rejected": self.rejected,
        });
        if !self.tools.is_empty() {
            row["tools"] = json!(self.tools);
        }
        if !self.template_kwargs.is_empty() {
            row["chat_template_kwargs"] = json!(self.template_kwargs);
        }
        for (side, annotation) in ["chosen", "rejected"].into_iter().zip(&self.annotations) {
            let Some(annotation) = annotation else {
                continue;
            };
            let parts = annotation.parts.as_ref().map(|parts| -> Value {
                let part = |(label, text): &(String, String)| json!({"label": label, "text": text});
                parts.iter().map(part).collect()
            });
            for (name, value) in [
                ("segments", json!(annotation.segments)),
                ("scores", json!(annotation.scores)),
                ("parts", json!(parts)),
                ("weights", json!(annotation.weights)),
                ("importance", json!(annotation.importance)),
            ] {
                if !value.is_null() {
                    row[format!("{side}_{name}")] = value;
                }
            }
        }
        for (name, value) in &self.more {
            row[name] = value.clone();
        }
        row
    }
}

/// Where a row is: `FILE:LINE`, or `line LINE` where the file is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Its file.
    pub file: Option<Arc<Path>>,
    /// Line in the file, from 1; in a JSON list and in Parquet, which have none, the row.
    pub line: usize,
}

impl Place {
    /// What this place is called where another one was named: `line LINE` in the same file.
    ///
    /// ```
    /// use pref_data::Place;
    /// let place = |file: &str, line| Place { file: Some(std::path::Path::new(file).into()), line };
    /// assert_eq!(place("a.jsonl", 3).seen_from(&place("a.jsonl", 9)), "line 3");
    /// assert_eq!(place("a.jsonl", 3).seen_from(&place("b.jsonl", 9)), "a.jsonl:3");
    /// ```
    pub fn seen_from(&self, other: &Place) -> String {
        match self.file == other.file {
            true => format!("line {}", self.line),
            false => self.to_string(),
        }
    }
}

impl From<usize> for Place {
    /// A line of a file that is not known.
    fn from(line: usize) -> Self {
        Self { file: None, line }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some(file) => write!(f, "{}:{}", file.display(), self.line),
            None => write!(f, "line {}", self.line),
        }
    }
}

/// What is from a row of a file.
pub trait Placed {
    /// The row.
    fn place(&self) -> &Place;
}

impl Placed for Pair {
    fn place(&self) -> &Place {
        &self.place
    }
}

impl Placed for Example {
    fn place(&self) -> &Place {
        &self.place
    }
}
