//! Replies that are held to a JSON schema while they are decoded. In: a model's folder, and the schema of a reply. Out: a guide
//! for the sampler, which leaves only tokens that continue a valid reply.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use llguidance::api::TopLevelGrammar;
use llguidance::toktrie::{ApproximateTokEnv, TokEnv, TokRxInfo, TokTrie};
use llguidance::{Matcher, ParserFactory, token_bytes_from_tokenizer_json};
use pref_model::{Finish, Guide, MakeGuide};
use serde_json::{Value, json};

/// Most characters of the reason that a judge gives for a score. Without a limit a weak model can repeat itself until the
/// limit of tokens.
const MOST_REASON: u32 = 240;

/// Makes guides for the replies of a model.
pub(super) struct Forms {
    factory: ParserFactory,
}

impl Forms {
    /// The guides of a model with the tokenizer in this folder. One of `stop_ids` is needed.
    pub(super) fn new(folder: &Path, stop_ids: &[u32]) -> Result<Self> {
        let eos = stop_ids.first().copied();
        let eos = eos.context("the model names no end token, so a reply would not end")?;
        let path = folder.join("tokenizer.json");
        let file = std::fs::read(&path).with_context(|| path.display().to_string())?;
        let file: Value =
            serde_json::from_slice(&file).with_context(|| path.display().to_string())?;
        let words = token_bytes_from_tokenizer_json(&file).with_context(|| {
            format!("{}: the bytes of its tokens are not known", path.display())
        })?;
        let info = TokRxInfo::new(words.len() as u32, eos);
        let trie = TokTrie::from(&info, &words);
        let tokens: TokEnv = Arc::new(ApproximateTokEnv::new(trie));
        let mut factory = ParserFactory::new_simple(&tokens)?;
        factory.quiet();
        Ok(Self { factory })
    }

    /// A guide for a reply of this schema and of at most `max_tokens` tokens.
    pub(super) fn guide(&self, schema: &Value, max_tokens: usize) -> Result<MakeGuide> {
        let grammar = TopLevelGrammar::from_json_schema(strict(schema.clone()));
        let matcher = Matcher::new(self.factory.create_parser(grammar));
        if let Some(error) = matcher.get_error() {
            anyhow::bail!("the schema of the reply cannot be followed: {error}");
        }
        let matcher = Mutex::new(matcher);
        Ok(Arc::new(move || {
            let matcher = matcher.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(Box::new(Form {
                matcher: Mutex::new(matcher.deep_clone()),
                n_left: max_tokens,
                finish: None,
            }))
        }))
    }
}

/// The schema with what servers do not accept in it: the number of each item, a limit of reasons, and one way to write
/// white space.
fn strict(mut schema: Value) -> Value {
    tighten(&mut schema);
    schema["x-guidance"] = json!({
        "whitespace_flexible": false,
        "item_separator": ", ",
        "key_separator": ": ",
    });
    schema
}

fn tighten(schema: &mut Value) {
    let Some(fields) = schema.as_object_mut() else {
        return;
    };
    if let Some(Value::Object(properties)) = fields.get_mut("properties") {
        for (name, property) in properties {
            tighten(property);
            if name == "reason" {
                property["maxLength"] = json!(MOST_REASON);
            }
        }
    }
    let n = fields.get("minItems").and_then(Value::as_u64);
    if let (Some(n), Some(mut item)) = (n, fields.get("items").cloned()) {
        tighten(&mut item);
        let numbered = (1..=n).map(|i| {
            let mut item = item.clone();
            item["properties"]["index"] = json!({"const": i});
            item
        });
        fields.insert("prefixItems".to_owned(), numbered.collect());
        fields.insert("items".to_owned(), json!(false));
    }
}

/// A reply that is being decoded.
struct Form {
    matcher: Mutex<Matcher>,
    n_left: usize,
    finish: Option<Finish>,
}

impl Guide for Form {
    fn mask(&mut self, logits: &mut [f32]) -> Result<(), String> {
        let matcher = self
            .matcher
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        let allowed = matcher.compute_mask().map_err(|error| error.to_string())?;
        let n = allowed.len();
        for (id, logit) in logits.iter_mut().enumerate() {
            if id >= n || !allowed.get(id) {
                *logit = f32::NEG_INFINITY;
            }
        }
        Ok(())
    }

    fn push(&mut self, id: u32) -> Result<(), String> {
        let matcher = self
            .matcher
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        matcher
            .consume_token(id)
            .map_err(|error| error.to_string())?;
        self.n_left = self.n_left.saturating_sub(1);
        self.finish = match (matcher.is_stopped(), self.n_left) {
            (true, _) => Some(Finish::Stop),
            (false, 0) => Some(Finish::Length),
            (false, _) => None,
        };
        Ok(())
    }

    fn finish(&self) -> Option<Finish> {
        self.finish
    }
}
