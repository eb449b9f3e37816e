//! From a reply to a judgement. In: a task and the text of a reply. Out: a [`Judgement`], or a [`Complaint`].
//!
//! What surrounds a judgement may be anything: prose, Markdown, a draft. What counts is strict: every segment
//! exactly once, every value on its scale.

use serde_json::Value;

use super::kind::Task;
use super::schema::SIDES;
use crate::complaint::Complaint;
use crate::parse::{Amount, Items, amount_of, labelled_lines, objects};

/// The version of the reading of replies. Replies that an older version could not read are read again.
pub const PARSER_VERSION: i64 = 1;

/// What a judge said.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Judgement {
    /// An answer to the prompt.
    Answer(String),
    /// Scores, `[answers, segments]`.
    Scores(Vec<Vec<f64>>),
    /// The rewritten answer; none if the answer is good enough.
    Rewrite(Option<String>),
    /// The better answer.
    Winner(Winner),
    /// The score of a whole answer.
    Rating(f64),
    /// The label of each segment.
    Labels(Vec<String>),
    /// The weight of each segment.
    Weights(Vec<f64>),
}

/// The better of two answers, in the order of the question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Winner {
    /// The first one.
    First,
    /// The second one.
    Second,
    /// Neither.
    Tie,
}

fn complain<T>(text: impl Into<String>) -> Result<T, Complaint> {
    Err(Complaint(text.into()))
}

impl Task {
    /// Reads a reply.
    ///
    /// # Errors
    /// A [`Complaint`] if the reply has no valid judgement, or several that differ.
    pub fn read(&self, reply: &str) -> Result<Judgement, Complaint> {
        if *self == Task::Answer {
            return Ok(Judgement::Answer(reply.to_owned()));
        }
        // Reasoning models write a draft first.
        let text = match reply.rfind("</think>") {
            Some(at) => &reply[at + "</think>".len()..],
            None => reply,
        };
        if text.trim().is_empty() {
            return complain("the reply is empty");
        }
        let mut valid: Vec<Judgement> = Vec::new();
        let mut complaint = None;
        for object in objects(text) {
            match self.of_object(&object) {
                Ok(judgement) if valid.contains(&judgement) => {}
                Ok(judgement) => valid.push(judgement),
                Err(wrong) => complaint = Some(wrong),
            }
        }
        match valid.len() {
            0 => {}
            1 => return Ok(valid.remove(0)),
            n => {
                return complain(format!(
                    "the reply has {n} judgements that differ; give one JSON object"
                ));
            }
        }
        match (self.of_lines(text), complaint) {
            (Some(found), None) => found,
            (_, Some(complaint)) => Err(complaint),
            (None, None) => complain("the reply has no JSON object with the judgement"),
        }
    }

    fn of_object(&self, object: &Value) -> Result<Judgement, Complaint> {
        match self {
            Task::Answer => complain("any text is an answer"),
            Task::Scores { n_segments, .. } => {
                let mut items = Vec::new();
                for (side, _) in SIDES.iter().zip(n_segments) {
                    // A judge of a single answer may leave out the object around the list.
                    let list = match (object, n_segments.len()) {
                        (Value::Array(_), 1) => object,
                        _ => field(object, side)?,
                    };
                    items.push(Items::of_value(list, &["score", "rating", "value"])?);
                }
                self.of_scores(&items)
            }
            Task::Rewrite { may_keep, copies } => {
                let verdict = text_of(object, "verdict")?.trim().to_lowercase();
                match verdict.replace([' ', '_'], "-").as_str() {
                    "good-enough" if *may_keep => Ok(Judgement::Rewrite(None)),
                    "rewritten" => {
                        let text = text_of(object, "text")?;
                        if text.trim().is_empty() {
                            return complain("`text` is empty; give the whole rewritten answer");
                        }
                        match copies.iter().find(|copy| copy.is(&text)) {
                            Some(copy) => complain(format!(
                                "`text` is a copy of {}; rewrite the answer only where it must be changed",
                                copy.of
                            )),
                            None => Ok(Judgement::Rewrite(Some(text))),
                        }
                    }
                    other => complain(format!("`verdict` is \"{other}\", which is not allowed")),
                }
            }
            Task::Compare => {
                let winner = text_of(object, "winner")?;
                let word = winner
                    .trim()
                    .trim_matches(|c: char| !c.is_alphanumeric())
                    .to_lowercase();
                Ok(Judgement::Winner(match word.as_str() {
                    "a" | "answer a" => Winner::First,
                    "b" | "answer b" => Winner::Second,
                    "tie" | "equal" | "both" => Winner::Tie,
                    _ => {
                        return complain(format!(
                            "`winner` is {winner:?}; expected \"a\", \"b\" or \"tie\""
                        ));
                    }
                }))
            }
            Task::Rate { min, max } => {
                let scale: Vec<i64> = (*min..=*max).collect();
                let score = on_scale(field(object, "score")?, &scale);
                score
                    .map(Judgement::Rating)
                    .map_err(|wrong| Complaint(format!("`score` {wrong}; expected {min} to {max}")))
            }
            Task::Parts { .. } => {
                let items = Items::of_value(field(object, "parts")?, &["label", "part"])?;
                self.labels(&items)
            }
            Task::Weights { .. } => {
                let items = Items::of_value(field(object, "weights")?, &["weight", "value"])?;
                self.weights(&items)
            }
        }
    }

    /// A judgement in lines such as `A1: 3`, which small models write. None if there are no such lines, or if
    /// the task is no list.
    fn of_lines(&self, text: &str) -> Option<Result<Judgement, Complaint>> {
        let lists = match self {
            Task::Scores { n_segments, .. } => n_segments.len(),
            Task::Parts { .. } | Task::Weights { .. } => 1,
            Task::Answer | Task::Rewrite { .. } | Task::Compare | Task::Rate { .. } => {
                return None;
            }
        };
        let items = labelled_lines(text, lists)?;
        Some(match self {
            Task::Parts { .. } => self.labels(&items[0]),
            Task::Weights { .. } => self.weights(&items[0]),
            _ => self.of_scores(&items),
        })
    }

    fn of_scores(&self, lists: &[Items]) -> Result<Judgement, Complaint> {
        let Task::Scores {
            scale,
            never_decreases,
            n_segments,
            ..
        } = self
        else {
            return complain("the task has no scores");
        };
        let mut all = Vec::new();
        for ((side, items), &n) in SIDES.iter().zip(lists).zip(n_segments) {
            let values = items.in_order(n).map_err(|wrong| at_list(side, &wrong))?;
            let mut scores: Vec<f64> = Vec::with_capacity(n);
            for (i, value) in values.iter().enumerate() {
                let score = on_scale(value, scale).map_err(|wrong| {
                    let item = i + 1;
                    Complaint(format!(
                        "the score of item {item} in `{side}` {wrong}; expected one of {scale:?}"
                    ))
                })?;
                if let Some(last) = scores
                    .last()
                    .filter(|&&last| *never_decreases && score < last)
                {
                    return complain(format!(
                        "in `{side}` the score decreases from {last} to {score} at item {}; it must never decrease along an answer",
                        i + 1
                    ));
                }
                scores.push(score);
            }
            all.push(scores);
        }
        Ok(Judgement::Scores(all))
    }

    fn labels(&self, items: &Items) -> Result<Judgement, Complaint> {
        let Task::Parts { labels, n_segments } = self else {
            return complain("the task has no labels");
        };
        let values = items.in_order(*n_segments);
        let values = values.map_err(|wrong| at_list("parts", &wrong))?;
        let mut all = Vec::with_capacity(*n_segments);
        for (i, value) in values.iter().enumerate() {
            let word = value.as_str().unwrap_or_default();
            let word = word
                .trim_matches(|c: char| !c.is_alphanumeric())
                .to_lowercase();
            match labels.iter().find(|label| label.to_lowercase() == word) {
                Some(label) => all.push(label.clone()),
                None => {
                    return complain(format!(
                        "the label of item {} is {value}; expected one of {labels:?}",
                        i + 1
                    ));
                }
            }
        }
        Ok(Judgement::Labels(all))
    }

    fn weights(&self, items: &Items) -> Result<Judgement, Complaint> {
        let Task::Weights { max, n_segments } = self else {
            return complain("the task has no weights");
        };
        let scale: Vec<i64> = (0..=*max).collect();
        let values = items.in_order(*n_segments);
        let values = values.map_err(|wrong| at_list("weights", &wrong))?;
        let weights = values.iter().enumerate().map(|(i, value)| {
            on_scale(value, &scale).map_err(|wrong| {
                Complaint(format!(
                    "the weight of item {} {wrong}; expected 0 to {max}",
                    i + 1
                ))
            })
        });
        Ok(Judgement::Weights(weights.collect::<Result<_, _>>()?))
    }
}

fn at_list(side: &str, wrong: &Complaint) -> Complaint {
    Complaint(format!("in `{side}`: {wrong}"))
}

fn field<'a>(object: &'a Value, name: &str) -> Result<&'a Value, Complaint> {
    let fields = object.as_object();
    let found = fields.and_then(|fields| {
        let mut fields = fields.iter();
        fields.find(|(key, _)| key.trim().eq_ignore_ascii_case(name))
    });
    match found {
        Some((_, value)) if !value.is_null() => Ok(value),
        _ => complain(format!("the field `{name}` is missing")),
    }
}

fn text_of(object: &Value, name: &str) -> Result<String, Complaint> {
    match field(object, name)? {
        Value::String(text) => Ok(text.clone()),
        other => complain(format!("`{name}` is {other}; expected a text")),
    }
}

/// A value on a scale. A range counts as its middle, and a value between two neighbours as itself, if the scale
/// has all whole numbers from its lowest to its highest.
fn on_scale(value: &Value, scale: &[i64]) -> Result<f64, String> {
    let (Some(&min), Some(&max)) = (scale.first(), scale.last()) else {
        return Err("has no scale".to_owned());
    };
    let number = match amount_of(value, max) {
        Some(Amount::One(number)) => number,
        Some(Amount::Range(low, high))
            if low <= high && low >= min as f64 && high <= max as f64 =>
        {
            (low + high) / 2.0
        }
        Some(Amount::Range(..)) | None => return Err(format!("is {value}")),
    };
    let is_dense = (max - min) as usize + 1 == scale.len();
    let is_allowed = match is_dense {
        true => number >= min as f64 && number <= max as f64,
        false => scale.iter().any(|&allowed| allowed as f64 == number),
    };
    match is_allowed {
        true => Ok(number),
        false => Err(format!("is {value}")),
    }
}
