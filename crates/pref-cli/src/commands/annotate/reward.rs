//! A reward model as judge, `model:FOLDER`. In: the answers of a question, as in the row. Out: its scores, in the form in
//! which a model behind a server would reply.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use pref_annotate::{
    ASPECT_NAMES, Ask, Basis, Facts, Fault, Judge, JudgeError, Reply, Task as Asked,
};
use pref_data::{Annotation, Example, Message, Place, TemplateKwargs, Text, TokenizeOptions};
use pref_model::Kernels;
use pref_train::{TrainBackend, model_hash};
use serde_json::{Value, json};

use crate::device::{Device, Task};
use crate::model::model_folder;
use crate::scoring::{AnswerScorer, Kind};

/// Scores of answers, `[answers, segments or 1, scores]`.
trait Score: Send {
    fn kind(&self) -> Kind;
    fn scores(&self, answers: &[Example]) -> Result<Vec<Vec<Vec<f64>>>>;
}

impl<B: Kernels> Score for AnswerScorer<B> {
    fn kind(&self) -> Kind {
        self.kind
    }

    fn scores(&self, answers: &[Example]) -> Result<Vec<Vec<Vec<f64>>>> {
        AnswerScorer::scores(self, answers)
    }
}

/// A model, and what it said about the last answers. The questions about an answer, one for each aspect and order, follow
/// each other, so it is computed once.
struct State {
    model: Box<dyn Score>,
    known: HashMap<String, Vec<Vec<f64>>>,
}

/// Number of answers whose scores are kept.
const MOST_KNOWN: usize = 1024;

/// A reward model.
pub(crate) struct RewardJudge {
    name: String,
    kind: Kind,
    state: Mutex<State>,
}

struct Load<'a> {
    folder: &'a Path,
}

impl Task for Load<'_> {
    type Output = Box<dyn Score>;

    fn run<B: TrainBackend>(self, device: &B::Device) -> Result<Box<dyn Score>> {
        let options = TokenizeOptions::default();
        let scorer = AnswerScorer::<B::InnerBackend>::load(self.folder, &[], options, device)?;
        Ok(Box::new(scorer))
    }
}

impl RewardJudge {
    pub(super) fn load(folder: &Path, device: Device) -> Result<Self> {
        let folder = model_folder(folder)?;
        let model = device.run(Load { folder: &folder })?;
        let hash = model_hash(&folder)?;
        Ok(Self {
            name: format!("model:{}", &hash[..hash.len().min(16)]),
            kind: model.kind(),
            state: Mutex::new(State {
                model,
                known: HashMap::new(),
            }),
        })
    }

    /// The reply to a question.
    fn reply(&self, task: &Asked, facts: &Facts) -> Result<Value> {
        match (task, self.kind) {
            (Asked::Scores { aspect, .. }, Kind::Segments) => {
                let place = ASPECT_NAMES.iter().position(|name| name == aspect);
                let place = place.with_context(|| {
                    format!(
                        "a reward model scores {}, and not {aspect}",
                        ASPECT_NAMES.join(", ")
                    )
                })?;
                let mut reply = json!({});
                for (side, answer) in ["a", "b"].into_iter().zip(&facts.answers) {
                    let scores = self.of_answer(facts, answer)?;
                    ensure!(
                        scores.len() == answer.len(),
                        "the model scored {} of {} segments",
                        scores.len(),
                        answer.len()
                    );
                    let item = |(i, scores): (usize, &Vec<f64>)| {
                        // Training reads scores from 0 to 4.
                        let score = scores.get(place).map(|score| score.clamp(0.0, 4.0));
                        json!({"index": i + 1, "reason": "computed", "score": score})
                    };
                    reply[side] = scores.iter().enumerate().map(item).collect();
                }
                Ok(reply)
            }
            (Asked::Compare, Kind::Answers) => {
                let mut scores = Vec::new();
                for answer in &facts.answers {
                    let whole = self.of_answer(facts, answer)?;
                    scores.push(whole.first().and_then(|row| row.first()).copied());
                }
                let [Some(a), Some(b)] = scores[..] else {
                    anyhow::bail!("the question has not two answers");
                };
                let winner = match a.total_cmp(&b) {
                    std::cmp::Ordering::Greater => "a",
                    std::cmp::Ordering::Less => "b",
                    std::cmp::Ordering::Equal => "tie",
                };
                Ok(json!({"reason": format!("{a} and {b}"), "winner": winner}))
            }
            (_, Kind::Segments) => anyhow::bail!(
                "a reward model with five scores can only do `pref annotate scores`, and `rank` with work.by=scores"
            ),
            (_, Kind::Answers) => anyhow::bail!(
                "a reward model with one score can only do `pref annotate compare`, and `rank` with work.by=compare"
            ),
        }
    }

    fn of_answer(&self, facts: &Facts, segments: &[String]) -> Result<Vec<Vec<f64>>> {
        let key = json!([facts.row, segments]).to_string();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = state.known.get(&key) {
            return Ok(known.clone());
        }
        let answer = example(facts, segments)?;
        let scores = state.model.scores(&[answer])?;
        let scores = scores.into_iter().next().unwrap_or_default();
        if state.known.len() >= MOST_KNOWN {
            state.known.clear();
        }
        state.known.insert(key, scores.clone());
        Ok(scores)
    }
}

/// An answer of a question as the row had it.
fn example(facts: &Facts, segments: &[String]) -> Result<Example> {
    let row = facts.row.as_ref();
    let row = row.context("the question has no row; it was made for another judge")?;
    let field = |name: &str| row.get(name).cloned();
    let prompt: Text = serde_json::from_value(field("prompt").unwrap_or_default())?;
    let whole = segments.concat();
    let completion = match &prompt {
        Text::Plain(_) => Text::Plain(whole),
        Text::Conversation(_) => Text::Conversation(vec![Message::new("assistant", whole)]),
    };
    let kwargs = field("chat_template_kwargs").filter(|kwargs| !kwargs.is_null());
    let tools = field("tools").filter(|tools| !tools.is_null());
    Ok(Example {
        prompt,
        completion,
        label: None,
        tools: tools
            .map(serde_json::from_value)
            .transpose()?
            .unwrap_or_default(),
        template_kwargs: kwargs
            .map(serde_json::from_value::<TemplateKwargs>)
            .transpose()?
            .unwrap_or_default(),
        place: Place {
            file: None,
            line: 0,
        },
        annotation: Some(Box::new(Annotation {
            segments: Some(segments.to_vec()),
            ..Annotation::default()
        })),
        more: Default::default(),
    })
}

impl Judge for RewardJudge {
    fn model(&self) -> &str {
        &self.name
    }

    fn basis(&self) -> Basis {
        Basis::Rows
    }

    async fn ask(&self, ask: Ask<'_>) -> Result<Reply, JudgeError> {
        let refused = |message: String| JudgeError::new(Fault::Refused, message);
        let facts = ask.request.facts.as_ref();
        let facts = facts.ok_or_else(|| refused("the question has no data".to_owned()))?;
        let reply = self.reply(&ask.request.task, facts);
        let reply = reply.map_err(|error| refused(format!("{error:#}")))?;
        Ok(Reply::of_text(reply.to_string()))
    }
}
