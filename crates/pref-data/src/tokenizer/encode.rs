//! Text to token ids and back. In: texts, or messages. Out: ids, byte ranges of tokens, texts, and the
//! special tokens of a model.

use std::collections::HashSet;
use std::ops::Range;
use std::path::Path;

use serde_json::Value;

use super::error::TokenizerError;
use super::folder::{self, TokenizerFiles};
use super::word_cut::WordCut;
use crate::template::ChatTemplate;
use crate::text::{Message, TemplateKwargs};

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
    /// Reads `tokenizer.json`, `tokenizer_config.json` and `chat_template.jinja` from a model's
    /// folder. The last two may be absent.
    ///
    /// # Errors
    /// [`TokenizerError`] names the file.
    pub fn from_folder(folder: &Path) -> Result<Self, TokenizerError> {
        let TokenizerFiles {
            tokenizer,
            template,
            bos_token,
            eos_token,
            pad_token,
        } = folder::read(folder)?;
        let id = |token: &Option<String>| tokenizer.token_to_id(token.as_ref()?);
        Ok(Self {
            eos_id: id(&eos_token),
            pad_id: id(&pad_token),
            bos_id: id(&bos_token),
            word_cut: WordCut::of(&tokenizer),
            template,
            eos_token,
            inner: tokenizer,
        })
    }

    /// Ids of a text, including the special tokens that the tokenizer adds.
    ///
    /// # Errors
    /// [`TokenizerError::Tokenize`] if the tokenizer cannot encode the text, [`TokenizerError::Long`]
    /// if it is too long.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        self.encode_with(text, true)
    }

    /// Ids of a text that a chat template rendered. The tokenizer adds no special tokens, because the
    /// template has written them already.
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
        TokenizerError::check_size(text)?;
        let encoding = self.inner.encode_fast(text, add_special);
        let encoding = encoding.map_err(|e| TokenizerError::Tokenize(e.to_string()))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The last byte at which a text can be divided so that the ids before it stay the same,
    /// whatever is appended to the text. None if there is no such byte, or none is known.
    pub(crate) fn cut(&self, text: &str) -> Option<usize> {
        self.word_cut?.position(text)
    }

    /// Ids of a text, `[tokens]`, and the byte range of the text that each token covers, `[tokens]`. A
    /// special token that the tokenizer appends has an empty range at the end of the text.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn encode_with_spans(
        &self,
        text: &str,
        add_special: bool,
    ) -> Result<(Vec<u32>, Vec<Range<usize>>), TokenizerError> {
        TokenizerError::check_size(text)?;
        let encoding = self.inner.encode(text, add_special);
        let encoding = encoding.map_err(|e| TokenizerError::Tokenize(e.to_string()))?;
        // the library gives every special token that it adds the range 0..0, also at the end
        let mut reached = 0;
        let span = |&(start, end): &(usize, usize)| {
            let is_appended = (start, end) == (0, 0) && reached > 0;
            reached = reached.max(end);
            if is_appended {
                text.len()..text.len()
            } else {
                start..end
            }
        };
        let spans = encoding.get_offsets().iter().map(span).collect();
        Ok((encoding.get_ids().to_vec(), spans))
    }

    /// The text of some ids, without special tokens if `skip_special`.
    ///
    /// # Errors
    /// [`TokenizerError::Tokenize`] if the decoder fails.
    pub fn decode(&self, ids: &[u32], skip_special: bool) -> Result<String, TokenizerError> {
        let text = self.inner.decode(ids, skip_special);
        text.map_err(|e| TokenizerError::Tokenize(e.to_string()))
    }

    /// The text of a conversation. With `add_generation_prompt` it ends where the assistant's next
    /// turn begins.
    ///
    /// # Errors
    /// [`TokenizerError`] if there is no template, or if it refuses the messages.
    pub fn apply_chat_template(
        &self,
        messages: &[Message],
        add_generation_prompt: bool,
    ) -> Result<String, TokenizerError> {
        self.render(messages, &[], add_generation_prompt)
    }

    /// Like [`apply_chat_template`](Self::apply_chat_template), with JSON schemas of functions that
    /// the model can call.
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

    /// Like [`render`](Self::render), with settings of the template.
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

    /// Whether the chat template writes the current time. The same messages then become other ids on
    /// another day.
    pub fn template_uses_time(&self) -> bool {
        self.template.as_ref().is_some_and(ChatTemplate::uses_time)
    }

    /// The same tokenizer, whose chat template gets this time instead of the current one. The time
    /// is written as in RFC 3339, such as `2026-11-21T14:30:00+01:00`.
    ///
    /// # Errors
    /// [`TokenizerError::Time`] if the text is not such a time.
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

    /// The largest id plus one, added tokens included.
    pub fn vocab_size(&self) -> usize {
        let vocab = self.inner.get_vocab(true);
        vocab.into_values().max().map_or(0, |id| id as usize + 1)
    }

    /// The end-of-sequence token, as the vocabulary writes it.
    pub fn eos_token(&self) -> Option<&str> {
        self.eos_token.as_deref()
    }

    /// The id of the end-of-sequence token.
    pub fn eos_id(&self) -> Option<u32> {
        self.eos_id
    }

    /// The id of the beginning-of-sequence token.
    pub fn bos_id(&self) -> Option<u32> {
        self.bos_id
    }

    /// The id of the padding token.
    pub fn pad_id(&self) -> Option<u32> {
        self.pad_id
    }

    /// The token with this id, as the vocabulary writes it.
    pub fn token(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }

    /// Ids of the tokens that are an English stop word by themselves, apart from white space and case.
    /// The list is NLTK's, as in the `stop-words` crate. Stop words of several tokens are not
    /// included.
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

    /// Whether a rendered text ends with a special token, apart from white space. If so, the template
    /// has closed the last turn.
    pub(crate) fn ends_in_special(&self, text: &str) -> bool {
        let text = text.trim_end();
        let added = self.inner.get_added_tokens_decoder();
        let mut special = added.values().filter(|token| token.special);
        special.any(|token| text.ends_with(&token.content))
    }
}
