//! The prompts of `pref sample`. In: rows of files. Out: ids, and the fields of the rows until all answers are there.

use std::collections::{HashMap, VecDeque};

use anyhow::{Context, Result, anyhow, bail};
use pref_data::{PromptRow, TemplateKwargs, Text, Tokenizer, read_prompts};
use pref_model::{Answer, GenerateError};
use pref_train::Ranks;
use serde_json::{Map, Value, json};

use super::args::{Args, Thinking, Thought};
use super::output::{Output, Place};
use crate::thought::with_empty_thought;

/// The fields of an output row that are not those of the input row.
const NEW_FIELDS: [&str; 5] = [
    "response",
    "sample",
    "thinking",
    "finish_reason",
    "n_tokens",
];

/// A prompt with the fields of its row.
pub(super) struct Row {
    pub(super) place: Place,
    pub(super) ids: Vec<u32>,
    /// A hash of the fields and the ids.
    pub(super) key: String,
    pub(super) fields: Map<String, Value>,
    /// The samples to draw.
    pub(super) missing: Vec<u64>,
    /// Where the row is in its file, for messages.
    at: String,
}

/// The prompts of a command.
pub(super) struct Prompts<'a> {
    args: &'a Args,
    tokenizer: &'a Tokenizer,
    rows: pref_data::Prompts,
    ranks: &'a dyn Ranks,
    n_rows: usize,
    /// Prompts of the last row that were not given so far.
    ready: VecDeque<Row>,
    /// Prompts whose answers are being drawn, by their number, with the number of answers that are missing.
    open: HashMap<u64, (Row, usize)>,
    rejects: Vec<anyhow::Error>,
}

impl<'a> Prompts<'a> {
    pub(super) fn open(
        args: &'a Args,
        tokenizer: &'a Tokenizer,
        ranks: &'a dyn Ranks,
    ) -> Result<Self> {
        let rows = read_prompts(std::slice::from_ref(&args.data), &args.rows.columns())?;
        Ok(Self {
            args,
            tokenizer,
            rows,
            ranks,
            n_rows: 0,
            ready: VecDeque::new(),
            open: HashMap::new(),
            rejects: Vec::new(),
        })
    }

    /// The next prompt of this rank with missing answers.
    pub(super) fn next_row(&mut self, output: &Output<'_>) -> Result<Option<Row>> {
        loop {
            if let Some(row) = self.ready.pop_front() {
                return Ok(Some(row));
            }
            let Some(row) = self.rows.next() else {
                return Ok(None);
            };
            let number = self.n_rows;
            self.n_rows += 1;
            if !self.ranks.owns(number) {
                continue;
            }
            let number = number as u64;
            match row.map_err(anyhow::Error::from) {
                Err(error) => self.reject(error)?,
                Ok(row) => match self.prompts(number, &row) {
                    Ok(rows) => {
                        for mut row in rows {
                            let missing = output.missing(row.place, &row.key, self.args.n);
                            row.missing = missing.with_context(|| row.at.clone())?;
                            if !row.missing.is_empty() {
                                self.ready.push_back(row);
                            }
                        }
                    }
                    Err(error) => self.reject(error)?,
                },
            }
        }
    }

    /// Keeps a row until its answers are there.
    pub(super) fn keep(&mut self, row: Row) {
        let n = row.missing.len();
        self.open.insert(row.place.key(), (row, n));
    }

    /// Handles a row that the model cannot continue.
    pub(super) fn refuse(&mut self, row: &Row, error: GenerateError) -> Result<()> {
        self.reject(anyhow!(error).context(row.at.clone()))
    }

    /// The row of an answer.
    pub(super) fn row_of(&self, answer: &Answer) -> Option<&Row> {
        self.open.get(&answer.row).map(|(row, _)| row)
    }

    /// Frees the row of an answer that was written, if it was the last one.
    pub(super) fn release(&mut self, answer: &Answer) {
        if let Some((_, n)) = self.open.get_mut(&answer.row) {
            *n -= 1;
            if *n == 0 {
                self.open.remove(&answer.row);
            }
        }
    }

    /// Reports the rows that were skipped, and gives the number of the others. All ranks call this together.
    pub(super) fn finish(&self, args: &Args) -> Result<usize> {
        let own: Vec<String> = self.rejects.iter().map(crate::progress::text_of).collect();
        let errors: Vec<String> = self.ranks.share(own)?.concat();
        if self.n_rows == errors.len() {
            let first = errors.first().map(|error| format!(": {error}"));
            bail!(
                "{} has no row with a prompt{}",
                args.data.display(),
                first.unwrap_or_default()
            );
        }
        args.rows.report_skipped(&errors)?;
        Ok(self.n_rows - errors.len())
    }

    fn reject(&mut self, error: anyhow::Error) -> Result<()> {
        self.rejects.push(self.args.rows.may_skip(error)?);
        Ok(())
    }

    /// The prompts of a row: one, or one with and one without thinking.
    fn prompts(&self, row: u64, prompt: &PromptRow) -> Result<Vec<Row>> {
        let at = prompt.place.to_string();
        if let Some(name) = NEW_FIELDS.iter().find(|name| {
            let is_written = **name != "thinking" || self.args.thinking.is_some();
            is_written && prompt.fields.contains_key(**name)
        }) {
            bail!(
                "{at}: the row has a field `{name}`, which the answers need; rename or remove it with `pref data map`"
            );
        }
        let thoughts: &[Option<Thought>] = match self.args.thinking {
            None => &[None],
            Some(Thinking::On) => &[Some(Thought::On)],
            Some(Thinking::Off) => &[Some(Thought::Off)],
            Some(Thinking::Both) => &[Some(Thought::On), Some(Thought::Off)],
        };
        let mut rows = Vec::new();
        for &thinking in thoughts {
            let is_off = thinking == Some(Thought::Off);
            let ids = self.ids(prompt, is_off).with_context(|| at.clone())?;
            let content = json!([prompt.fields, ids]).to_string();
            let key = format!("{:032x}", Text::Plain(content).key());
            rows.push(Row {
                place: Place { row, thinking },
                ids,
                key,
                fields: prompt.fields.clone(),
                missing: Vec::new(),
                at: at.clone(),
            });
        }
        Ok(rows)
    }

    fn ids(&self, row: &PromptRow, without_thinking: bool) -> Result<Vec<u32>> {
        let tokenizer = self.tokenizer;
        let with_thought = |text: &str| match without_thinking {
            false => text.to_owned(),
            true => with_empty_thought(text),
        };
        Ok(match &row.prompt {
            Text::Plain(text) => tokenizer.encode(&with_thought(text))?,
            Text::Conversation(turns) => {
                let none = TemplateKwargs::default();
                let kwargs = self.args.chat_template_kwargs.as_ref().unwrap_or(&none);
                let kwargs = kwargs.overlaid(&row.template_kwargs);
                let text = tokenizer.render_with(turns, &row.tools, &kwargs, true)?;
                tokenizer.encode_rendered(&with_thought(&text))?
            }
        })
    }
}
