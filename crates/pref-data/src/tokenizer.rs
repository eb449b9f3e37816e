//! A model's tokenizer: text to ids and back, special tokens, chat template.
//! In: a folder with `tokenizer.json`. Out: ids as `transformers` gives them.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde_json::Value;
use thiserror::Error;

use crate::pair::Message;
use crate::qwen;
use crate::template::{ChatTemplate, TemplateKwargs};
use crate::word_cut::WordCut;

/// A tokenizer that cannot be read or used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TokenizerError {
    /// A file cannot be read.
    #[error("{}: {message}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why not.
        message: String,
    },
    /// There is a tokenizer of another format alone.
    #[error(
        "{0} has a tokenizer.model of SentencePiece and no tokenizer.json, which is what is read; make one with transformers: AutoTokenizer.from_pretrained(\"{0}\").save_pretrained(\"{0}\")",
        folder.display()
    )]
    SentencePiece {
        /// The model's folder.
        folder: PathBuf,
    },
    /// The template is no template.
    #[error("{}: the chat template cannot be compiled: {message}", path.display())]
    Template {
        /// The file it is in.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// A conversation, and no template for it.
    #[error(
        "the model has no chat template, and the data is conversations; add chat_template.jinja to its folder, or give plain texts"
    )]
    NoTemplate,
    /// The template refused the messages.
    #[error("the chat template fails on these messages: {0}")]
    Render(String),
    /// A time that is none.
    #[error("`{0}` is no time; expected RFC 3339, such as 2026-11-21T14:30:00+01:00")]
    Time(String),
    /// A text that would take the memory of everything else.
    #[error(
        "the text has {bytes} bytes, and at most {limit} are tokenized at once; divide the text or remove the row",
        limit = MAX_BYTES
    )]
    Long {
        /// Its size.
        bytes: usize,
    },
    /// The tokenizer failed on a text.
    #[error("the tokenizer fails: {0}")]
    Tokenize(String),
}

/// The longest text that is tokenized, some two million tokens. The tokenizer takes more than a
/// hundred times a text's size while it works.
const MAX_BYTES: usize = 8 << 20;

fn check_size(text: &str) -> Result<(), TokenizerError> {
    match text.len() > MAX_BYTES {
        true => Err(TokenizerError::Long { bytes: text.len() }),
        false => Ok(()),
    }
}

/// Special tokens that a template may name besides those of a sequence's beginning and end.
const OTHER_TOKENS: [&str; 5] = [
    "unk_token",
    "sep_token",
    "pad_token",
    "cls_token",
    "mask_token",
];

/// A tokenizer with its special tokens and chat template.
#[derive(Debug)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    template: Option<ChatTemplate>,
    eos_token: Option<String>,
    eos_id: Option<u32>,
    pad_id: Option<u32>,
    bos_id: Option<u32>,
    word_cut: Option<WordCut>,
}

impl Tokenizer {
    /// Reads `tokenizer.json`, `tokenizer_config.json` and `chat_template.jinja` of a model's
    /// folder. The last two may be absent.
    ///
    /// # Errors
    /// [`TokenizerError`] names the file.
    pub fn from_folder(folder: &Path) -> Result<Self, TokenizerError> {
        let path = folder.join("tokenizer.json");
        let bytes = fs::read(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound if folder.join("tokenizer.model").is_file() => {
                TokenizerError::SentencePiece {
                    folder: folder.to_owned(),
                }
            }
            _ => file_error(&path, &error),
        })?;
        let mut inner = tokenizers::Tokenizer::from_bytes(&bytes)
            .map_err(|e| file_error(&path, &format!("no tokenizer: {e}")))?;
        // truncation and padding are done here, where they are counted
        inner
            .with_truncation(None)
            .map_err(|e| file_error(&path, &e))?;
        inner.with_padding(None);

        let config_path = folder.join("tokenizer_config.json");
        let config = read_json(&config_path)?;
        if qwen::is_qwen2(&read_json(&folder.join("config.json"))?, &config) {
            qwen::set_up(&mut inner).map_err(|e| file_error(&path, &e))?;
        }
        let special = |key: &str| match &config[key] {
            Value::String(token) => Some(token.clone()),
            Value::Object(token) => token.get("content")?.as_str().map(str::to_owned),
            _ => None,
        };
        let eos_token = match special("eos_token") {
            Some(token) => Some(token),
            None => eos_of_model(folder, &inner)?,
        };
        let template_path = folder.join("chat_template.jinja");
        let (path, source) = if template_path.is_file() {
            let source = fs::read_to_string(&template_path);
            let source = source.map_err(|e| file_error(&template_path, &e))?;
            (template_path, Some(source))
        } else {
            (config_path, template_source(&config["chat_template"]))
        };
        let compile = |source: String| {
            let (bos, eos) = (special("bos_token"), eos_token.as_deref());
            let template = ChatTemplate::new(&source, bos.as_deref(), eos);
            let template = template.map_err(|error| TokenizerError::Template {
                path,
                message: error.to_string(),
            })?;
            let others = OTHER_TOKENS.into_iter();
            let others = others.filter_map(|name| Some((name, special(name)?)));
            Ok(others.fold(template, |template, (name, token)| {
                template.with_token(name, &token)
            }))
        };
        let template = source.map(compile).transpose()?;
        let id = |token: Option<String>| token.and_then(|token| inner.token_to_id(&token));
        Ok(Self {
            eos_id: id(eos_token.clone()),
            pad_id: id(special("pad_token")),
            bos_id: id(special("bos_token")),
            word_cut: WordCut::of(&inner),
            template,
            eos_token,
            inner,
        })
    }

    /// Ids of a text, with the special tokens that the tokenizer adds.
    ///
    /// # Errors
    /// [`TokenizerError::Tokenize`] for a text that the tokenizer cannot encode.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        self.encode_with(text, true)
    }

    /// Ids of a text that a template made: it holds its special tokens already.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn encode_rendered(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        self.encode_with(text, false)
    }

    pub(crate) fn encode_with(
        &self,
        text: &str,
        add_special: bool,
    ) -> Result<Vec<u32>, TokenizerError> {
        check_size(text)?;
        let encoding = self.inner.encode_fast(text, add_special);
        let encoding = encoding.map_err(|e| TokenizerError::Tokenize(e.to_string()))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// A place in a text where it can be cut without changing its ids, whatever follows it.
    pub(crate) fn cut(&self, text: &str) -> Option<usize> {
        self.word_cut?.place(text)
    }

    /// Ids of a text, and the bytes of it that each stands for; a special token that the tokenizer
    /// adds behind the text stands for nothing at its end.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn encode_with_spans(
        &self,
        text: &str,
        add_special: bool,
    ) -> Result<(Vec<u32>, Vec<Range<usize>>), TokenizerError> {
        check_size(text)?;
        let encoding = self.inner.encode(text, add_special);
        let encoding = encoding.map_err(|e| TokenizerError::Tokenize(e.to_string()))?;
        // an added token says that it is at 0, wherever it stands
        let mut reached = 0;
        let span = |&(start, end): &(usize, usize)| {
            let is_behind = (start, end) == (0, 0) && reached > 0;
            reached = reached.max(end);
            if is_behind {
                text.len()..text.len()
            } else {
                start..end
            }
        };
        let spans = encoding.get_offsets().iter().map(span).collect();
        Ok((encoding.get_ids().to_vec(), spans))
    }

    /// The text of some ids.
    ///
    /// # Errors
    /// [`TokenizerError::Tokenize`] where the decoder fails.
    pub fn decode(&self, ids: &[u32], skip_special: bool) -> Result<String, TokenizerError> {
        let text = self.inner.decode(ids, skip_special);
        text.map_err(|e| TokenizerError::Tokenize(e.to_string()))
    }

    /// The text of a conversation. With `add_generation_prompt`, it ends where the assistant is to
    /// speak.
    ///
    /// # Errors
    /// [`TokenizerError`] if there is no template, or it refuses the messages.
    pub fn apply_chat_template(
        &self,
        messages: &[Message],
        add_generation_prompt: bool,
    ) -> Result<String, TokenizerError> {
        self.render(messages, &[], add_generation_prompt)
    }

    /// As [`apply_chat_template`](Self::apply_chat_template), with functions that the model is told
    /// of, as JSON schemas.
    ///
    /// # Errors
    /// As [`apply_chat_template`](Self::apply_chat_template).
    pub fn render(
        &self,
        messages: &[Message],
        tools: &[Value],
        add_generation_prompt: bool,
    ) -> Result<String, TokenizerError> {
        self.render_with(
            messages,
            tools,
            &TemplateKwargs::default(),
            add_generation_prompt,
        )
    }

    /// As [`render`](Self::render), with settings of the template.
    ///
    /// # Errors
    /// As [`apply_chat_template`](Self::apply_chat_template).
    pub fn render_with(
        &self,
        messages: &[Message],
        tools: &[Value],
        kwargs: &TemplateKwargs,
        add_generation_prompt: bool,
    ) -> Result<String, TokenizerError> {
        let template = self.template.as_ref().ok_or(TokenizerError::NoTemplate)?;
        let text = template.render_with(messages, tools, kwargs, add_generation_prompt);
        text.map_err(|e| TokenizerError::Render(e.to_string()))
    }

    /// Whether the chat template writes the time, so that the same messages become other ids on
    /// another day.
    pub fn template_uses_time(&self) -> bool {
        self.template.as_ref().is_some_and(ChatTemplate::uses_time)
    }

    /// The tokenizer with a chat template that always writes this time, RFC 3339 such as
    /// `2026-11-21T14:30:00+01:00`.
    ///
    /// # Errors
    /// [`TokenizerError::Time`] for a text that is no such time.
    pub fn at_time(mut self, time: &str) -> Result<Self, TokenizerError> {
        let time = chrono::DateTime::parse_from_rfc3339(time)
            .map_err(|_| TokenizerError::Time(time.to_owned()))?;
        self.template = self.template.map(|template| template.at(time));
        Ok(self)
    }

    /// Whether there is a chat template.
    pub fn has_chat_template(&self) -> bool {
        self.template.is_some()
    }

    /// The largest id and one, added tokens included.
    pub fn vocab_size(&self) -> usize {
        self.largest().map_or(0, |(_, id)| id as usize + 1)
    }

    /// The end-of-sequence token.
    pub fn eos_token(&self) -> Option<&str> {
        self.eos_token.as_deref()
    }

    /// Its id.
    pub fn eos_id(&self) -> Option<u32> {
        self.eos_id
    }

    /// The id of the beginning-of-sequence token.
    pub fn bos_id(&self) -> Option<u32> {
        self.bos_id
    }

    /// A token as the vocabulary writes it.
    pub fn token(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }

    /// Tokens that are an English stop word by themselves, white space and case aside (the NLTK's
    /// list, as the `stop-words` crate has it). A stop word of several tokens is not among them.
    pub fn stop_word_ids(&self) -> HashSet<u32> {
        let words: HashSet<&str> = stop_words::get(stop_words::Language::English)
            .iter()
            .copied()
            .collect();
        let is_stop_word = |id: &u32| {
            let text = self.inner.decode(&[*id], false).unwrap_or_default();
            words.contains(text.trim().to_lowercase().as_str())
        };
        let ids = self.inner.get_vocab(true).into_values();
        ids.filter(is_stop_word).collect()
    }

    /// The id of the padding token.
    pub fn pad_id(&self) -> Option<u32> {
        self.pad_id
    }

    /// Whether a text ends, white space aside, in a token that only a template or a tokenizer
    /// writes: then its last turn is closed.
    pub(crate) fn ends_in_special(&self, text: &str) -> bool {
        let text = text.trim_end();
        let added = self.inner.get_added_tokens_decoder();
        let mut special = added.values().filter(|token| token.special);
        special.any(|token| text.ends_with(&token.content))
    }

    fn largest(&self) -> Option<(String, u32)> {
        let vocab = self.inner.get_vocab(true);
        vocab.into_iter().max_by_key(|(_, id)| *id)
    }
}

fn file_error(path: &Path, message: &dyn std::fmt::Display) -> TokenizerError {
    TokenizerError::File {
        path: path.to_owned(),
        message: message.to_string(),
    }
}

/// A JSON file, or `null` where there is none.
fn read_json(path: &Path) -> Result<Value, TokenizerError> {
    if !path.is_file() {
        return Ok(Value::Null);
    }
    let bytes = fs::read(path).map_err(|e| file_error(path, &e))?;
    serde_json::from_slice(&bytes).map_err(|e| file_error(path, &e))
}

/// The token of the `eos_token_id` that the model's own configuration names.
fn eos_of_model(
    folder: &Path,
    inner: &tokenizers::Tokenizer,
) -> Result<Option<String>, TokenizerError> {
    for name in ["generation_config.json", "config.json"] {
        let config = read_json(&folder.join(name))?;
        let id = match &config["eos_token_id"] {
            Value::Array(ids) => ids.first().and_then(Value::as_u64),
            id => id.as_u64(),
        };
        let token = id
            .and_then(|id| u32::try_from(id).ok())
            .and_then(|id| inner.id_to_token(id));
        if token.is_some() {
            return Ok(token);
        }
    }
    Ok(None)
}

/// A template, or the default one of a list.
fn template_source(value: &Value) -> Option<String> {
    match value {
        Value::String(source) => Some(source.clone()),
        Value::Array(list) => {
            let default = list.iter().find(|entry| entry["name"] == "default");
            default?["template"].as_str().map(str::to_owned)
        }
        _ => None,
    }
}
