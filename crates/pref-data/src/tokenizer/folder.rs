//! The tokenizer's files in a model's folder. In: `tokenizer.json`, `tokenizer_config.json`,
//! `chat_template.jinja` and the model's configuration. Out: the tokenizer, its special tokens and
//! its compiled chat template.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::error::TokenizerError;
use super::qwen2;
use crate::template::ChatTemplate;

/// Special tokens that a template may use besides `bos_token` and `eos_token`.
const OTHER_TOKENS: [&str; 5] = [
    "unk_token",
    "sep_token",
    "pad_token",
    "cls_token",
    "mask_token",
];

/// The contents of a folder. The special tokens are texts, as the vocabulary writes them.
pub(super) struct TokenizerFiles {
    pub(super) tokenizer: tokenizers::Tokenizer,
    pub(super) template: Option<ChatTemplate>,
    pub(super) bos_token: Option<String>,
    pub(super) eos_token: Option<String>,
    pub(super) pad_token: Option<String>,
}

/// Reads the files of a folder.
pub(super) fn read(folder: &Path) -> Result<TokenizerFiles, TokenizerError> {
    let path = folder.join("tokenizer.json");
    let failed = |error: &dyn std::fmt::Display| TokenizerError::file(&path, error);
    let bytes = fs::read(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound if folder.join("tokenizer.model").is_file() => {
            TokenizerError::SentencePiece {
                folder: folder.to_owned(),
            }
        }
        _ => failed(&error),
    })?;
    let mut tokenizer = tokenizers::Tokenizer::from_bytes(&bytes)
        .map_err(|e| failed(&format!("not a valid tokenizer: {e}")))?;
    // this crate truncates and pads by itself, and counts what it cuts
    tokenizer.with_truncation(None).map_err(|e| failed(&e))?;
    tokenizer.with_padding(None);

    let config_path = folder.join("tokenizer_config.json");
    let config = read_json(&config_path)?;
    if qwen2::is_qwen2(&read_json(&folder.join("config.json"))?, &config) {
        qwen2::apply(&mut tokenizer).map_err(|e| failed(&e))?;
    }
    let special = |key: &str| match &config[key] {
        Value::String(token) => Some(token.clone()),
        Value::Object(token) => token.get("content")?.as_str().map(str::to_owned),
        _ => None,
    };
    let eos_token = match special("eos_token") {
        Some(token) => Some(token),
        None => eos_of_model(folder, &tokenizer)?,
    };
    let (template_path, source) = template_source(folder, &config_path, &config)?;
    let compile = |source: String| {
        let (bos, eos) = (special("bos_token"), eos_token.as_deref());
        let template = ChatTemplate::new(&source, bos.as_deref(), eos);
        let template = template.map_err(|error| TokenizerError::Template {
            path: template_path,
            message: error.to_string(),
        })?;
        let others = OTHER_TOKENS.into_iter();
        let others = others.filter_map(|name| Some((name, special(name)?)));
        Ok(others.fold(template, |template, (name, token)| {
            template.with_token(name, &token)
        }))
    };
    Ok(TokenizerFiles {
        template: source.map(compile).transpose()?,
        bos_token: special("bos_token"),
        pad_token: special("pad_token"),
        eos_token,
        tokenizer,
    })
}

/// The source of the chat template, if there is one, and the file that holds it.
fn template_source(
    folder: &Path,
    config_path: &Path,
    config: &Value,
) -> Result<(PathBuf, Option<String>), TokenizerError> {
    let path = folder.join("chat_template.jinja");
    if path.is_file() {
        let source = fs::read_to_string(&path);
        let source = source.map_err(|e| TokenizerError::file(&path, &e))?;
        return Ok((path, Some(source)));
    }
    let source = match &config["chat_template"] {
        Value::String(source) => Some(source.clone()),
        // several templates by name
        Value::Array(list) => {
            let default = list.iter().find(|entry| entry["name"] == "default");
            let source = default.and_then(|entry| entry["template"].as_str());
            source.map(str::to_owned)
        }
        _ => None,
    };
    Ok((config_path.to_owned(), source))
}

/// A JSON file, or `null` if it does not exist.
fn read_json(path: &Path) -> Result<Value, TokenizerError> {
    if !path.is_file() {
        return Ok(Value::Null);
    }
    let bytes = fs::read(path).map_err(|e| TokenizerError::file(path, &e))?;
    serde_json::from_slice(&bytes).map_err(|e| TokenizerError::file(path, &e))
}

/// The end-of-sequence token that the model's configuration names by `eos_token_id`.
fn eos_of_model(
    folder: &Path,
    tokenizer: &tokenizers::Tokenizer,
) -> Result<Option<String>, TokenizerError> {
    for name in ["generation_config.json", "config.json"] {
        let config = read_json(&folder.join(name))?;
        let id = match &config["eos_token_id"] {
            Value::Array(ids) => ids.first().and_then(Value::as_u64),
            id => id.as_u64(),
        };
        let token = id
            .and_then(|id| u32::try_from(id).ok())
            .and_then(|id| tokenizer.id_to_token(id));
        if token.is_some() {
            return Ok(token);
        }
    }
    Ok(None)
}
