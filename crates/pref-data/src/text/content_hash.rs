//! The hash of a row's content. In: the texts of a row, its tools, its template settings and its
//! annotations. Out: a [`ContentHash`], the same for every file that the row is read from.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::annotation::Annotation;
use super::message::{Message, Text};
use super::template_kwargs::TemplateKwargs;

/// A hash of the content of a row: the first 128 bits of a SHA-256. As text it has 32 hexadecimal
/// digits.
///
/// Two rows have the same hash if they are read as the same prompt, the same answers (with the same
/// label for a single answer), the same `tools` and `chat_template_kwargs`, and the same segments,
/// scores, parts, weights and importance. The file, its format, its compression, the row's shape,
/// the order of keys, and fields that this crate does not know (such as an `id`) make no
/// difference. In nested objects a field that is null counts as absent, and `1` equals `1.0`,
/// because Parquet and Arrow do not distinguish them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ContentHash(u128);

/// A text is not a content hash.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a content hash; expected 32 hexadecimal digits")]
pub struct InvalidContentHash(String);

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContentHash({self})")
    }
}

impl From<ContentHash> for String {
    fn from(hash: ContentHash) -> Self {
        hash.to_string()
    }
}

impl FromStr for ContentHash {
    type Err = InvalidContentHash;

    fn from_str(text: &str) -> Result<Self, InvalidContentHash> {
        let is_hex = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let number = u128::from_str_radix(text, 16).ok().filter(|_| is_hex);
        number
            .map(Self)
            .ok_or_else(|| InvalidContentHash(text.to_owned()))
    }
}

impl TryFrom<String> for ContentHash {
    type Error = InvalidContentHash;

    fn try_from(text: String) -> Result<Self, InvalidContentHash> {
        text.parse()
    }
}

/// Hashes the fields of a row. Each value is preceded by its kind and its length, so that no two
/// different rows give the same bytes.
pub(super) struct ContentHasher(Sha256);

impl ContentHasher {
    /// Begins a row; `kind` keeps rows of different kinds apart.
    pub(super) fn new(kind: &str) -> Self {
        let mut hasher = Self(Sha256::new());
        hasher.bytes(b'k', kind.as_bytes());
        hasher
    }

    pub(super) fn finish(self) -> ContentHash {
        let mut first = [0; 16];
        first.copy_from_slice(&self.0.finalize()[..16]);
        ContentHash(u128::from_be_bytes(first))
    }

    pub(super) fn flag(&mut self, flag: bool) {
        self.bytes(b'b', &[u8::from(flag)]);
    }

    pub(super) fn text(&mut self, text: &Text) {
        match text {
            Text::Plain(text) => self.string(text),
            Text::Conversation(turns) => {
                self.list(turns.len());
                for turn in turns {
                    self.message(turn);
                }
            }
        }
    }

    pub(super) fn tools(&mut self, tools: &[Value]) {
        self.list(tools.len());
        for tool in tools {
            self.value(tool);
        }
    }

    pub(super) fn template_kwargs(&mut self, kwargs: &TemplateKwargs) {
        self.object(kwargs.iter().collect());
    }

    pub(super) fn annotation(&mut self, annotation: Option<&Annotation>) {
        let nothing = Annotation::default();
        // without `..`: a new field must be hashed as well
        let Annotation {
            segments,
            scores,
            parts,
            weights,
            importance,
        } = annotation.unwrap_or(&nothing);
        self.optional_list(segments.as_deref(), |hasher, text| hasher.string(text));
        self.optional_list(scores.as_deref(), |hasher, row| {
            for &score in row {
                hasher.number(score);
            }
        });
        self.optional_list(parts.as_deref(), |hasher, (label, text)| {
            hasher.string(label);
            hasher.string(text);
        });
        for column in [weights, importance] {
            self.optional_list(column.as_deref(), |hasher, &value| hasher.number(value));
        }
    }

    fn optional_list<T>(&mut self, list: Option<&[T]>, mut item: impl FnMut(&mut Self, &T)) {
        let Some(list) = list else {
            return self.bytes(b'0', &[]);
        };
        self.list(list.len());
        for value in list {
            item(self, value);
        }
    }

    fn message(&mut self, message: &Message) {
        self.string(&message.role);
        self.string(&message.content);
        let more = message.more.iter();
        self.object(more.map(|(name, value)| (name.as_str(), value)).collect());
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.bytes(b'0', &[]),
            Value::Bool(flag) => self.flag(*flag),
            Value::Number(number) => match number.as_f64() {
                Some(number) => self.number(number),
                None => self.bytes(b'n', number.to_string().as_bytes()),
            },
            Value::String(text) => self.string(text),
            Value::Array(values) => {
                self.list(values.len());
                for value in values {
                    self.value(value);
                }
            }
            Value::Object(fields) => {
                let fields = fields.iter();
                self.object(fields.map(|(name, value)| (name.as_str(), value)).collect());
            }
        }
    }

    /// The fields of an object in alphabetical order, without fields that are null.
    fn object(&mut self, mut fields: Vec<(&str, &Value)>) {
        fields.retain(|(_, value)| !value.is_null());
        fields.sort_by_key(|(name, _)| *name);
        self.bytes(b'o', &(fields.len() as u64).to_le_bytes());
        for (name, value) in fields {
            self.string(name);
            self.value(value);
        }
    }

    fn list(&mut self, n: usize) {
        self.bytes(b'l', &(n as u64).to_le_bytes());
    }

    fn string(&mut self, text: &str) {
        self.bytes(b's', text.as_bytes());
    }

    fn number(&mut self, number: f64) {
        // -0.0 equals 0.0
        let number = if number == 0.0 { 0.0 } else { number };
        self.bytes(b'f', &number.to_bits().to_le_bytes());
    }

    fn bytes(&mut self, kind: u8, bytes: &[u8]) {
        self.0.update([kind]);
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }
}
