//! Finds prompt and answers of a row, according to the shape of the row. In: the fields of a row.
//! Out: three texts, or an error that names the field.

use serde_json::Value;

use super::source_row::{SourceRow, kind};
use crate::read::error::ReadError;
use crate::text::{Message, Text};

impl SourceRow {
    /// Prompt, chosen and rejected of a row that has all three. In UltraFeedback the prompt is a text, and
    /// the answers are conversations that begin with it; the prompt is then the messages that both begin
    /// with.
    pub(super) fn prompt_and_answers(&self) -> Result<(Text, Text, Text), ReadError> {
        let texts = ["prompt", "chosen", "rejected"].map(|field| self.text(field));
        let [prompt, chosen, rejected] = texts;
        match (prompt?, chosen?, rejected?) {
            (Text::Plain(prompt), Text::Conversation(w), Text::Conversation(l)) => {
                let (shared, w, l) = divide_at_difference(&w, &l);
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

    /// Prompt, chosen and rejected of two texts that begin with the prompt. As in TRL, the prompt ends at
    /// the first difference; a space before the difference belongs to the answers.
    pub(super) fn split_prompt(&self) -> Result<(Text, Text, Text), ReadError> {
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
                let (shared, w, l) = divide_at_difference(&w, &l);
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

    /// Prompt, chosen and rejected of several rated answers: the best and the worst one. Among
    /// equally rated answers, the first one is taken.
    pub(super) fn best_and_worst(&self) -> Result<(Text, Text, Text), ReadError> {
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
}

/// The messages that two conversations begin with, and the rest of each.
fn divide_at_difference<'a>(
    chosen: &'a [Message],
    rejected: &'a [Message],
) -> (&'a [Message], &'a [Message], &'a [Message]) {
    let same = chosen.iter().zip(rejected).take_while(|(a, b)| a == b);
    let at = same.count();
    (&chosen[..at], &chosen[at..], &rejected[at..])
}
