//! Flags that say how answers are divided into segments. In: flags, and a tokenizer if tokens are counted. Out:
//! the annotation of an answer with its segments.

use anyhow::{Context, Result};
use clap::ValueEnum;
use pref_data::{
    Annotation, FixedTokens, ItemSentences, Lines, PartMarker, PartRules, Segmenter, Sentences,
    Tokenizer,
};

use crate::rows::parse_field;

/// How answers are divided into segments.
#[derive(clap::Args)]
pub(crate) struct SegmentArgs {
    /// What a segment is
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = Unit::Sentences)]
    pub(crate) by: Unit,
    /// With --by parts: a label and the regular expression at which such a part begins; may be repeated
    #[arg(long = "part", value_name = "LABEL=PATTERN", value_parser = parse_part)]
    parts: Vec<PartMarker>,
    /// With --by sentences: also divide a list item that has several sentences
    #[arg(long)]
    divide_items: bool,
    /// With --by tokens: number of tokens in a segment
    #[arg(long, value_name = "N", default_value_t = 32)]
    size: usize,
}

/// What a segment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Unit {
    /// A sentence, or a list item
    Sentences,
    /// A line
    Lines,
    /// A part with a label, such as reasoning or answer
    Parts,
    /// A run of --size tokens
    Tokens,
}

fn parse_part(text: &str) -> Result<PartMarker, String> {
    let (label, pattern) = parse_field(text)?;
    Ok(PartMarker { pattern, label })
}

/// How an answer is divided.
pub(crate) enum By<'a> {
    Segmenter(Box<dyn Segmenter + 'a>),
    /// Each segment gets a label.
    Parts(PartRules),
}

impl SegmentArgs {
    /// The choice of these flags. Only `--by tokens` needs a tokenizer.
    pub(crate) fn by<'a>(&self, tokenizer: Option<&'a Tokenizer>) -> Result<By<'a>> {
        Ok(match self.by {
            Unit::Sentences if self.divide_items => By::Segmenter(Box::new(ItemSentences)),
            Unit::Sentences => By::Segmenter(Box::new(Sentences)),
            Unit::Lines => By::Segmenter(Box::new(Lines)),
            Unit::Parts => {
                let default = PartRules::default_markers();
                let markers = match self.parts.is_empty() {
                    true => &default,
                    false => &self.parts,
                };
                By::Parts(PartRules::new("reasoning", markers)?)
            }
            Unit::Tokens => {
                let tokenizer = tokenizer.context("--by tokens needs --model")?;
                By::Segmenter(Box::new(FixedTokens::new(tokenizer, self.size)))
            }
        })
    }

    /// The choice of these flags in words, the same for the same segments.
    pub(crate) fn describe(&self) -> String {
        let parts = self
            .parts
            .iter()
            .map(|p| format!("{}={}", p.label, p.pattern));
        let parts: Vec<String> = parts.collect();
        format!(
            "{:?}, parts {parts:?}, divide items {}, size {}",
            self.by, self.divide_items, self.size
        )
    }
}

impl By<'_> {
    /// The annotation of an answer with its new segments, and with labelled parts if it is divided into
    /// parts.
    pub(crate) fn divided(&self, answer: &str, old: Annotation) -> Annotation {
        let (segments, parts) = match self {
            By::Segmenter(segmenter) => (segmenter.segment(answer), old.parts),
            By::Parts(rules) => {
                let parts = rules.parts(answer);
                let labelled = parts
                    .iter()
                    .map(|part| (part.label.clone(), answer[part.range.clone()].to_owned()));
                let labelled = labelled.collect();
                (
                    parts.into_iter().map(|part| part.range).collect(),
                    Some(labelled),
                )
            }
        };
        let segments = segments.into_iter().map(|range| answer[range].to_owned());
        Annotation {
            segments: Some(segments.collect()),
            // The old scores belong to the old segments.
            scores: None,
            parts,
            ..old
        }
    }
}
