//! Rows as annotation sees them. In: pairs and single answers. Out: the question, the answers with their segments, and
//! the row that is written back.

use pref_data::{Annotation, Example, Message, Pair, Record, Text};
use serde_json::{Map, Value};

use super::division::Division;
use super::error::WorkError;
use crate::judge::final_number;

/// A row with everything that its questions need.
#[derive(Clone, Debug, PartialEq)]
pub struct Prepared {
    /// The place of the row.
    pub place: String,
    /// The text of the prompt.
    pub question: String,
    /// The names of the answers' fields: `chosen` and `rejected`, or `completion`, or numbers.
    pub sides: Vec<String>,
    /// The answers, each as its segments.
    pub answers: Vec<Vec<String>>,
    /// The right final answer: the row's `answer`, or the final number of the chosen answer.
    pub truth: Option<String>,
}

/// The text of a prompt. The turns of a conversation begin with their roles.
pub(super) fn question(prompt: &Text) -> String {
    match prompt {
        Text::Plain(text) => text.trim().to_owned(),
        Text::Conversation(turns) => {
            let turn = |turn: &Message| format!("{}: {}", turn.role, turn.content);
            turns.iter().map(turn).collect::<Vec<_>>().join("\n\n")
        }
    }
}

/// The right final answer that a row gives.
fn truth(more: &Map<String, Value>) -> Option<String> {
    match more.get("answer")? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The annotation of an answer with segments: those that it has, or else new ones.
fn divided(
    text: &Text,
    old: Option<Box<Annotation>>,
    division: Division,
    place: &str,
) -> Result<(Vec<String>, Box<Annotation>), WorkError> {
    let answer = text.to_string();
    let mut annotation = old.unwrap_or_default();
    let segments = match annotation.segments.take() {
        Some(segments) if segments.concat() == answer => segments,
        Some(_) => {
            return Err(WorkError::Row {
                place: place.to_owned(),
                message: "the segments of the row, joined, are not the answer; remove the field, or divide the answer again with `pref segment`".to_owned(),
            });
        }
        None => division.divide(&answer),
    };
    if segments.is_empty() {
        return Err(WorkError::Row {
            place: place.to_owned(),
            message: "an answer is empty; remove the row, or read with --on-error skip".to_owned(),
        });
    }
    annotation.segments = Some(segments.clone());
    Ok((segments, annotation))
}

/// A pair or an answer as a row, with the segments of its answers.
pub(super) fn prepare(record: Record, division: Division) -> Result<(Value, Prepared), WorkError> {
    match record {
        Record::Pair(pair) => prepare_pair(pair, division),
        Record::Example(example) => prepare_example(example, division),
    }
}

fn prepare_pair(mut pair: Pair, division: Division) -> Result<(Value, Prepared), WorkError> {
    let place = pair.place.to_string();
    let texts = [pair.chosen.clone(), pair.rejected.clone()];
    let mut answers = Vec::new();
    for (text, annotation) in texts.iter().zip(&mut pair.annotations) {
        let (segments, new) = divided(text, annotation.take(), division, &place)?;
        *annotation = Some(new);
        answers.push(segments);
    }
    let from_chosen = || final_number(&texts[0].to_string()).map(|number| number.to_string());
    let prepared = Prepared {
        place,
        question: question(&pair.prompt),
        sides: ["chosen", "rejected"].map(str::to_owned).to_vec(),
        answers,
        truth: truth(&pair.more).or_else(from_chosen),
    };
    Ok((pair.to_value(), prepared))
}

fn prepare_example(
    mut example: Example,
    division: Division,
) -> Result<(Value, Prepared), WorkError> {
    let place = example.place.to_string();
    if example.is_text() {
        return Err(WorkError::Row {
            place,
            message: "a whole text has no prompt and cannot be judged; give `prompt` and `completion`, or pairs".to_owned(),
        });
    }
    let (segments, annotation) = divided(
        &example.completion,
        example.annotation.take(),
        division,
        &place,
    )?;
    example.annotation = Some(annotation);
    let prepared = Prepared {
        place,
        question: question(&example.prompt),
        sides: vec!["completion".to_owned()],
        answers: vec![segments],
        truth: truth(&example.more),
    };
    Ok((example.to_value(), prepared))
}

/// An answer in a row with another text: a plain text is replaced, and of a conversation the last turn. White space at
/// the ends stays.
pub(super) fn with_text(answer: &Value, text: &str) -> Value {
    let kept = |old: &str| {
        let start = &old[..old.len() - old.trim_start().len()];
        let end = &old[old.trim_end().len()..];
        format!("{start}{}{end}", text.trim())
    };
    match answer {
        Value::Array(turns) => {
            let mut turns = turns.clone();
            if let Some(last) = turns.last_mut() {
                let old = last["content"].as_str().unwrap_or_default().to_owned();
                last["content"] = Value::String(kept(&old));
            }
            Value::Array(turns)
        }
        other => Value::String(kept(other.as_str().unwrap_or_default())),
    }
}

/// The text of an answer in a row.
pub(super) fn text_of(answer: &Value) -> String {
    match answer {
        Value::Array(turns) => {
            let last = turns.last().and_then(|turn| turn["content"].as_str());
            last.unwrap_or_default().to_owned()
        }
        other => other.as_str().unwrap_or_default().to_owned(),
    }
}
