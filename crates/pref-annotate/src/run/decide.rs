//! What follows from an error. In: an error and the attempts before it. Out: another attempt, or the end of a unit or of
//! the run.

use std::time::Duration;

use crate::judge::{Fault, JudgeError};
use crate::limits::{RetryOptions, pause};

/// The attempts of a unit in this run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct History {
    /// Number of attempts.
    pub(super) n: u32,
    /// The last failure of the server and how many times it came in a row.
    pub(super) same: Option<(String, u32)>,
}

/// Identical failures of the server that end a unit.
const MOST_IDENTICAL: u32 = 3;

/// What is done after an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// Ask again after a time, with this limit of tokens.
    Again { after: Duration, max_tokens: u32 },
    /// The unit has failed: a word and a message.
    Fail {
        outcome: &'static str,
        message: String,
    },
    /// The run ends, and the unit stays open.
    End { message: String },
}

/// A word for the kind of an error.
pub(super) fn word(fault: Fault) -> &'static str {
    match fault {
        Fault::Busy { .. } => "busy",
        Fault::Server => "server error",
        Fault::Unreachable => "unreachable",
        Fault::Lost => "lost",
        Fault::Cut => "cut",
        Fault::Adapted => "adapted",
        Fault::Refused => "refused",
        Fault::Fatal => "fatal",
    }
}

/// What is done after an error, which is added to the history.
pub(super) fn decide(
    error: &JudgeError,
    history: &mut History,
    max_tokens: u32,
    most_tokens: u32,
    retry: &RetryOptions,
) -> Decision {
    history.n += 1;
    let outcome = word(error.fault);
    let message = error.message.clone();
    let again = |asked| Decision::Again {
        after: pause(retry, history.n, asked),
        max_tokens,
    };
    let decision = match error.fault {
        Fault::Fatal => return Decision::End { message },
        Fault::Refused => return Decision::Fail { outcome, message },
        Fault::Cut if max_tokens >= most_tokens => {
            return Decision::Fail {
                outcome,
                message: format!(
                    "{message}; the limit of {most_tokens} tokens is reached, request.most-tokens raises it"
                ),
            };
        }
        Fault::Cut => Decision::Again {
            after: Duration::ZERO,
            max_tokens: max_tokens.saturating_mul(2).min(most_tokens),
        },
        Fault::Adapted => Decision::Again {
            after: Duration::ZERO,
            max_tokens,
        },
        Fault::Busy { wait } => again(wait),
        Fault::Unreachable => again(None),
        Fault::Server | Fault::Lost => {
            let same = match history.same.take() {
                Some((last, n)) if last == message => n + 1,
                _ => 1,
            };
            history.same = Some((message.clone(), same));
            if same >= MOST_IDENTICAL {
                return Decision::Fail {
                    outcome,
                    message: format!("{same} times the same error: {message}"),
                };
            }
            again(None)
        }
    };
    match history.n >= retry.attempts {
        true => Decision::Fail {
            outcome,
            message: format!("{} attempts; the last error: {message}", history.n),
        },
        false => decision,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(fault: Fault, history: &mut History, max_tokens: u32) -> Decision {
        let error = JudgeError::new(fault, "x");
        decide(&error, history, max_tokens, 1000, &RetryOptions::default())
    }

    #[test]
    fn a_cut_reply_is_never_asked_for_in_the_same_way() {
        let mut history = History::default();
        let doubled = Decision::Again {
            after: Duration::ZERO,
            max_tokens: 800,
        };
        assert_eq!(decided(Fault::Cut, &mut history, 400), doubled);
        let Decision::Again {
            max_tokens: 1000, ..
        } = decided(Fault::Cut, &mut history, 800)
        else {
            panic!("the limit is the highest one");
        };
        assert!(matches!(
            decided(Fault::Cut, &mut history, 1000),
            Decision::Fail { outcome: "cut", .. }
        ));
    }

    #[test]
    fn three_identical_server_errors_fail_the_unit_and_eight_attempts_do() {
        let mut history = History::default();
        let n = (1..).find(|_| {
            matches!(
                decided(Fault::Server, &mut history, 1),
                Decision::Fail { .. }
            )
        });
        assert_eq!(n, Some(3));
        let mut history = History::default();
        let busy = Fault::Busy { wait: None };
        let n = (1..).find(|_| matches!(decided(busy, &mut history, 1), Decision::Fail { .. }));
        assert_eq!(n, Some(8));
    }

    #[test]
    fn refusals_end_a_unit_and_fatal_errors_end_the_run() {
        let mut history = History::default();
        assert!(matches!(
            decided(Fault::Refused, &mut history, 1),
            Decision::Fail { .. }
        ));
        assert!(matches!(
            decided(Fault::Fatal, &mut history, 1),
            Decision::End { .. }
        ));
    }
}
