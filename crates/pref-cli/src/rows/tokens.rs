//! Flags for tokenization. In: flags, pairs and a tokenizer. Out: token pairs.

use std::path::Path;

use anyhow::Result;
use pref_data::{Boundary, Pair, TemplateKwargs, TokenPair, TokenizeOptions, Tokenizer, tokenize};
use serde_json::json;

use crate::progress;

/// How prompts and answers become tokens.
#[derive(clap::Args)]
pub(crate) struct TokenArgs {
    /// How prompt and answer are divided: joint tokenizes both together, as TRL does; separate tokenizes each by itself
    #[arg(long, value_name = "HOW", default_value = "joint", value_parser = parse_boundary)]
    boundary: Boundary,
    /// Settings for the chat template as a JSON object, such as '{"enable_thinking": false}'
    #[arg(long, value_name = "JSON", value_parser = parse_template_kwargs)]
    chat_template_kwargs: Option<TemplateKwargs>,
}

impl TokenArgs {
    pub(crate) fn options(&self) -> TokenizeOptions {
        TokenizeOptions {
            boundary: self.boundary,
            template_kwargs: self.chat_template_kwargs.clone().unwrap_or_default(),
            ..TokenizeOptions::default()
        }
    }
}

fn parse_boundary(text: &str) -> Result<Boundary, String> {
    serde_json::from_value(json!(text)).map_err(|e| e.to_string())
}

pub(crate) fn parse_template_kwargs(text: &str) -> Result<TemplateKwargs, String> {
    serde_json::from_str(text).map_err(|e| e.to_string())
}

/// Tokenizes the pairs of the file `path` without a limit on their length. A note on stderr says if the
/// boundary of prompt and answer changed tokens.
pub(crate) fn pair_tokens(
    path: &Path,
    pairs: &[Pair],
    tokenizer: &Tokenizer,
    options: &TokenizeOptions,
) -> Result<Vec<TokenPair>> {
    let tokenized = tokenize(pairs, tokenizer, options)?;
    if !tokenized.report.boundary_mismatches.is_empty() {
        progress::note(&format!("{}: {}", path.display(), tokenized.report));
    }
    Ok(tokenized.rows)
}
