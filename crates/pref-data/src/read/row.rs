//! From a row to a pair. In: a JSON object, in one of the shapes that preference data comes in.
//! Out: a [`Pair`], or an error that names file, line and field.

use serde_json::{Map, Value};

use super::error::ReadError;
use super::shape::Shape;
use super::source::SourceRow;
use crate::annotation::{ASPECTS, Annotation};
use crate::pair::{Example, Message, Pair, Text};
use crate::template::TemplateKwargs;

/// Every field that a row may have under its own name.
pub(super) const FIELDS: [&str; 23] = [
    "prompt",
    "chosen",
    "rejected",
    "conversations",
    "responses",
    "ratings",
    "response",
    "rating",
    "helpfulness",
    "completion",
    "label",
    "tools",
    "chat_template_kwargs",
    "chosen_segments",
    "chosen_scores",
    "chosen_parts",
    "chosen_weights",
    "chosen_importance",
    "rejected_segments",
    "rejected_scores",
    "rejected_parts",
    "rejected_weights",
    "rejected_importance",
];

impl SourceRow {
    /// The row's pair, with the fields that nobody knows.
    pub(super) fn pair(self, shape: Shape) -> Result<Pair, ReadError> {
        let (prompt, chosen, rejected) = match shape {
            Shape::Pairs => self.prompt_and_answers()?,
            Shape::ShareGpt => (
                self.text("conversations")?,
                self.text("chosen")?,
                self.text("rejected")?,
            ),
            Shape::ImplicitPrompt => self.split_prompt()?,
            // rows of one prompt are put together before
            Shape::Rated | Shape::RatedRows | Shape::HelpSteer => self.best_and_worst()?,
            Shape::Unpaired => {
                return Err(ReadError::Unpaired {
                    path: self.path.to_path_buf(),
                    line: self.line,
                });
            }
        };
        let mut pair = Pair::new(prompt, chosen, rejected, self.place());
        let texts = [
            ("prompt", &pair.prompt),
            ("chosen", &pair.chosen),
            ("rejected", &pair.rejected),
        ];
        // what two answers share may have become their prompt, and left nothing of either
        let is_absent = pair.chosen == Text::Plain(String::new());
        if pair.chosen == pair.rejected && (shape == Shape::ImplicitPrompt || !is_absent) {
            return Err(ReadError::NoPreference {
                path: self.path.to_path_buf(),
                line: self.line,
            });
        }
        self.check_texts(texts)?;
        pair.tools = self.tools()?;
        pair.template_kwargs = self.template_kwargs()?;
        pair.annotations = [self.annotation("chosen")?, self.annotation("rejected")?];
        pair.more = self.others(shape);
        Ok(pair)
    }

    /// The fields that a row of this shape is not made of.
    fn others(self, shape: Shape) -> Map<String, Value> {
        const ANY: [&str; 3] = ["prompt", "tools", "chat_template_kwargs"];
        let is_read = |field: &str| match shape {
            _ if ANY.contains(&field) => true,
            Shape::Unpaired => ["completion", "label"].contains(&field),
            Shape::ShareGpt if field == "conversations" => true,
            Shape::Rated | Shape::RatedRows | Shape::HelpSteer
                if ["responses", "ratings"].contains(&field) =>
            {
                true
            }
            Shape::Pairs
            | Shape::ImplicitPrompt
            | Shape::ShareGpt
            | Shape::Rated
            | Shape::RatedRows
            | Shape::HelpSteer => ["chosen", "rejected"].contains(&field) || is_annotation(field),
        };
        let mut others = self.object;
        others.retain(|field, _| !is_read(field));
        others
    }

    /// The three texts; of a prompt that is a text beside conversations, as UltraFeedback has it,
    /// the messages that both answers begin with.
    fn prompt_and_answers(&self) -> Result<(Text, Text, Text), ReadError> {
        let texts = ["prompt", "chosen", "rejected"].map(|field| self.text(field));
        let [prompt, chosen, rejected] = texts;
        match (prompt?, chosen?, rejected?) {
            (Text::Plain(prompt), Text::Conversation(w), Text::Conversation(l)) => {
                let (shared, w, l) = divided(&w, &l);
                let is_prompt =
                    |turn: &Message| turn.role == "user" && turn.content.trim() == prompt.trim();
                if !shared.iter().any(is_prompt) {
                    const PROMPT: &str = "a list of messages, as `chosen` is, or the text of the user's message that both `chosen` and `rejected` begin with";
                    return Err(self.wrong_type("prompt".to_owned(), PROMPT, "another text"));
                }
                Ok((shared.into(), w.into(), l.into()))
            }
            texts => Ok(texts),
        }
    }

    /// The row's single answer.
    pub(super) fn example(self) -> Result<Example, ReadError> {
        const LABEL: &str = "true or false, or 1 or 0";
        let desirable = match self.object.get("label") {
            None => return Err(self.missing("label")),
            Some(Value::Null) => return Err(self.null("label")),
            Some(Value::Bool(label)) => *label,
            Some(Value::Number(label)) if label.as_f64() == Some(1.0) => true,
            Some(Value::Number(label)) if label.as_f64() == Some(0.0) => false,
            Some(Value::String(label)) if label.eq_ignore_ascii_case("true") => true,
            Some(Value::String(label)) if label.eq_ignore_ascii_case("false") => false,
            Some(other) => return Err(self.wrong_type("label".to_owned(), LABEL, kind(other))),
        };
        let mut example = Example {
            prompt: self.text("prompt")?,
            completion: self.text("completion")?,
            desirable,
            tools: self.tools()?,
            template_kwargs: self.template_kwargs()?,
            place: self.place(),
            more: Map::new(),
        };
        self.check_texts([
            ("prompt", &example.prompt),
            ("completion", &example.completion),
        ])?;
        example.more = self.others(Shape::Unpaired);
        Ok(example)
    }

    /// Refuses empty texts, and strings beside conversations. The prompt is the first.
    fn check_texts<const N: usize>(
        &self,
        texts: [(&'static str, &Text); N],
    ) -> Result<(), ReadError> {
        let is_plain = |text: &Text| matches!(text, Text::Plain(_));
        for (field, text) in texts {
            if text.is_empty() {
                return Err(ReadError::Empty {
                    path: self.path.to_path_buf(),
                    line: self.line,
                    field,
                });
            }
            if is_plain(text) != is_plain(texts[0].1) {
                let (expected, found) = match is_plain(text) {
                    true => ("a list of messages, as `prompt` is", "a string"),
                    false => ("a string, as `prompt` is", "a list"),
                };
                return Err(self.wrong_type(field.to_owned(), expected, found));
            }
        }
        Ok(())
    }

    /// Prompt and answers of two texts that begin alike, as TRL divides them: at the first
    /// difference, a space before it belonging to the answers.
    fn split_prompt(&self) -> Result<(Text, Text, Text), ReadError> {
        match (self.text("chosen")?, self.text("rejected")?) {
            (Text::Plain(w), Text::Plain(l)) => {
                let same = w.char_indices().zip(l.chars());
                let mut at = same
                    .take_while(|((_, a), b)| a == b)
                    .last()
                    .map_or(0, |((at, c), _)| at + c.len_utf8());
                if w[..at].ends_with(' ') {
                    at -= 1;
                }
                let plain = |text: &str| Text::Plain(text.to_owned());
                Ok((plain(&w[..at]), plain(&w[at..]), plain(&l[at..])))
            }
            (Text::Conversation(w), Text::Conversation(l)) => {
                let (shared, w, l) = divided(&w, &l);
                Ok((shared.into(), w.into(), l.into()))
            }
            (Text::Plain(_), Text::Conversation(_)) => {
                Err(self.wrong_type("rejected".to_owned(), "a string, as `chosen` is", "a list"))
            }
            (Text::Conversation(_), Text::Plain(_)) => Err(self.wrong_type(
                "rejected".to_owned(),
                "a list of messages, as `chosen` is",
                "a string",
            )),
        }
    }

    /// The best and the worst of several rated answers, the first of equals.
    fn best_and_worst(&self) -> Result<(Text, Text, Text), ReadError> {
        const LISTS: &str = "a list of answers, with one number each in `ratings`";
        let list = |field: &'static str| match self.object.get(field) {
            Some(Value::Array(list)) => Ok(list),
            Some(Value::Null) => Err(self.null(field)),
            Some(other) => Err(self.wrong_type(field.to_owned(), LISTS, kind(other))),
            None => Err(self.missing(field)),
        };
        let (responses, ratings) = (list("responses")?, list("ratings")?);
        if responses.len() != ratings.len() || responses.len() < 2 {
            return Err(self.wrong_type(
                "ratings".to_owned(),
                "as long as `responses`, at least 2",
                "a list of another length",
            ));
        }
        let ratings = self.numbers("ratings", ratings)?;
        let (mut best, mut worst) = (0, 0);
        for (i, &rating) in ratings.iter().enumerate() {
            if rating > ratings[best] {
                best = i;
            }
            if rating < ratings[worst] {
                worst = i;
            }
        }
        if best == worst {
            return Err(ReadError::Tied {
                path: self.path.to_path_buf(),
                line: self.line,
                rating: ratings[0],
            });
        }
        let answer = |i: usize| self.text_of(&responses[i], &format!("responses[{i}]"));
        Ok((self.text("prompt")?, answer(best)?, answer(worst)?))
    }

    fn annotation(&self, side: &str) -> Result<Option<Box<Annotation>>, ReadError> {
        let list = |name: &str| {
            let field = format!("{side}_{name}");
            match self.object.get(&field) {
                None | Some(Value::Null) => Ok(None),
                Some(Value::Array(list)) => Ok(Some((field, list))),
                Some(other) => Err(self.wrong_type(field, "a list", kind(other))),
            }
        };
        let mut found = Annotation::default();
        if let Some((field, list)) = list("segments")? {
            let texts = list.iter().enumerate().map(|(i, entry)| match entry {
                Value::String(text) => Ok(text.clone()),
                other => Err(self.wrong_type(format!("{field}[{i}]"), "a string", kind(other))),
            });
            found.segments = Some(texts.collect::<Result<_, _>>()?);
        }
        if let Some((field, list)) = list("scores")? {
            const ROW: &str =
                "five scores from 0 to 4: helpfulness, correctness, safety, completeness, clarity";
            let rows = list.iter().enumerate().map(|(i, entry)| {
                let at = format!("{field}[{i}]");
                let Value::Array(row) = entry else {
                    return Err(self.wrong_type(at, ROW, kind(entry)));
                };
                let row = self.numbers(&at, row)?;
                let row = <[f64; ASPECTS]>::try_from(row);
                let in_range = row
                    .ok()
                    .filter(|r| r.iter().all(|s| (0.0..=4.0).contains(s)));
                in_range.ok_or_else(|| self.wrong_type(at, ROW, "other numbers"))
            });
            found.scores = Some(rows.collect::<Result<_, _>>()?);
        }
        if let Some((field, list)) = list("parts")? {
            const PART: &str = "an object with the strings `label` and `text`";
            let parts = list.iter().enumerate().map(|(i, entry)| {
                let part = |key: &str| Some(entry.get(key)?.as_str()?.to_owned());
                part("label")
                    .zip(part("text"))
                    .ok_or_else(|| self.wrong_type(format!("{field}[{i}]"), PART, kind(entry)))
            });
            found.parts = Some(parts.collect::<Result<_, _>>()?);
        }
        if let Some((field, list)) = list("weights")? {
            found.weights = Some(self.numbers(&field, list)?);
        }
        if let Some((field, list)) = list("importance")? {
            let values = self.numbers(&field, list)?;
            if let Some(i) = values.iter().position(|v| !(0.0..=1.0).contains(v)) {
                let at = format!("{field}[{i}]");
                return Err(self.wrong_type(at, "a number from 0 to 1", "another number"));
            }
            found.importance = Some(values);
        }
        let is_empty = found == Annotation::default();
        Ok((!is_empty).then(|| Box::new(found)))
    }

    fn numbers(&self, field: &str, list: &[Value]) -> Result<Vec<f64>, ReadError> {
        let number = |(i, value): (usize, &Value)| {
            let number = value.as_f64();
            number.ok_or_else(|| self.wrong_type(format!("{field}[{i}]"), "a number", kind(value)))
        };
        list.iter().enumerate().map(number).collect()
    }

    /// Schemas of functions: a list, or a string that holds one, as some tables do.
    fn tools(&self) -> Result<Vec<Value>, ReadError> {
        const TOOLS: &str = "a list of functions as JSON schemas";
        let parsed = match self.object.get("tools") {
            None | Some(Value::Null) => return Ok(Vec::new()),
            Some(Value::String(text)) => serde_json::from_str(text).unwrap_or_default(),
            Some(other) => other.clone(),
        };
        match parsed {
            Value::Array(tools) => Ok(tools),
            other => Err(self.wrong_type("tools".to_owned(), TOOLS, kind(&other))),
        }
    }

    /// Settings of the chat template: an object, or a string that holds one.
    fn template_kwargs(&self) -> Result<TemplateKwargs, ReadError> {
        const KWARGS: &str = "an object of settings of the chat template, without `messages` and `add_generation_prompt`";
        let value = match self.object.get("chat_template_kwargs") {
            None | Some(Value::Null) => return Ok(TemplateKwargs::default()),
            Some(Value::String(text)) => serde_json::from_str(text).unwrap_or_default(),
            Some(value) => value.clone(),
        };
        let found = kind(&value);
        serde_json::from_value(value)
            .map_err(|_| self.wrong_type("chat_template_kwargs".to_owned(), KWARGS, found))
    }

    pub(super) fn missing(&self, field: &'static str) -> ReadError {
        missing(self, field)
    }

    pub(super) fn null(&self, field: &'static str) -> ReadError {
        ReadError::Null {
            path: self.path.to_path_buf(),
            line: self.line,
            field,
        }
    }

    /// What keeps a row from having a shape.
    pub(super) fn shapeless(&self) -> ReadError {
        const NEEDED: [&str; 3] = ["prompt", "chosen", "rejected"];
        let value = |field: &&str| self.object.get(*field);
        match NEEDED
            .into_iter()
            .find(|f| value(f).is_none_or(Value::is_null))
        {
            Some(field) if value(&field).is_some() => self.null(field),
            Some(field) => self.missing(field),
            None => self.missing("chosen"),
        }
    }

    pub(super) fn wrong_type(
        &self,
        field: String,
        expected: &'static str,
        found: &'static str,
    ) -> ReadError {
        ReadError::WrongType {
            path: self.path.to_path_buf(),
            line: self.line,
            field,
            expected,
            found,
        }
    }
}

/// The messages that two conversations begin with, and what follows in each.
fn divided<'a>(
    chosen: &'a [Message],
    rejected: &'a [Message],
) -> (&'a [Message], &'a [Message], &'a [Message]) {
    let same = chosen.iter().zip(rejected).take_while(|(a, b)| a == b);
    let at = same.count();
    (&chosen[..at], &chosen[at..], &rejected[at..])
}

/// Whether a field says something of an answer, as `chosen_weights` does.
fn is_annotation(field: &str) -> bool {
    let sides = ["chosen_", "rejected_"];
    FIELDS.contains(&field) && sides.iter().any(|side| field.starts_with(side))
}

fn missing(row: &SourceRow, field: &'static str) -> ReadError {
    let names: Vec<&str> = row.object.keys().map(String::as_str).collect();
    let nearest = names
        .iter()
        .filter(|name| !FIELDS.contains(name))
        .map(|name| (strsim::jaro_winkler(name, field), name))
        .filter(|(similarity, _)| *similarity > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    ReadError::MissingField {
        path: row.path.to_path_buf(),
        line: row.line,
        field,
        found: match names.is_empty() {
            true => "no field".to_owned(),
            false => names.join(", "),
        },
        suggestion: match nearest {
            Some((_, name)) => format!("; is `{name}` meant?"),
            None => "; a column of another name can be mapped onto a field".to_owned(),
        },
    }
}

pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// The object with its columns under the fields' names.
pub(super) fn renamed(
    object: Map<String, Value>,
    columns: &std::collections::BTreeMap<String, String>,
) -> Map<String, Value> {
    if columns.is_empty() {
        return object;
    }
    // a mapped field hides a column of the same name
    let taken = |name: &str| columns.contains_key(name);
    let new_name = |name: String| {
        let field = columns.iter().find(|(_, from)| **from == name);
        match field {
            Some((field, _)) => Some(field.clone()),
            None if taken(&name) => None,
            None => Some(name),
        }
    };
    let entries = object.into_iter();
    entries
        .filter_map(|(name, value)| Some((new_name(name)?, value)))
        .collect()
}
