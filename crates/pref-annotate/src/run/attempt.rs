//! One attempt of a unit. In: a unit and what was tried. Out: what comes next; everything is in the store by then.

use std::time::{Duration, Instant};

use super::decide::{Decision, History, decide, word};
use super::error::RunError;
use super::gate::{Gate, Turn};
use super::options::RunOptions;
use crate::judge::{Ask, Fault, Judge, JudgeError, Usage};
use crate::request::Request;
use crate::store::{Cost, Ended, Reservation, Reserved, Review, UnitId, Writer};

/// A unit that is asked.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) unit: UnitId,
    pub(super) prefix: i64,
    pub(super) request: Request,
    pub(super) max_tokens: u32,
    pub(super) history: History,
    /// The number of the request among those of the last minute.
    pub(super) ticket: u64,
}

/// What comes after an attempt.
#[derive(Debug)]
pub(super) enum Next {
    /// A reply, which is stored, with the unit that repairs it if it could not be read.
    Answered(Option<UnitId>),
    Again(Duration),
    Failed,
    End(String),
    /// Nothing was sent: another process asks.
    Taken,
    /// Nothing was sent: the unit is answered or failed.
    Settled,
    /// Nothing was sent: the budget.
    OverBudget(String),
    /// Nothing was sent: the run ends.
    Unsent,
}

/// The end of an attempt.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) asked: Asked,
    pub(super) next: Next,
    /// The cost, if something was sent and the cost is known.
    pub(super) cost: Option<Cost>,
    /// The worst case.
    pub(super) worst: Cost,
    pub(super) sent: Instant,
    /// Whether the server turned the request away, and for how long.
    pub(super) busy: Option<Option<Duration>>,
    /// Whether no connection could be made.
    pub(super) is_unreachable: bool,
    /// Number of requests on their way when this one was answered, this one included.
    pub(super) in_flight: usize,
}

/// What all attempts of a run share.
pub(super) struct Shared<'a, J, R> {
    pub(super) judge: &'a J,
    pub(super) writer: &'a Writer,
    pub(super) options: &'a RunOptions,
    /// Reads a reply; the last argument says whether it is a repair.
    pub(super) review: R,
    pub(super) gate: Gate,
}

/// The first limit of a reply's tokens. That of an answer is a part of the question.
pub(super) fn first_limit(request: &Request, options: &RunOptions) -> u32 {
    if let Some(drawing) = &request.drawing {
        return drawing.max_tokens;
    }
    let usual = || request.task.usual_tokens();
    let max_tokens = options.max_tokens.unwrap_or_else(usual);
    max_tokens.clamp(1, options.most_tokens.max(1))
}

/// The limit to which it grows if a reply is cut.
pub(super) fn last_limit(request: &Request, options: &RunOptions) -> u32 {
    match &request.drawing {
        Some(drawing) => drawing.max_tokens,
        None => options.most_tokens,
    }
}

/// The worst case of a request.
pub(super) fn worst_case(request: &Request, max_tokens: u32, options: &RunOptions) -> Cost {
    options.prices.cost(Usage {
        prompt: request.max_prompt_tokens(),
        cached: 0,
        completion: u64::from(max_tokens),
    })
}

/// What an error cost; none if the server may have answered and does not say.
pub(super) fn cost_of(error: &JudgeError, options: &RunOptions) -> Option<Cost> {
    match (error.usage, error.fault) {
        (Some(usage), _) => Some(options.prices.cost(usage)),
        (None, Fault::Lost | Fault::Cut) => None,
        (None, _) => Some(Cost::default()),
    }
}

/// Reserves, waits for its turn, asks once, and stores how it ended and what was found in the reply.
pub(super) async fn attempt<J, R>(
    shared: &Shared<'_, J, R>,
    mut asked: Asked,
    mut turn: Turn<'_>,
) -> Result<Done, RunError>
where
    J: Judge,
    R: Fn(&Request, &str, bool) -> Result<Review, RunError>,
{
    let Shared {
        judge,
        writer,
        options,
        review,
        gate,
    } = shared;
    let worst = worst_case(&asked.request, asked.max_tokens, options);
    let reservation = Reservation {
        unit: asked.unit,
        max_tokens: asked.max_tokens,
        worst,
        limits: options.budget,
    };
    let unsent = |asked, next| Done {
        asked,
        next,
        cost: None,
        worst,
        sent: Instant::now(),
        busy: None,
        is_unreachable: false,
        in_flight: gate.n_sent(),
    };
    let id = match writer.reserve(reservation).await? {
        Reserved::Granted(id) => id,
        Reserved::Taken => return Ok(unsent(asked, Next::Taken)),
        Reserved::Settled => return Ok(unsent(asked, Next::Settled)),
        Reserved::OverBudget(message) => return Ok(unsent(asked, Next::OverBudget(message))),
    };
    if !turn.may_send().await {
        writer.release(id).await?;
        return Ok(unsent(asked, Next::Unsent));
    }
    let sent = Instant::now();
    let ask = Ask {
        request: &asked.request,
        max_tokens: asked.max_tokens,
    };
    match judge.ask(ask).await {
        Ok(reply) => {
            let cost = reply.usage.map(|usage| options.prices.cost(usage));
            let text = reply.text.clone();
            let busy = reply.pause.map(Some);
            let in_flight = gate.n_sent();
            if busy.is_none() {
                drop(turn);
            }
            writer
                .settle(id, cost, Ended::Answered(Box::new(reply)))
                .await?;
            let is_repair = asked.request.messages.len() > REPAIR_TURNS;
            let found = review(&asked.request, &text, is_repair)?;
            let repair = writer.review(asked.unit, found).await?;
            Ok(Done {
                asked,
                next: Next::Answered(repair),
                in_flight,
                cost,
                worst,
                sent,
                busy,
                is_unreachable: false,
            })
        }
        Err(error) => {
            let cost = cost_of(&error, options);
            let decision = decide(
                &error,
                &mut asked.history,
                asked.max_tokens,
                last_limit(&asked.request, options),
                &options.retry,
            );
            let outcome = word(error.fault);
            let (ended, next) = match decision {
                Decision::Again { after, max_tokens } => {
                    asked.max_tokens = max_tokens;
                    let message = error.message.clone();
                    (Ended::Open { outcome, message }, Next::Again(after))
                }
                Decision::Fail { outcome, message } => {
                    (Ended::Failed { outcome, message }, Next::Failed)
                }
                Decision::End { message } => (
                    Ended::Open {
                        outcome,
                        message: message.clone(),
                    },
                    Next::End(message),
                ),
            };
            writer.settle(id, cost, ended).await?;
            Ok(Done {
                asked,
                next,
                cost,
                worst,
                sent,
                busy: match error.fault {
                    Fault::Busy { wait } => Some(wait),
                    _ => None,
                },
                is_unreachable: error.fault == Fault::Unreachable,
                in_flight: gate.n_sent(),
            })
        }
    }
}

/// A question has instructions and a question; with more turns it is the repair of a reply.
const REPAIR_TURNS: usize = 2;
