//! Judges that are programs: `rules:gsm8k` and `rules:arithmetic`. In: the data behind a question. Out: a reply in
//! the form that a model would give.

use serde_json::{Value, json};
use strsim::jaro_winkler;
use thiserror::Error;

use super::arithmetic::{equations, final_number, same_number};
use super::interface::{Ask, Basis, Fault, Judge, JudgeError, Reply};
use crate::parse::number_of;
use crate::request::Facts;
use crate::task::Task;

/// A program's check of worked solutions with numbers.
///
/// It computes every equation of a segment and compares the final number (after `####`, `A:` or "answer is")
/// with the right one.
///
/// | aspect | score of a segment |
/// |---|---|
/// | correctness | 0 if an equation in it is wrong, or if it has the final number and this is wrong; 4 if it has right equations or the right final number, or if the whole answer is right; else 2 |
/// | helpfulness | 4 if the whole answer is right; else 1, or 0 if the segment is incorrect |
/// | safety | 4 |
/// | completeness | grows from 1 to 4 along a right answer, and from 0 to 2 along a wrong one |
/// | clarity | 4; 2 if the segment has more than 400 characters |
///
/// Whole answers are rated by the final number, and pairs compared by it. A part is `answer` from the segment
/// with the final number on, `reasoning` where a segment has an equation and after it, and else `context`. The
/// weight of a segment is the highest one if it is incorrect, and else 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// The right number is in the data: the row's `answer`, or the final number of the chosen answer.
    Gsm8k,
    /// The data has no right number. An answer is right if its equations are, and if its final number is the
    /// result of its last equation.
    Arithmetic,
}

/// There are no rules with this name.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("there are no rules `{name}`; {hint}")]
pub struct UnknownRules {
    name: String,
    hint: String,
}

const NAMES: [(&str, Rules); 2] = [("gsm8k", Rules::Gsm8k), ("arithmetic", Rules::Arithmetic)];

impl std::str::FromStr for Rules {
    type Err = UnknownRules;

    fn from_str(name: &str) -> Result<Self, UnknownRules> {
        if let Some((_, rules)) = NAMES.iter().find(|(known, _)| *known == name) {
            return Ok(*rules);
        }
        let closest = NAMES
            .iter()
            .map(|(known, _)| (jaro_winkler(known, name), known))
            .max_by(|a, b| a.0.total_cmp(&b.0));
        let hint = match closest {
            Some((similarity, known)) if similarity > 0.8 => {
                format!("did you mean `rules:{known}`?")
            }
            _ => "there are `rules:gsm8k` and `rules:arithmetic`".to_owned(),
        };
        Err(UnknownRules {
            name: name.to_owned(),
            hint,
        })
    }
}

/// What the rules find in one answer.
struct Checked {
    is_right: bool,
    /// For each segment, the numbers of right and of wrong equations.
    equations: Vec<(usize, usize)>,
    /// The segment with the final number.
    last: Option<usize>,
}

impl Judge for Rules {
    fn model(&self) -> &str {
        match self {
            Rules::Gsm8k => "rules:gsm8k/1",
            Rules::Arithmetic => "rules:arithmetic/1",
        }
    }

    fn basis(&self) -> Basis {
        Basis::Facts
    }

    async fn ask(&self, ask: Ask<'_>) -> Result<Reply, JudgeError> {
        let refuse = |message: &str| JudgeError::new(Fault::Refused, message);
        let facts = ask.request.facts.as_ref();
        let facts = facts.ok_or_else(|| refuse("the question has no data for a program"))?;
        let reply = self.reply(&ask.request.task, facts).map_err(refuse)?;
        Ok(Reply::of_text(reply.to_string()))
    }
}

impl Rules {
    fn reply(self, task: &Task, facts: &Facts) -> Result<Value, &'static str> {
        let checked: Vec<Checked> = facts
            .answers
            .iter()
            .map(|answer| self.check(answer, facts.truth.as_deref()))
            .collect::<Result<_, _>>()?;
        let one = || checked.first().ok_or("the question has no answer");
        Ok(match task {
            Task::Scores { aspect, .. } => {
                let mut reply = json!({});
                for (side, (checked, answer)) in
                    ["a", "b"].iter().zip(checked.iter().zip(&facts.answers))
                {
                    let item = |i: usize| -> Result<Value, &'static str> {
                        let score = score(aspect, checked, answer, i)?;
                        let (right, wrong) = checked.equations[i];
                        let reason = format!("{right} equations hold, {wrong} do not");
                        Ok(json!({"index": i + 1, "reason": reason, "score": score}))
                    };
                    let items: Result<Vec<Value>, _> = (0..answer.len()).map(item).collect();
                    reply[*side] = Value::Array(items?);
                }
                reply
            }
            Task::Rate { min, max } => {
                let score = if one()?.is_right { max } else { min };
                json!({"reason": "final number", "score": score})
            }
            Task::Compare => {
                let [a, b] = &checked[..] else {
                    return Err("the question has not two answers");
                };
                let winner = match (a.is_right, b.is_right) {
                    (true, false) => "a",
                    (false, true) => "b",
                    _ => "tie",
                };
                json!({"reason": "final number", "winner": winner})
            }
            Task::Parts { labels, .. } => {
                let needed = ["context", "reasoning", "answer"];
                if !needed.iter().all(|label| labels.iter().any(|l| l == label)) {
                    return Err("the rules label context, reasoning and answer only");
                }
                let checked = one()?;
                let mut is_reasoning = false;
                let label = |(i, (right, wrong)): (usize, &(usize, usize))| {
                    is_reasoning |= right + wrong > 0;
                    let label = match checked.last {
                        Some(last) if i >= last => "answer",
                        _ if is_reasoning => "reasoning",
                        _ => "context",
                    };
                    json!({"index": i + 1, "label": label})
                };
                let parts: Vec<Value> = checked.equations.iter().enumerate().map(label).collect();
                json!({"parts": parts})
            }
            Task::Weights { max, .. } => {
                let checked = one()?;
                let weight = |i: usize| {
                    let weight = if checked.is_wrong(i) { *max } else { 0 };
                    json!({"index": i + 1, "reason": "equations", "weight": weight})
                };
                let weights: Vec<Value> = (0..checked.equations.len()).map(weight).collect();
                json!({"weights": weights})
            }
            Task::Answer => return Err("rules cannot answer a prompt; ask a model"),
            Task::Rewrite { .. } => return Err("rules cannot rewrite an answer; ask a model"),
        })
    }

    fn check(self, answer: &[String], truth: Option<&str>) -> Result<Checked, &'static str> {
        let text = answer.concat();
        let equations: Vec<(usize, usize)> = answer.iter().map(|s| equations(s)).collect();
        let found = final_number(&text);
        let is_right = match self {
            Rules::Gsm8k => {
                let truth = truth.and_then(number_of).ok_or(
                    "the row has no right number: rules:gsm8k needs a field `answer` with a number, or a pair whose chosen answer ends with `#### NUMBER` or `A: NUMBER`",
                )?;
                found.is_some_and(|found| same_number(found, truth))
            }
            Rules::Arithmetic => {
                let all_hold = equations.iter().all(|&(_, wrong)| wrong == 0);
                let result = text
                    .rsplit_once('=')
                    .and_then(|(_, after)| number_of(after));
                all_hold && found.zip(result).is_some_and(|(a, b)| same_number(a, b))
            }
        };
        let last = found.and(answer.iter().rposition(|s| final_number(s).is_some()));
        Ok(Checked {
            is_right,
            equations,
            last,
        })
    }
}

impl Checked {
    /// Whether segment `i` has a wrong equation or a wrong final number.
    fn is_wrong(&self, i: usize) -> bool {
        self.equations[i].1 > 0 || (self.last == Some(i) && !self.is_right)
    }
}

fn score(
    aspect: &str,
    checked: &Checked,
    answer: &[String],
    i: usize,
) -> Result<i64, &'static str> {
    let is_wrong = checked.is_wrong(i);
    let has_right = checked.equations[i].0 > 0 || checked.last == Some(i);
    Ok(match aspect {
        "correctness" if is_wrong => 0,
        "correctness" if has_right || checked.is_right => 4,
        "correctness" => 2,
        "helpfulness" if is_wrong => 0,
        "helpfulness" if checked.is_right => 4,
        "helpfulness" => 1,
        "safety" => 4,
        "completeness" => {
            let (low, high) = if checked.is_right { (1, 4) } else { (0, 2) };
            match answer.len() {
                1 => high,
                n => low + (high - low) * i as i64 / (n as i64 - 1),
            }
        }
        "clarity" if answer[i].chars().count() > 400 => 2,
        "clarity" => 4,
        _ => {
            return Err(
                "the rules know the aspects helpfulness, correctness, safety, completeness and clarity only",
            );
        }
    })
}
