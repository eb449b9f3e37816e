//! A run through the batch interface of a server. In: open units. Out: batches, one after the other, until nothing is open.
//!
//! What a process before this one has sent is fetched first. Only what is missing then is sent.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::attempt::{cost_of, first_limit, last_limit, worst_case};
use super::decide::{Decision, History, decide, word};
use super::error::RunError;
use super::options::RunOptions;
use super::report::{End, Observer, RunProgress, RunReport};
use crate::judge::{Ask, ChatJudge, Fault, Judge, JudgeError, RemoteBatch, batch_line_of};
use crate::limits::pause;
use crate::request::Request;
use crate::store::{
    Batch, BatchAttempt, BatchResult, Batches, Cost, Ended, JobId, Reservation, Review, Store,
    UnitId,
};

/// Most questions of a batch. OpenAI takes 50,000; with fewer ones a file of replies fits into memory.
const MOST_QUESTIONS: usize = 10_000;

/// Most bytes of a file of questions.
const MOST_BYTES: usize = 100 << 20;

/// How often a wait looks for a request to stop.
const TICK: Duration = Duration::from_millis(50);

/// A run through the batch interface of a chat server.
#[derive(Debug)]
pub struct BatchRun<'a> {
    /// The server.
    pub judge: &'a ChatJudge,
    /// The store.
    pub store: &'a mut Store,
    /// The job whose open units are asked.
    pub job: JobId,
    /// How they are asked. Concurrency and rate have no effect.
    pub options: RunOptions,
    /// How often the server is asked for the state of a batch.
    pub poll: Duration,
    /// Set to true by the caller to stop. The batch goes on at the server, and the next run fetches it.
    pub stop: &'a AtomicBool,
}

/// A question's attempts in this run, and its limit of tokens.
type Tried = HashMap<UnitId, (History, u32)>;

/// The state of a run.
struct State<'o> {
    progress: RunProgress,
    started: Instant,
    tried: Tried,
    observer: &'o mut dyn Observer,
}

impl State<'_> {
    fn tell(&mut self) {
        self.progress.elapsed = self.started.elapsed();
        self.observer.progress(&self.progress);
    }
}

impl BatchRun<'_> {
    /// Asks all open units of the job. `review` reads the replies; its repairs are asked too.
    ///
    /// # Errors
    /// [`RunError`] if the store fails. Failures of the judge are in the store and in the report.
    pub async fn run(
        &mut self,
        review: impl Fn(&Request, &str, bool) -> Result<Review, RunError>,
        observer: &mut dyn Observer,
    ) -> Result<RunReport, RunError> {
        let mut batches = Batches::start(self.store)?;
        let mut state = State {
            progress: RunProgress::default(),
            started: Instant::now(),
            tried: HashMap::new(),
            observer,
        };
        let end = loop {
            let open = batches.open(self.judge.url(), self.judge.model())?;
            let mut end = None;
            for batch in open {
                end = self.finish(&mut batches, batch, &mut state).await?;
                if end.is_some() {
                    break;
                }
            }
            self.store.review(self.job, &review)?;
            if let Some(end) = end {
                break end;
            }
            let units: Vec<UnitId> = self
                .store
                .open_units(self.job)?
                .iter()
                .map(|u| u.unit)
                .collect();
            let done = state.progress.n_answered + state.progress.n_failed;
            state.progress.n_units = done + units.len() as u64;
            if units.is_empty() {
                break End::Complete;
            }
            if self.stop.load(Ordering::SeqCst) {
                break End::Stopped;
            }
            let reservations = self.reservations(&units, &state.tried)?;
            let put = batches.put(self.judge.url(), self.judge.model(), &reservations)?;
            match (put.batch, put.over_budget) {
                (Some(_), _) => {}
                (None, Some(message)) => break End::Budget { message },
                // Other processes have the rest.
                (None, None) => break End::Complete,
            }
        };
        state.progress.elapsed = state.started.elapsed();
        state.progress.in_flight = 0;
        Ok(RunReport {
            progress: state.progress,
            end,
        })
    }

    /// The first questions, as many as a batch may have.
    fn reservations(&self, units: &[UnitId], tried: &Tried) -> Result<Vec<Reservation>, RunError> {
        let mut reservations = Vec::new();
        let mut bytes = 0;
        for &unit in units.iter().take(MOST_QUESTIONS) {
            let request = self.store.request(unit)?;
            let usual = || first_limit(&request, &self.options);
            let max_tokens = tried
                .get(&unit)
                .map_or_else(usual, |(_, max_tokens)| *max_tokens);
            bytes += request
                .messages
                .iter()
                .map(|m| m.content.len() + 100)
                .sum::<usize>();
            if bytes > MOST_BYTES / 2 && !reservations.is_empty() {
                break;
            }
            reservations.push(Reservation {
                unit,
                max_tokens,
                worst: worst_case(&request, max_tokens, &self.options),
                limits: self.options.budget,
            });
        }
        Ok(reservations)
    }

    /// Brings a batch to its end, from wherever it is. None if the run can go on.
    async fn finish(
        &self,
        batches: &mut Batches,
        mut batch: Batch,
        state: &mut State<'_>,
    ) -> Result<Option<End>, RunError> {
        let attempts = batches.attempts(batch.id)?;
        state.progress.n_units = state
            .progress
            .n_units
            .max(state.progress.n_answered + state.progress.n_failed + attempts.len() as u64);
        state.progress.in_flight = attempts.len();
        state.progress.limit = attempts.len();
        let refused = |error: JudgeError| {
            Ok(Some(End::Refused {
                message: error.message,
            }))
        };
        if batch.file.is_none() && batch.remote.is_none() {
            let lines = self.lines(&attempts)?;
            match self
                .patiently(async || self.judge.upload(&lines).await)
                .await
            {
                Ok(file) => batch.file = Some(file),
                Err(error) => return refused(error),
            }
            batches.update(&batch)?;
        } else if batch.remote.is_none() {
            // A process before this one may have made the batch and not heard of it.
            let file = batch.file.clone().unwrap_or_default();
            match self
                .patiently(async || self.judge.find_batch(&file).await)
                .await
            {
                Ok(found) => batch.remote = found.map(|found| found.id),
                Err(error) => return refused(error),
            }
        }
        if let (None, Some(file)) = (&batch.remote, &batch.file) {
            match self.create(file).await {
                Ok(created) => batch.remote = Some(created.id),
                Err(error) => return refused(error),
            }
        }
        batches.update(&batch)?;
        let id = batch.remote.clone().unwrap_or_default();
        let ended = loop {
            let found = match self.patiently(async || self.judge.batch(&id).await).await {
                Ok(found) => found,
                Err(error) => return refused(error),
            };
            state.tell();
            if found.has_ended() {
                break found;
            }
            if !self.wait(self.poll).await {
                return Ok(Some(End::Stopped));
            }
        };
        let mut files = Vec::new();
        for file in &ended.files {
            match self.patiently(async || self.judge.file(file).await).await {
                Ok(text) => files.push(text),
                Err(error) => return refused(error),
            }
        }
        self.record(batches, &batch, &attempts, &ended, &files, state)
    }

    /// Makes a batch of a file. If it is not known whether the server has made it, the server is asked, so that no question is
    /// sent twice.
    async fn create(&self, file: &str) -> Result<RemoteBatch, JudgeError> {
        let mut n = 0;
        loop {
            let error = match self.judge.create_batch(file).await {
                Ok(batch) => return Ok(batch),
                Err(error) => error,
            };
            n += 1;
            if error.fault == Fault::Fatal || n >= self.options.retry.attempts {
                return Err(error);
            }
            tokio::time::sleep(pause(&self.options.retry, n, asked_wait(&error))).await;
            let found = self.patiently(async || self.judge.find_batch(file).await);
            if let Some(batch) = found.await? {
                return Ok(batch);
            }
        }
    }

    /// Sends a request that is no question, again after failures that pass.
    async fn patiently<T>(
        &self,
        mut send: impl AsyncFnMut() -> Result<T, JudgeError>,
    ) -> Result<T, JudgeError> {
        let mut n = 0;
        loop {
            let error = match send().await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            n += 1;
            if error.fault == Fault::Fatal || n >= self.options.retry.attempts {
                return Err(error);
            }
            tokio::time::sleep(pause(&self.options.retry, n, asked_wait(&error))).await;
        }
    }

    /// Waits. False if the caller asks to stop.
    async fn wait(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        while !self.stop.load(Ordering::SeqCst) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            tokio::time::sleep(left.min(TICK)).await;
        }
        false
    }

    fn lines(&self, attempts: &[BatchAttempt]) -> Result<String, RunError> {
        let mut lines = String::new();
        for attempt in attempts {
            let request = self.store.request(attempt.unit)?;
            let ask = Ask {
                request: &request,
                max_tokens: attempt.max_tokens,
            };
            lines.push_str(&self.judge.batch_line(&attempt.key, ask));
            lines.push('\n');
        }
        Ok(lines)
    }

    /// Records the results of a batch, all at once.
    fn record(
        &self,
        batches: &mut Batches,
        batch: &Batch,
        attempts: &[BatchAttempt],
        remote: &RemoteBatch,
        files: &[String],
        state: &mut State<'_>,
    ) -> Result<Option<End>, RunError> {
        let lines = files.iter().flat_map(|file| file.lines());
        let mut found: HashMap<String, Value> = lines.filter_map(batch_line_of).collect();
        let n_found = found.len();
        let mut end = None;
        let mut results: Vec<BatchResult> = Vec::with_capacity(attempts.len());
        let before = state.progress;
        for attempt in attempts {
            let request = self.store.request(attempt.unit)?;
            let line = found.remove(&attempt.key);
            let read = |line: &Value| self.judge.read_batch_line(line, &request.task);
            let ended = match line.as_ref().map(read) {
                Some(Ok(reply)) => {
                    let cost = reply.usage.map(|usage| self.options.prices.cost(usage));
                    state.progress.n_answered += 1;
                    (cost, Ended::Answered(Box::new(reply)))
                }
                Some(Err(error)) => self.after_error(attempt, &request, &error, state, &mut end),
                // The server did not ask it, so it costs nothing.
                None => {
                    let message = format!("the batch is {} without this question", remote.status);
                    let outcome = "not in batch";
                    (Some(Cost::default()), Ended::Open { outcome, message })
                }
            };
            count(&mut state.progress, ended.0);
            results.push((attempt.attempt, ended.0, ended.1));
        }
        let recorded = batches.end(batch.id, &results)?;
        if recorded.len() < results.len() {
            // Another process has recorded them, and counts them.
            state.progress = before;
        }
        state.progress.in_flight = 0;
        state.tell();
        if end.is_none() && n_found == 0 && !attempts.is_empty() {
            let errors = match remote.errors.is_empty() {
                true => String::new(),
                false => format!(": {}", remote.errors),
            };
            let message = format!(
                "batch {} is {} without a reply{errors}",
                remote.id, remote.status
            );
            end = Some(End::Refused { message });
        }
        Ok(end)
    }

    /// What follows from an error in a batch.
    fn after_error(
        &self,
        attempt: &BatchAttempt,
        request: &Request,
        error: &JudgeError,
        state: &mut State<'_>,
        end: &mut Option<End>,
    ) -> (Option<Cost>, Ended) {
        let tried = state.tried.entry(attempt.unit);
        let (history, max_tokens) = tried.or_insert((History::default(), attempt.max_tokens));
        let (most, retry) = (last_limit(request, &self.options), &self.options.retry);
        let outcome = word(error.fault);
        let ended = match decide(error, history, *max_tokens, most, retry) {
            Decision::Again {
                max_tokens: next, ..
            } => {
                *max_tokens = next;
                let message = error.message.clone();
                Ended::Open { outcome, message }
            }
            Decision::Fail { outcome, message } => {
                state.progress.n_failed += 1;
                Ended::Failed { outcome, message }
            }
            Decision::End { message } => {
                *end = Some(End::Refused {
                    message: message.clone(),
                });
                Ended::Open { outcome, message }
            }
        };
        (cost_of(error, &self.options), ended)
    }
}

/// How long the server asks to wait.
fn asked_wait(error: &JudgeError) -> Option<Duration> {
    match error.fault {
        Fault::Busy { wait } => wait,
        _ => None,
    }
}

fn count(progress: &mut RunProgress, cost: Option<Cost>) {
    let cost = cost.unwrap_or_default();
    progress.n_requests += 1;
    progress.prompt += cost.usage.prompt;
    progress.cached += cost.usage.cached;
    progress.completion += cost.usage.completion;
    progress.money += cost.money;
}
