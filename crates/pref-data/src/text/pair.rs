//! A preference pair, or a single answer, as text. In: the fields of a row. Out: [`Pair`] or
//! [`Example`], which hold the place of their row and can be written as a row again.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::annotation::Annotation;
use super::content_hash::{ContentHash, ContentHasher};
use super::message::Text;
use super::place::{Place, Placed};
use super::template_kwargs::TemplateKwargs;

/// One answer to a prompt, possibly with a label that says whether it is wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// The prompt. An empty plain text means that there is none: the answer is a whole text, and begins
    /// at its second token.
    pub prompt: Text,
    /// The answer.
    pub completion: Text,
    /// Whether the answer is wanted: training makes wanted answers more likely and unwanted answers
    /// less likely.
    /// Absent from data for sft, in which every answer is wanted.
    pub label: Option<bool>,
    /// Functions that the chat template offers to the model, as JSON schemas.
    pub tools: Vec<Value>,
    /// Settings of the chat template for this row.
    pub template_kwargs: TemplateKwargs,
    /// The position of the row.
    pub place: Place,
    /// Annotation of the answer.
    pub annotation: Option<Box<Annotation>>,
    /// Fields of the row that this crate does not know.
    pub more: Map<String, Value>,
}

/// Two answers to one prompt, one preferred to the other.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pair {
    /// The prompt of both answers.
    pub prompt: Text,
    /// The preferred answer.
    pub chosen: Text,
    /// The other answer.
    pub rejected: Text,
    /// Functions that the chat template offers to the model, as JSON schemas.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Value>,
    /// Settings of the chat template for this row.
    #[serde(
        rename = "chat_template_kwargs",
        skip_serializing_if = "TemplateKwargs::is_empty"
    )]
    pub template_kwargs: TemplateKwargs,
    /// The position of the row.
    #[serde(skip)]
    pub place: Place,
    /// Annotations of the chosen and of the rejected answer, in this order.
    #[serde(skip)]
    pub annotations: [Option<Box<Annotation>>; 2],
    /// Fields of the row that this crate does not know.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

impl Example {
    /// The hash of the content of this row, the same in every file and format; see [`ContentHash`].
    pub fn content_hash(&self) -> ContentHash {
        let mut hasher = ContentHasher::new(match self.label {
            Some(_) => "example",
            None => "demonstration",
        });
        hasher.text(&self.prompt);
        hasher.text(&self.completion);
        if let Some(label) = self.label {
            hasher.flag(label);
        }
        hasher.tools(&self.tools);
        hasher.template_kwargs(&self.template_kwargs);
        if let Some(annotation) = &self.annotation {
            hasher.annotation(Some(annotation));
        }
        hasher.finish()
    }

    /// The text by which rows are kept together when a set is divided: the prompt, or the whole text of
    /// a row that has no prompt.
    pub fn prompt_or_text(&self) -> &Text {
        match self.is_text() {
            true => &self.completion,
            false => &self.prompt,
        }
    }

    /// Whether the answer is a whole text without a prompt.
    pub fn is_text(&self) -> bool {
        self.prompt == Text::Plain(String::new())
    }

    /// The answer as a row: `text`, or `prompt` and `completion`, with the `label` if there is one. Reading
    /// this row gives the same answer.
    pub fn to_value(&self) -> Value {
        let mut row = match self.is_text() {
            true => json!({"text": self.completion}),
            false => json!({"prompt": self.prompt, "completion": self.completion}),
        };
        if let Some(label) = self.label {
            row["label"] = json!(label);
        }
        add_settings(&mut row, &self.tools, &self.template_kwargs);
        add_annotation(&mut row, "completion", self.annotation.as_deref());
        for (name, value) in &self.more {
            row[name] = value.clone();
        }
        row
    }
}

impl Pair {
    /// A pair without tools, settings, annotations and other fields.
    pub fn new(prompt: Text, chosen: Text, rejected: Text, place: impl Into<Place>) -> Self {
        Self {
            prompt,
            chosen,
            rejected,
            tools: Vec::new(),
            template_kwargs: TemplateKwargs::default(),
            place: place.into(),
            annotations: [None, None],
            more: Map::new(),
        }
    }

    /// The hash of the content of this row, the same in every file and format; see [`ContentHash`].
    ///
    /// ```
    /// use pref_data::{Pair, Text};
    /// let pair = |chosen: &str, line: usize| {
    ///     let [prompt, chosen, rejected] = ["2 + 2?", chosen, "5"].map(|t| Text::Plain(t.to_owned()));
    ///     Pair::new(prompt, chosen, rejected, line)
    /// };
    /// assert_eq!(pair("4", 1).content_hash(), pair("4", 7).content_hash());
    /// assert_ne!(pair("4", 1).content_hash(), pair("four", 1).content_hash());
    /// assert_eq!(pair("4", 1).content_hash().to_string().len(), 32);
    /// ```
    pub fn content_hash(&self) -> ContentHash {
        let mut hasher = ContentHasher::new("pair");
        for text in [&self.prompt, &self.chosen, &self.rejected] {
            hasher.text(text);
        }
        hasher.tools(&self.tools);
        hasher.template_kwargs(&self.template_kwargs);
        for annotation in &self.annotations {
            hasher.annotation(annotation.as_deref());
        }
        hasher.finish()
    }

    /// The pair as a row of the shape `pairs`. Reading this row gives the same pair.
    pub fn to_value(&self) -> Value {
        let mut row = json!({
            "prompt": self.prompt,
            "chosen": self.chosen,
            "rejected": self.rejected,
        });
        add_settings(&mut row, &self.tools, &self.template_kwargs);
        for (side, annotation) in ["chosen", "rejected"].into_iter().zip(&self.annotations) {
            add_annotation(&mut row, side, annotation.as_deref());
        }
        for (name, value) in &self.more {
            row[name] = value.clone();
        }
        row
    }
}

/// Adds the tools and the template settings of a row, if it has any.
fn add_settings(row: &mut Value, tools: &[Value], kwargs: &TemplateKwargs) {
    if !tools.is_empty() {
        row["tools"] = json!(tools);
    }
    if !kwargs.is_empty() {
        row["chat_template_kwargs"] = json!(kwargs);
    }
}

/// Adds the fields of an annotation, such as `chosen_segments` for the side `chosen`.
fn add_annotation(row: &mut Value, side: &str, annotation: Option<&Annotation>) {
    let Some(annotation) = annotation else {
        return;
    };
    let parts = annotation.parts.as_ref().map(|parts| -> Value {
        let part = |(label, text): &(String, String)| json!({"label": label, "text": text});
        parts.iter().map(part).collect()
    });
    for (name, value) in [
        ("segments", json!(annotation.segments)),
        ("scores", json!(annotation.scores)),
        ("parts", json!(parts)),
        ("weights", json!(annotation.weights)),
        ("importance", json!(annotation.importance)),
    ] {
        if !value.is_null() {
            row[format!("{side}_{name}")] = value;
        }
    }
}

impl Placed for Pair {
    fn place(&self) -> &Place {
        &self.place
    }
}

impl Placed for Example {
    fn place(&self) -> &Place {
        &self.place
    }
}
