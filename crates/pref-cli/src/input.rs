//! The input of `pref logprobs` and `pref generate`. In: JSON Lines with texts, conversations, pairs
//! or token ids, from a file or stdin. Out: rows of token ids.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail, ensure};
use pref_data::{
    Example, Message, Place, TemplateKwargs, Text, TokenizeError, TokenizeOptions, Tokenizer,
    tokenize_examples,
};
use serde::Deserialize;
use serde_json::{Map, Value};

/// One line: `input_ids`, or `text`, or `messages`, or `prompt` with or without `response`, or with
/// `chosen` and `rejected`.
#[derive(Debug, Deserialize)]
struct Line {
    input_ids: Option<Vec<u32>>,
    text: Option<String>,
    messages: Option<Value>,
    prompt: Option<Value>,
    response: Option<Value>,
    chosen: Option<Value>,
    rejected: Option<Value>,
    #[serde(default)]
    tools: Vec<Value>,
    #[serde(default)]
    chat_template_kwargs: TemplateKwargs,
}

/// What the chat template gets from a row besides its messages.
struct Extras {
    tools: Vec<Value>,
    kwargs: TemplateKwargs,
}

impl Extras {
    fn render(
        &self,
        turns: &[Message],
        purpose: Purpose,
        tokenizer: &Tokenizer,
    ) -> Result<Vec<u32>> {
        let continues = purpose == Purpose::Continue;
        let text = tokenizer.render_with(turns, &self.tools, &self.kwargs, continues)?;
        Ok(tokenizer.encode_rendered(&text)?)
    }
}

/// One line as token ids.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    /// Line number, counted from 1.
    pub(crate) line: usize,
    /// The texts to score or to continue: one, or for a pair two, each a prompt with an answer.
    pub(crate) texts: Vec<TextIds>,
}

/// A text as token ids.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TextIds {
    /// `chosen` or `rejected`; `None` if the row is not a pair.
    pub(crate) side: Option<&'static str>,
    /// The prompt's tokens, then the answer's.
    pub(crate) ids: Vec<u32>,
    /// Number of tokens of the prompt.
    pub(crate) n_prompt: usize,
}

/// What the rows are used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Log-probs are computed. A conversation is complete.
    Score,
    /// Prompts are continued. A conversation ends at the point where the assistant answers.
    Continue,
}

#[derive(clap::Args)]
pub(crate) struct InputArgs {
    /// Model: a folder in Hugging Face's layout, hub:OWNER/NAME or hub:OWNER/NAME@REVISION
    #[arg(long, value_name = "FOLDER")]
    pub(crate) model: PathBuf,
    /// Adapter of the model: a folder that PEFT or `pref train` wrote
    #[arg(long, value_name = "FOLDER")]
    pub(crate) adapter: Option<PathBuf>,
    /// A key of config.json to ignore, if Pref does not know it and it does not change the model; may be repeated
    #[arg(long, value_name = "KEY")]
    pub(crate) ignore_config: Vec<String>,
    /// JSON Lines with `input_ids`, `text`, `messages` or `prompt` (a text or messages); a prompt may
    /// have a `response`, or `chosen` and `rejected`. `-` is stdin
    #[arg(default_value = "-", value_name = "FILE")]
    pub(crate) input: PathBuf,
}

/// The name of a file in messages.
pub(crate) fn shown(path: &Path) -> String {
    match path == Path::new("-") {
        true => "stdin".to_owned(),
        false => path.display().to_string(),
    }
}

/// The text of a file; `-` is stdin.
pub(crate) fn read_text(path: &Path) -> Result<String> {
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        std::io::stdin().read_to_end(&mut bytes).context("stdin")?;
    } else {
        bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    }
    String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        let line = 1 + e.as_bytes()[..at].iter().filter(|&&b| b == b'\n').count();
        anyhow::anyhow!("{}:{line}: byte {at} of the file is not UTF-8", shown(path))
    })
}

/// The rows of a file; `-` is stdin.
///
/// # Errors
///
/// As [`parse_rows`].
pub(crate) fn read_rows(
    input: &Path,
    model: &Path,
    vocab_size: usize,
    purpose: Purpose,
) -> Result<Vec<Row>> {
    parse_rows(&read_text(input)?, input, model, vocab_size, purpose)
}

/// The rows of the text of a file.
///
/// # Errors
///
/// An error for a line that is not such a row, for a token id that is not below `vocab_size`, and for an input
/// without rows.
pub(crate) fn parse_rows(
    text: &str,
    input: &Path,
    model: &Path,
    vocab_size: usize,
    purpose: Purpose,
) -> Result<Vec<Row>> {
    let mut tokenizer = LazyTokenizer {
        folder: model,
        loaded: None,
    };
    let mut rows = Vec::new();
    for (index, text) in text.lines().enumerate() {
        if text.trim().is_empty() {
            continue;
        }
        let line = index + 1;
        let at = || format!("{}:{line}", shown(input));
        let parsed: Line = serde_json::from_str(text).with_context(at)?;
        let texts = texts(parsed, &mut tokenizer, purpose).with_context(at)?;
        let mut ids = texts.iter().flat_map(|text| &text.ids);
        if let Some(id) = ids.find(|&&id| id as usize >= vocab_size) {
            bail!(
                "{}: token id {id} is outside the model's vocabulary of {vocab_size}",
                at()
            );
        }
        rows.push(Row { line, texts });
    }
    ensure!(!rows.is_empty(), "{} has no rows", shown(input));
    Ok(rows)
}

fn texts(line: Line, tokenizer: &mut LazyTokenizer<'_>, purpose: Purpose) -> Result<Vec<TextIds>> {
    const WHICH: &str = "give one of `input_ids`, `text`, `messages`, or `prompt` (with `response`, \
                         or with `chosen` and `rejected`)";
    let Line {
        input_ids,
        text,
        messages,
        prompt,
        response,
        chosen,
        rejected,
        tools,
        chat_template_kwargs: kwargs,
    } = line;
    let extras = Extras { tools, kwargs };
    let one = |ids: Vec<u32>, n_prompt: usize| {
        vec![TextIds {
            side: None,
            ids,
            n_prompt,
        }]
    };
    let n_given = [
        input_ids.is_some(),
        text.is_some(),
        messages.is_some(),
        prompt.is_some(),
    ];
    ensure!(n_given.iter().filter(|&&given| given).count() == 1, WHICH);
    let Some(prompt) = prompt else {
        ensure!(
            response.is_none() && chosen.is_none() && rejected.is_none(),
            WHICH
        );
        let ids = match (input_ids, text, messages) {
            (Some(ids), ..) => ids,
            (_, Some(text), _) => tokenizer.get()?.encode(&text)?,
            (_, _, messages) => {
                let turns = turns("messages", messages.unwrap_or_default())?;
                extras.render(&turns, purpose, tokenizer.get()?)?
            }
        };
        let n_prompt = ids.len();
        return Ok(one(ids, n_prompt));
    };
    let prompt = text_or_turns("prompt", prompt)?;
    let tokenizer = tokenizer.get()?;
    match (response, chosen, rejected) {
        (None, Some(chosen), Some(rejected)) if purpose == Purpose::Score => {
            let chosen = text_or_turns("chosen", chosen)?;
            let rejected = text_or_turns("rejected", rejected)?;
            let answers = [("chosen", chosen), ("rejected", rejected)];
            let answers = answers
                .map(|(side, answer)| answer_ids(&prompt, answer, &extras, tokenizer, Some(side)));
            answers.into_iter().collect()
        }
        (None, _, _) if purpose == Purpose::Continue => {
            let ids = prompt_ids(&prompt, &extras, tokenizer)?;
            let n_prompt = ids.len();
            Ok(one(ids, n_prompt))
        }
        (None, None, None) => {
            let ids = prompt_ids(&prompt, &extras, tokenizer)?;
            let n_prompt = ids.len();
            Ok(one(ids, n_prompt))
        }
        (Some(response), None, None) => {
            let response = text_or_turns("response", response)?;
            if let (Text::Plain(prompt), Text::Plain(response)) = (&prompt, &response) {
                let alone = tokenizer.encode(prompt)?;
                let ids = tokenizer.encode(&format!("{prompt}{response}"))?;
                // A token with characters of prompt and response belongs to the response, as in training.
                let n_prompt = alone.iter().zip(&ids).take_while(|(a, b)| a == b).count();
                return Ok(one(ids, n_prompt));
            }
            ensure!(
                purpose == Purpose::Score,
                "a conversation cannot be continued within `response`; leave `response` out, or \
                 put its beginning into the prompt"
            );
            let text = answer_ids(&prompt, response, &extras, tokenizer, None)?;
            Ok(vec![text])
        }
        _ => bail!(WHICH),
    }
}

/// The tokens of a prompt. A conversation ends at the point where the assistant answers.
fn prompt_ids(prompt: &Text, extras: &Extras, tokenizer: &Tokenizer) -> Result<Vec<u32>> {
    Ok(match prompt {
        Text::Plain(text) => tokenizer.encode(text)?,
        Text::Conversation(turns) => extras.render(turns, Purpose::Continue, tokenizer)?,
    })
}

/// The tokens of a prompt and an answer as in training, with the end-of-sequence token.
fn answer_ids(
    prompt: &Text,
    answer: Text,
    extras: &Extras,
    tokenizer: &Tokenizer,
    side: Option<&'static str>,
) -> Result<TextIds> {
    if let Text::Plain(text) = prompt
        && tokenizer.encode(text)?.is_empty()
    {
        bail!("the prompt has no tokens");
    }
    let example = Example {
        prompt: prompt.clone(),
        completion: answer,
        label: None,
        tools: extras.tools.clone(),
        template_kwargs: extras.kwargs.clone(),
        place: Place::default(),
        annotation: None,
        more: Map::new(),
    };
    let tokens = tokenize_examples(&[example], tokenizer, &TokenizeOptions::default());
    let tokens = tokens.map_err(|error| match (error, side) {
        // The caller adds the line, so these errors are given without it.
        (TokenizeError::Tokenizer { source, .. }, _) => anyhow::Error::from(source),
        (TokenizeError::EmptyPrompt { .. }, _) => anyhow!("the prompt has no tokens"),
        (TokenizeError::EmptyResponse { .. }, side) => anyhow!(
            "the {} has no tokens of its own after the prompt",
            side.unwrap_or("response")
        ),
        (error, _) => error.into(),
    })?;
    let [row] = &tokens.rows[..] else {
        bail!(
            "expected one row of tokens for an answer, found {}",
            tokens.rows.len()
        );
    };
    Ok(TextIds {
        side,
        ids: [&row.prompt[..], &row.completion[..]].concat(),
        n_prompt: row.prompt.len(),
    })
}

fn text_or_turns(field: &str, value: Value) -> Result<Text> {
    match value {
        Value::String(text) => Ok(Text::Plain(text)),
        list @ Value::Array(_) => turns(field, list).map(Text::Conversation),
        other => bail!("`{field}` is {other}; expected a text or a list of messages"),
    }
}

fn turns(field: &str, value: Value) -> Result<Vec<Message>> {
    let Value::Array(list) = value else {
        bail!("`{field}` is {value}; expected a list of messages");
    };
    ensure!(
        !list.is_empty(),
        "`{field}` is an empty list; expected at least one message"
    );
    let turn = |(index, message): (usize, Value)| {
        let expected = "expected a message such as {\"role\": \"user\", \"content\": \"Hello\"}";
        serde_json::from_value(message)
            .map_err(|error| anyhow!("`{field}[{index}]`: {error}; {expected}"))
    };
    list.into_iter().enumerate().map(turn).collect()
}

/// Loads the tokenizer when it is first needed, because rows of token ids do not need one.
struct LazyTokenizer<'a> {
    folder: &'a Path,
    loaded: Option<Tokenizer>,
}

impl LazyTokenizer<'_> {
    fn get(&mut self) -> Result<&Tokenizer> {
        if self.loaded.is_none() {
            self.loaded = Some(Tokenizer::from_folder(self.folder)?);
        }
        Ok(self.loaded.as_ref().expect("it was loaded just above"))
    }
}
