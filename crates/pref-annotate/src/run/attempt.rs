//! One attempt of a unit. In: a unit and what was tried. Out: what comes next; everything is in the store by then.

use std::time::{Duration, Instant};

use super::decide::{Decision, History, decide, word};
use super::options::RunOptions;
use crate::judge::{Ask, Fault, Judge, JudgeError, Usage};
use crate::request::Request;
use crate::store::{Cost, Ended, Reservation, Reserved, StoreError, UnitId, Writer};

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
    /// The text of a reply, which is stored.
    Answered(String),
    Again(Duration),
    Failed,
    End(String),
    /// Nothing was sent: another process asks.
    Taken,
    /// Nothing was sent: the unit is answered or failed.
    Settled,
    /// Nothing was sent: the budget.
    OverBudget(String),
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
fn cost_of(error: &JudgeError, options: &RunOptions) -> Option<Cost> {
    match (error.usage, error.fault) {
        (Some(usage), _) => Some(options.prices.cost(usage)),
        (None, Fault::Lost | Fault::Cut) => None,
        (None, _) => Some(Cost::default()),
    }
}

/// Reserves, asks once, and stores how it ended.
pub(super) async fn attempt<J: Judge>(
    judge: &J,
    writer: &Writer,
    mut asked: Asked,
    options: &RunOptions,
) -> Result<Done, StoreError> {
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
    };
    let id = match writer.reserve(reservation).await? {
        Reserved::Granted(id) => id,
        Reserved::Taken => return Ok(unsent(asked, Next::Taken)),
        Reserved::Settled => return Ok(unsent(asked, Next::Settled)),
        Reserved::OverBudget(message) => return Ok(unsent(asked, Next::OverBudget(message))),
    };
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
            writer
                .settle(id, cost, Ended::Answered(Box::new(reply)))
                .await?;
            Ok(Done {
                asked,
                next: Next::Answered(text),
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
                options.most_tokens,
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
            })
        }
    }
}
