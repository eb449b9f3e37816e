//! The loop of a run. In: open units. Out: attempts, as many at a time as the limits allow, until nothing is open.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::stream::{FuturesUnordered, StreamExt};

use super::attempt::{Asked, Done, Next, Shared, attempt, first_limit, worst_case};
use super::decide::History;
use super::error::RunError;
use super::gate::Gate;
use super::options::RunOptions;
use super::queue::{Entry, Queue};
use super::report::{End, Observer, RunProgress, RunReport};
use crate::judge::Judge;
use crate::limits::{Admission, Concurrency, Rate, RateOptions};
use crate::request::Request;
use crate::store::{JobId, Progress, Review, Store, UnitId, Writer};

/// What a run needs.
#[derive(Debug)]
pub struct Run<'a, J> {
    /// Who is asked.
    pub judge: &'a J,
    /// The store.
    pub store: &'a Store,
    /// The job whose open units are asked.
    pub job: JobId,
    /// How they are asked.
    pub options: RunOptions,
    /// Set to true by the caller to stop. What is on its way is awaited.
    pub stop: &'a AtomicBool,
}

/// Failures to connect in a row that end a run.
const MOST_UNREACHABLE: u32 = 10;

/// How long a unit of another process is left alone.
const TAKEN_PAUSE: Duration = Duration::from_millis(300);

/// Most attempts that are reserved while others wait for the judge.
const MOST_AHEAD: usize = 64;

/// Number of questions that are read from the store together.
const READ_TOGETHER: usize = 64;

/// How often the loop looks for a request to stop.
const TICK: Duration = Duration::from_millis(50);

/// The state of the loop.
struct State {
    queue: Queue,
    /// Questions of units that are still in the queue.
    read: HashMap<UnitId, Request>,
    concurrency: Concurrency,
    rate: Rate,
    progress: RunProgress,
    started: Instant,
    /// Nothing is sent before this time.
    paused_until: Option<Instant>,
    /// Set while the budget leaves no room for the next request.
    over_budget: Option<String>,
    end: Option<End>,
    n_unreachable: u32,
}

impl<J: Judge> Run<'_, J> {
    /// Asks all open units of the job. `review` reads each reply; its repairs are asked too.
    ///
    /// # Errors
    /// [`RunError`] if the store fails. Failures of the judge are in the store and in the report.
    pub async fn run(
        &self,
        review: impl Fn(&Request, &str, bool) -> Result<Review, RunError>,
        observer: &mut dyn Observer,
    ) -> Result<RunReport, RunError> {
        let writer = Writer::start(self.store)?;
        let units = self.store.open_units(self.job)?;
        let mut state = State {
            progress: RunProgress {
                n_units: units.len() as u64,
                ..RunProgress::default()
            },
            queue: Queue::new(units),
            read: HashMap::new(),
            concurrency: Concurrency::new(&self.options.concurrency),
            rate: Rate::new(&self.options.rate),
            started: Instant::now(),
            paused_until: None,
            over_budget: None,
            end: None,
            n_unreachable: 0,
        };
        let shared = Shared {
            judge: self.judge,
            writer: &writer,
            options: &self.options,
            review,
            gate: Gate::default(),
        };
        let gate = &shared.gate;
        let mut attempts = FuturesUnordered::new();
        loop {
            if self.stop.load(Ordering::SeqCst) && state.end.is_none() {
                state.end = Some(End::Stopped);
            }
            let mut wake = Instant::now() + TICK;
            let limit = state.concurrency.limit();
            if state
                .paused_until
                .is_some_and(|until| until <= Instant::now())
            {
                state.paused_until = None;
            }
            while state.end.is_none() && gate.n_started() < limit + self.n_ahead(limit) {
                match self.next(&mut state, &mut wake)? {
                    Some(asked) => attempts.push(attempt(&shared, asked, gate.start())),
                    None => break,
                }
            }
            match (&state.end, state.paused_until) {
                (Some(_), _) => gate.close(),
                (None, Some(until)) => {
                    wake = until.min(wake);
                    gate.set_limit(0);
                }
                (None, None) => gate.set_limit(limit),
            }
            if attempts.is_empty() {
                if let Some(message) = state.over_budget.take() {
                    state.end = Some(End::Budget { message });
                }
                if state.end.is_some() || state.queue.is_empty() {
                    break;
                }
            }
            tokio::select! {
                Some(done) = attempts.next(), if !attempts.is_empty() => {
                    end_attempt(&mut state, done?);
                    state.progress.in_flight = gate.n_sent();
                    state.progress.limit = state.concurrency.limit();
                    state.progress.elapsed = state.started.elapsed();
                    observer.progress(&state.progress);
                }
                () = gate.answered() => {}
                () = tokio::time::sleep_until(wake.into()) => {}
            }
        }
        drop(attempts);
        drop(shared);
        writer.finish()?;
        state.progress.elapsed = state.started.elapsed();
        state.progress.in_flight = 0;
        Ok(RunReport {
            progress: state.progress,
            end: state.end.unwrap_or(End::Complete),
        })
    }

    /// How many attempts are reserved while others wait for the judge. None if the rate is limited: the rate counts an
    /// attempt when it is started, which then has to be when it is sent.
    fn n_ahead(&self, limit: usize) -> usize {
        match self.options.rate == RateOptions::default() {
            true => limit.min(MOST_AHEAD),
            false => 0,
        }
    }

    /// The question of a unit. Those of the next units are read with it.
    fn request(&self, state: &mut State, unit: UnitId) -> Result<Request, RunError> {
        if let Some(request) = state.read.remove(&unit) {
            return Ok(request);
        }
        let mut units = state.queue.next_fresh(READ_TOGETHER);
        units.retain(|next| !state.read.contains_key(next));
        let next = self.store.requests(&units)?;
        state.read.extend(units.into_iter().zip(next));
        Ok(self.store.request(unit)?)
    }

    /// The next unit to send, or none if the limits or the queue have none now. `wake` is set to the time at which
    /// there may be one.
    fn next(&self, state: &mut State, wake: &mut Instant) -> Result<Option<Asked>, RunError> {
        let now = Instant::now();
        if state.paused_until.is_some() || state.over_budget.is_some() {
            return Ok(None);
        }
        let Some(entry) = state.queue.pop(now) else {
            if let Some(at) = state.queue.next_time() {
                *wake = at.min(*wake);
            }
            return Ok(None);
        };
        let mut asked = match entry {
            Entry::Again(asked) => *asked,
            Entry::Fresh(Progress { unit, prefix }) => {
                let request = self.request(state, unit)?;
                Asked {
                    unit,
                    prefix,
                    max_tokens: first_limit(&request, &self.options),
                    request,
                    history: History::default(),
                    ticket: 0,
                }
            }
        };
        let worst = worst_case(&asked.request, asked.max_tokens, &self.options);
        match state.rate.admission(worst.tokens, now) {
            Admission::Now => {
                asked.ticket = state.rate.send(worst.tokens, now);
                Ok(Some(asked))
            }
            Admission::At(at) => {
                *wake = at.min(*wake);
                state.queue.put_back(asked, now);
                Ok(None)
            }
            Admission::Never => {
                state.end = Some(End::Refused {
                    message: format!(
                        "a request may need {} tokens, which is more than rate.tokens-per-minute; raise it, or lower request.max-tokens",
                        worst.tokens
                    ),
                });
                Ok(None)
            }
        }
    }
}

/// Takes note of the end of an attempt.
fn end_attempt(state: &mut State, done: Done) {
    let now = Instant::now();
    let Done {
        asked,
        next,
        cost,
        worst,
        sent,
        busy,
        is_unreachable,
        in_flight,
    } = done;
    let was_sent = !matches!(
        next,
        Next::Taken | Next::Settled | Next::OverBudget(_) | Next::Unsent
    );
    if was_sent {
        let counted = cost.unwrap_or(worst);
        let progress = &mut state.progress;
        progress.n_requests += 1;
        progress.money += counted.money;
        let usage = cost.map(|cost| cost.usage).unwrap_or_default();
        progress.prompt += usage.prompt;
        progress.cached += usage.cached;
        progress.completion += usage.completion;
        state.rate.settle(asked.ticket, counted.tokens);
        state.over_budget = None;
    } else {
        state.rate.settle(asked.ticket, 0);
    }
    match busy {
        Some(wait) => {
            state.concurrency.was_turned_away(sent, now);
            if let Some(wait) = wait {
                let until = now + wait;
                state.paused_until = state.paused_until.max(Some(until));
            }
        }
        None if matches!(next, Next::Answered(_)) => state.concurrency.went_well(in_flight - 1),
        None => {}
    }
    state.n_unreachable = match (is_unreachable, was_sent) {
        (true, _) => state.n_unreachable + 1,
        (false, true) => 0,
        (false, false) => state.n_unreachable,
    };
    if !matches!(next, Next::OverBudget(_)) {
        state.queue.release(asked.prefix);
    }
    match next {
        Next::Answered(repair) => {
            state.progress.n_answered += 1;
            if let Some(repair) = repair {
                // The prefix of a repair is its own.
                let prefix = -repair.0;
                state.queue.push(Progress {
                    unit: repair,
                    prefix,
                });
                state.progress.n_units += 1;
            }
        }
        Next::Again(after) => state.queue.wait(asked, now + after),
        Next::Failed => state.progress.n_failed += 1,
        Next::End(message) => state.end = Some(End::Refused { message }),
        Next::Taken => state.queue.wait(asked, now + TAKEN_PAUSE),
        Next::Settled => state.progress.n_units = state.progress.n_units.saturating_sub(1),
        Next::Unsent => state.queue.put_back(asked, now),
        Next::OverBudget(message) => {
            state.over_budget = Some(message);
            state.queue.put_back(asked, now);
        }
    }
    if state.n_unreachable >= MOST_UNREACHABLE && state.end.is_none() {
        state.end = Some(End::Refused {
            message: format!(
                "{MOST_UNREACHABLE} times in a row no connection could be made; check the URL and the server"
            ),
        });
    }
}
