//! A decoder in this process as judge, `local:FOLDER`. In: questions of many attempts. Out: replies, which are held to the
//! schema of the question while they are decoded.
//!
//! The decoder works in a thread of its own and continues all questions that wait together.

use std::collections::HashMap;
use std::path::Path;
use std::sync::mpsc;

use anyhow::{Context, Result};
use pref_annotate::{Ask, ChatMessage, Fault, Judge, JudgeError, Reply, Role, Sampling, Usage};
use pref_data::{Message, Tokenizer};
use pref_model::{Answer, Decoder, Finish, GenerateOptions, Prompt, Sampler};
use pref_train::{TrainBackend, model_hash};
use serde_json::Value;
use tokio::sync::oneshot;

use super::form::Forms;
use crate::device::{Device, Task};
use crate::model::ModelSource;
use crate::sampling::MOST_TEXTS;

/// A question on its way to the thread.
struct Question {
    messages: Vec<ChatMessage>,
    schema: Value,
    max_tokens: usize,
    /// Random numbers depend on the question and on nothing else.
    row: u64,
    sample: u64,
    reply: oneshot::Sender<Result<Reply, JudgeError>>,
}

/// A decoder in this process.
pub(crate) struct LocalJudge {
    name: String,
    questions: mpsc::Sender<Question>,
}

/// How the decoder draws.
#[derive(Clone, Copy, Debug)]
pub(super) struct LocalOptions {
    pub(super) sampling: Sampling,
    /// The longest reply of any question.
    pub(super) most_tokens: u32,
    /// Most questions that are continued together.
    pub(super) most_texts: usize,
}

impl LocalJudge {
    /// Loads the decoder of a folder.
    pub(super) fn load(folder: &Path, device: Device, options: LocalOptions) -> Result<Self> {
        let source = ModelSource::new(folder, None)?;
        let mut hash = model_hash(&source.folder)?;
        if let Some(adapter) = &source.adapter {
            hash = format!("{:.8}{:.8}", hash, model_hash(adapter)?);
        }
        let (questions, receiver) = mpsc::channel();
        let (ready, loaded) = mpsc::channel();
        std::thread::Builder::new()
            .name("judge".to_owned())
            .spawn(move || {
                let failed = ready.clone();
                let serve = Serve {
                    source,
                    options,
                    receiver,
                    ready,
                };
                if let Err(error) = device.run(serve) {
                    // Only loading fails: later errors are those of a question.
                    let _ = failed.send(Err(error));
                }
            })
            .context("cannot start the thread of the judge")?;
        loaded
            .recv()
            .context("the thread of the judge ended before the model was loaded")??;
        Ok(Self {
            name: format!("local:{:.16}", hash),
            questions,
        })
    }
}

impl Judge for LocalJudge {
    fn model(&self) -> &str {
        &self.name
    }

    async fn ask(&self, ask: Ask<'_>) -> Result<Reply, JudgeError> {
        let ended = || JudgeError::new(Fault::Fatal, "the thread of the judge has ended");
        let request = ask.request;
        let key = request.key(&self.name).0;
        let mut row = [0; 8];
        row.copy_from_slice(&key[..8]);
        let (reply, answer) = oneshot::channel();
        let schema = request.schema().ok_or_else(|| {
            let message = "this judge gives judgements only; `pref sample --model` draws answers of a decoder";
            JudgeError::new(Fault::Refused, message)
        })?;
        let question = Question {
            messages: request.messages.clone(),
            schema,
            max_tokens: ask.max_tokens as usize,
            row: u64::from_le_bytes(row),
            sample: u64::from(request.sample),
            reply,
        };
        self.questions.send(question).map_err(|_| ended())?;
        answer.await.map_err(|_| ended())?
    }
}

/// Loads a decoder and answers until the judge is dropped.
struct Serve {
    source: ModelSource,
    options: LocalOptions,
    receiver: mpsc::Receiver<Question>,
    ready: mpsc::Sender<Result<()>>,
}

impl Task for Serve {
    type Output = ();

    fn run<B: TrainBackend>(self, device: &B::Device) -> Result<()> {
        let tokenizer = Tokenizer::from_folder(&self.source.folder)?;
        let model: Decoder<B::InnerBackend> = self.source.load(&[], device)?;
        let model = model.merge_lora();
        let mut stop_ids = model.config().eos_token_ids().to_vec();
        stop_ids.extend(tokenizer.eos_id());
        let forms = Forms::new(&self.source.folder, &stop_ids)?;
        let options = GenerateOptions {
            max_new_tokens: self.options.most_tokens as usize,
            temperature: self.options.sampling.temperature,
            top_p: self.options.sampling.top_p,
            stop_ids,
            ..GenerateOptions::default()
        };
        let most = self.options.most_texts.clamp(1, MOST_TEXTS);
        let mut sampler = Sampler::new(&model, options, most)?;
        let mut open: HashMap<(u64, u64), (Question, u64)> = HashMap::new();
        let _ = self.ready.send(Ok(()));
        loop {
            if sampler.is_idle() {
                match self.receiver.recv() {
                    Ok(question) => begin(question, &tokenizer, &forms, &mut sampler, &mut open),
                    Err(_) => return Ok(()),
                }
            }
            while sampler.has_room() {
                let Ok(question) = self.receiver.try_recv() else {
                    break;
                };
                begin(question, &tokenizer, &forms, &mut sampler, &mut open);
            }
            match sampler.step() {
                Ok(answers) => {
                    for answer in answers {
                        if let Some((question, n)) = open.remove(&(answer.row, answer.sample)) {
                            let _ = question.reply.send(reply(&answer, n, &tokenizer));
                        }
                    }
                }
                Err(error) => {
                    // The texts of a failed step cannot go on.
                    for (_, (question, _)) in open.drain() {
                        let error = JudgeError::new(Fault::Fatal, error.to_string());
                        let _ = question.reply.send(Err(error));
                    }
                    return Ok(());
                }
            }
        }
    }
}

/// Gives a question to the sampler, or answers it with the reason why it cannot be asked.
fn begin<B: pref_model::Kernels>(
    question: Question,
    tokenizer: &Tokenizer,
    forms: &Forms,
    sampler: &mut Sampler<'_, B>,
    open: &mut HashMap<(u64, u64), (Question, u64)>,
) {
    let mut add = || -> Result<u64> {
        let ids = prompt(&question.messages, tokenizer)?;
        let n = ids.len() as u64;
        let guide = forms.guide(&question.schema, question.max_tokens)?;
        let prompt = Prompt {
            row: question.row,
            ids,
            samples: vec![question.sample],
        };
        sampler.add_guided(prompt, guide)?;
        Ok(n)
    };
    match add() {
        Ok(n) => {
            open.insert((question.row, question.sample), (question, n));
        }
        Err(error) => {
            let error = JudgeError::new(Fault::Refused, format!("{error:#}"));
            let _ = question.reply.send(Err(error));
        }
    }
}

/// The ids of a question.
fn prompt(messages: &[ChatMessage], tokenizer: &Tokenizer) -> Result<Vec<u32>> {
    let role = |role: Role| match role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    let turns: Vec<Message> = messages
        .iter()
        .map(|message| Message::new(role(message.role), &*message.content))
        .collect();
    let text = match tokenizer.apply_chat_template(&turns, true) {
        Ok(text) => text,
        // Some templates have no instructions. They become the beginning of the first question.
        Err(error) => match without_system(&turns) {
            Some(turns) => tokenizer.apply_chat_template(&turns, true)?,
            None => return Err(error.into()),
        },
    };
    Ok(tokenizer.encode_rendered(&text)?)
}

fn without_system(turns: &[Message]) -> Option<Vec<Message>> {
    let [system, first, rest @ ..] = turns else {
        return None;
    };
    if system.role != "system" {
        return None;
    }
    let content = format!("{}\n\n{}", system.content, first.content);
    let first = Message::new(first.role.clone(), content);
    Some(std::iter::once(first).chain(rest.iter().cloned()).collect())
}

fn reply(answer: &Answer, n_prompt: u64, tokenizer: &Tokenizer) -> Result<Reply, JudgeError> {
    let usage = Some(Usage {
        prompt: n_prompt,
        cached: 0,
        completion: answer.ids.len() as u64,
    });
    if answer.finish == Finish::Length {
        let mut error = JudgeError::new(Fault::Cut, "the limit of tokens cut the reply");
        error.usage = usage;
        return Err(error);
    }
    let text = tokenizer.decode(&answer.ids, true);
    let text = text.map_err(|error| JudgeError::new(Fault::Refused, error.to_string()))?;
    Ok(Reply {
        usage,
        ..Reply::of_text(text)
    })
}
