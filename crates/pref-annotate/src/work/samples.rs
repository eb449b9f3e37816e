//! Answers of a model to prompts. In: prompts. Out: a question for each answer, and a row for each reply.

use std::collections::HashMap;

use pref_data::{PromptRow, TemplateKwargs, Text};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::error::WorkError;
use crate::drawing::Drawing;
use crate::judge::{About, about};
use crate::request::{ChatMessage, Request, Role, Sampling};
use crate::store::{Item, Outcome, Slot, Store};
use crate::task::{Judgement, Task};

/// Answers to prompts, several to each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Samples {
    /// Answers to each prompt, at least 1.
    pub n: u32,
    /// Seed of the answers. Each answer has a seed of its own, which is computed from this one.
    pub seed: u64,
    /// Temperature and top-p.
    pub sampling: Sampling,
    /// How an answer is drawn, beside these.
    pub drawing: Drawing,
}

/// Version of what is asked, in the place of a template's name.
pub(crate) const VERSION: &str = "answer@1";

/// The fields of an output row that are not those of the input row.
const NEW_FIELDS: [&str; 5] = [
    "response",
    "sample",
    "reasoning",
    "finish_reason",
    "n_tokens",
];

/// How many answers of a row are there, and how many are not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Drawn {
    pub(super) n_open: u64,
    pub(super) n_failed: u64,
}

impl Samples {
    /// Checks the settings.
    ///
    /// # Errors
    /// [`WorkError::Setting`] names one whose value is not allowed.
    pub fn check(&self) -> Result<(), WorkError> {
        let (t, p) = (self.sampling.temperature, self.sampling.top_p);
        let Drawing {
            max_tokens,
            stop,
            min_p,
            repetition_penalty: r,
            ..
        } = &self.drawing;
        let settings = [
            ("n", self.n > 0, f64::from(self.n), "at least 1"),
            (
                "max-new-tokens",
                *max_tokens > 0,
                f64::from(*max_tokens),
                "at least 1",
            ),
            ("temperature", t >= 0.0 && t.is_finite(), t, "at least 0"),
            ("top-p", p > 0.0 && p <= 1.0, p, "above 0, at most 1"),
            (
                "min-p",
                (0.0..=1.0).contains(min_p),
                *min_p,
                "between 0 and 1",
            ),
            (
                "repetition-penalty",
                *r > 0.0 && r.is_finite(),
                *r,
                "above 0",
            ),
        ];
        let wrong = |name: &str, message: String| WorkError::Setting {
            name: name.to_owned(),
            message,
        };
        for (name, holds, found, expected) in settings {
            if !holds {
                return Err(wrong(name, format!("expected {expected}, found {found}")));
            }
        }
        match stop.iter().any(String::is_empty) {
            true => Err(wrong(
                "stop",
                "a stop text is empty; leave it out".to_owned(),
            )),
            false => Ok(()),
        }
    }

    /// Checks a row, so that one that cannot be asked is found before others are paid for.
    ///
    /// # Errors
    /// [`WorkError::Row`] if the row has a field that an answer needs, functions, or turns that a chat server does not take.
    pub fn check_row(&self, row: &PromptRow) -> Result<(), WorkError> {
        let wrong = |message: String| WorkError::Row {
            place: row.place.to_string(),
            message,
        };
        let is_taken = |name: &&&str| row.fields.contains_key(**name);
        if let Some(name) = NEW_FIELDS.iter().find(is_taken) {
            return Err(wrong(format!(
                "the row has a field `{name}`, which the answers need; rename or remove it with `pref data map`"
            )));
        }
        if !row.tools.is_empty() {
            return Err(wrong(
                "the row has `tools`, which are not sent to a server; draw from a decoder (--model), or remove them"
                    .to_owned(),
            ));
        }
        messages(&row.prompt).map(drop).map_err(wrong)
    }

    /// For each prompt, how many equal ones come before it: equal prompts get different answers.
    ///
    /// # Errors
    /// [`WorkError::NoRows`], and the errors of [`check_row`](Self::check_row).
    pub(crate) fn repeats(&self, prompts: &[PromptRow]) -> Result<Vec<u64>, WorkError> {
        if prompts.is_empty() {
            return Err(WorkError::NoRows);
        }
        let mut seen: HashMap<(u128, String), u64> = HashMap::new();
        let mut repeats = Vec::with_capacity(prompts.len());
        for row in prompts {
            self.check_row(row)?;
            let kwargs = json!(self.template_kwargs(row)).to_string();
            let n = seen.entry((row.prompt.key(), kwargs)).or_default();
            repeats.push(*n);
            *n += 1;
        }
        Ok(repeats)
    }

    /// A prompt with a question for each answer. `before` equal prompts come before it.
    pub(crate) fn item(&self, row: &PromptRow, before: u64) -> Result<Item, WorkError> {
        let place = row.place.to_string();
        let messages = messages(&row.prompt).map_err(|message| WorkError::Row {
            place: place.clone(),
            message,
        })?;
        let slot = |sample: u32| {
            let request = self.request(&messages, self.template_kwargs(row), before, sample);
            (sample.to_string(), request)
        };
        Ok(Item {
            place,
            row: json!(row.fields),
            slots: (0..self.n).map(slot).collect(),
        })
    }

    /// Settings of the chat template. Those of the row count more.
    fn template_kwargs(&self, row: &PromptRow) -> TemplateKwargs {
        self.drawing.template_kwargs.overlaid(&row.template_kwargs)
    }

    fn request(
        &self,
        messages: &[ChatMessage],
        template_kwargs: TemplateKwargs,
        before: u64,
        sample: u32,
    ) -> Request {
        // 31 bits, which every server takes.
        let mut first = [0; 4];
        let digest = Sha256::digest(json!([self.seed, messages, before, sample]).to_string());
        first.copy_from_slice(&digest[..4]);
        Request {
            messages: messages.to_vec(),
            sampling: self.sampling,
            sample,
            template: VERSION.to_owned(),
            task: Task::Answer,
            facts: None,
            drawing: Some(Drawing {
                template_kwargs,
                ..self.drawing.clone()
            }),
            seed: Some(u32::from_be_bytes(first) >> 1),
        }
    }

    /// Gives the row of each answer to `sink`, in the order of the samples.
    pub(super) fn rows(
        &self,
        store: &Store,
        mut item: Slot,
        mut sink: impl FnMut(&Value) -> Result<(), WorkError>,
    ) -> Result<Drawn, WorkError> {
        let mut drawn = Drawn::default();
        let number = |name: &str| name.parse().unwrap_or(u32::MAX);
        item.units.sort_by_key(|(name, _)| number(name));
        for (name, unit) in item.units {
            match store.outcome(unit)? {
                Outcome::Judged(Judgement::Answer(text)) => {
                    let raw = store.raw_reply(unit)?.unwrap_or_default();
                    sink(&row(item.row.clone(), number(&name), text, about(&raw)))?;
                }
                Outcome::Open => drawn.n_open += 1,
                Outcome::Judged(_) | Outcome::Failed(_) => drawn.n_failed += 1,
            }
        }
        Ok(drawn)
    }
}

/// The turns that a chat server gets. A text is one turn of the user.
fn messages(prompt: &Text) -> Result<Vec<ChatMessage>, String> {
    let turns = match prompt {
        Text::Plain(text) => return Ok(vec![ChatMessage::new(Role::User, text)]),
        Text::Conversation(turns) => turns,
    };
    let message = |turn: &pref_data::Message| {
        let role = match turn.role.as_str() {
            "system" => Role::System,
            "user" => Role::User,
            "assistant" => Role::Assistant,
            other => {
                return Err(format!(
                    "a turn has the role `{other}`; a server gets turns of system, user and assistant only"
                ));
            }
        };
        match turn.more.keys().next() {
            Some(name) => Err(format!(
                "a turn has the field `{name}`; a server gets `role` and `content` only"
            )),
            None => Ok(ChatMessage::new(role, &turn.content)),
        }
    };
    turns.iter().map(message).collect()
}

/// The output row of an answer. What the server does not say is left out.
fn row(mut row: Value, sample: u32, text: String, about: About) -> Value {
    row["response"] = json!(text);
    row["sample"] = json!(sample);
    if let Some(reasoning) = about.reasoning {
        row["reasoning"] = json!(reasoning);
    }
    if let Some(finish) = about.finish {
        row["finish_reason"] = json!(finish);
    }
    if let Some(n_tokens) = about.n_tokens {
        row["n_tokens"] = json!(n_tokens);
    }
    row
}
