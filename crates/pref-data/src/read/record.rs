//! The result of reading one row. In: a pair or an answer. Out: [`Record`], its place and its size.

use serde_json::{Map, Value};

use crate::text::{Annotation, ContentHash, Example, Pair, Place};

/// A row, or all rated rows of one prompt, as a pair or a single answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// Two answers to a prompt.
    Pair(Pair),
    /// One answer with a label.
    Example(Example),
}

impl Record {
    /// The position of the row.
    pub fn place(&self) -> &Place {
        match self {
            Record::Pair(pair) => &pair.place,
            Record::Example(example) => &example.place,
        }
    }

    /// The hash of the content of the row, the same in every file; see [`ContentHash`].
    pub fn content_hash(&self) -> ContentHash {
        match self {
            Record::Pair(pair) => pair.content_hash(),
            Record::Example(example) => example.content_hash(),
        }
    }

    /// The approximate size of the texts and other fields of the record, in bytes.
    pub(super) fn n_bytes(&self) -> usize {
        let more = |more: &Map<String, Value>| more.values().map(n_bytes_of_value).sum::<usize>();
        match self {
            Record::Pair(pair) => {
                let texts = [&pair.prompt, &pair.chosen, &pair.rejected];
                texts.map(|text| text.n_bytes()).iter().sum::<usize>() + more(&pair.more)
            }
            Record::Example(example) => {
                example.prompt.n_bytes() + example.completion.n_bytes() + more(&example.more)
            }
        }
    }
}

/// A pair as two answers: the chosen one, which is wanted, and the rejected one, which is not.
pub(super) fn examples_of_pair(pair: Pair) -> [Example; 2] {
    let example = |completion, label, annotation: &Option<Box<Annotation>>| Example {
        prompt: pair.prompt.clone(),
        completion,
        label: Some(label),
        tools: pair.tools.clone(),
        template_kwargs: pair.template_kwargs.clone(),
        place: pair.place.clone(),
        annotation: annotation.clone(),
        more: pair.more.clone(),
    };
    let (chosen, rejected) = (pair.chosen.clone(), pair.rejected.clone());
    let [of_chosen, of_rejected] = &pair.annotations;
    [
        example(chosen, true, of_chosen),
        example(rejected, false, of_rejected),
    ]
}

/// The approximate size of a value in memory, in bytes.
pub(super) fn n_bytes_of_value(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 8,
        Value::String(text) => 8 + text.len(),
        Value::Array(values) => 8 + values.iter().map(n_bytes_of_value).sum::<usize>(),
        Value::Object(fields) => {
            let field = |(name, value): (&String, &Value)| name.len() + n_bytes_of_value(value);
            8 + fields.iter().map(field).sum::<usize>()
        }
    }
}
