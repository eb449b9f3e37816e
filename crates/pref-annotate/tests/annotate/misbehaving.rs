//! Servers that misbehave. In: every way in which a server can fail. Out: one stored result or one recorded failure a
//! unit, and spending within the budget.

use std::time::{Duration, Instant};

use pref_annotate::{ChatJudge, End, JobId, Limits, Prices, RateOptions, RunReport};
use serde_json::json;

use crate::server::{Act, Asked, Server, chat, judged, judgement, ok, status};
use crate::set_up::{Bench, assert_complete, block_on, pairs};

/// Units of a pair in one order: one for each aspect.
const ASPECTS: u64 = 5;

/// Two pairs against a server that answers every question after `failures` bad answers. Every unit must be answered, with
/// `1 + failures` requests.
#[track_caller]
fn recovers(failures: usize, bad: impl Fn(&Asked) -> Act + Send + Sync + 'static) -> Bench {
    let server = Server::start(move |asked| match asked.n < failures {
        true => bad(asked),
        false => judged(&asked.body, 4),
    });
    let bench = Bench::new();
    let (report, job) = bench.scored(&server.url, 2);
    assert_complete(&report);
    let counts = bench.store().counts(job).expect("counts");
    assert_eq!(
        (counts.answered, counts.failed, counts.open),
        (2 * ASPECTS, 0, 0),
        "{report:?}"
    );
    assert_eq!(server.total(), 2 * ASPECTS as usize * (1 + failures));
    assert_eq!(bench.rows().1.n_rows, 2);
    bench
}

/// A pair against a server that always answers badly. Every unit must fail with `reason` after `n` requests.
#[track_caller]
fn fails(n: usize, reason: &str, bad: impl Fn(&Asked) -> Act + Send + Sync + 'static) {
    let server = Server::start(bad);
    let bench = Bench::new();
    let (report, job) = bench.scored(&server.url, 1);
    assert_complete(&report);
    let failures = bench.store().failures(job).expect("failures");
    assert_eq!(failures.len() as u64, ASPECTS, "{failures:?}");
    for failure in failures {
        assert!(failure.reason.contains(reason), "{failure:?}");
    }
    assert_eq!(server.most_of_one(), n);
    let (rows, report) = bench.rows();
    assert!(rows.is_empty());
    assert_eq!(report.n_failed, 1);
}

/// A pair against a server that refuses everything: the run ends, and the units stay open.
#[track_caller]
fn ends(message: &str, bad: impl Fn(&Asked) -> Act + Send + Sync + 'static) {
    let server = Server::start(bad);
    let bench = Bench::new();
    let (report, job) = bench.scored(&server.url, 40);
    let End::Refused { message: found } = &report.end else {
        panic!("{report:?}");
    };
    assert!(found.contains(message), "{found}");
    let counts = bench.store().counts(job).expect("counts");
    assert_eq!((counts.answered, counts.failed), (0, 0));
    assert!(server.total() <= 16, "only what was in flight was sent");
}

#[test]
fn busy_servers_are_asked_again() {
    recovers(2, |_| status(429, "slow down"));
    recovers(1, |_| {
        Act::Answer(503, vec![("retry-after", "0".to_owned())], String::new())
    });
}

#[test]
fn a_server_gets_the_time_that_it_asks_for() {
    let started = Instant::now();
    recovers(1, |_| {
        Act::Answer(
            429,
            vec![("retry-after-ms", "300".to_owned())],
            String::new(),
        )
    });
    assert!(started.elapsed() >= Duration::from_millis(300));
}

#[test]
fn failures_of_the_server_are_tried_again() {
    recovers(2, |_| status(500, "oops"));
    recovers(2, |asked| status(500 + asked.n as u16 * 2, "oops"));
    recovers(1, |_| Act::Reset);
    recovers(1, |_| Act::Drip);
    recovers(1, |_| Act::Flood);
    recovers(1, |_| {
        Act::After(Duration::from_millis(600), Box::new(Act::Reset))
    });
    recovers(1, |_| Act::Raw(b"not HTTP at all".to_vec()));
    recovers(1, |_| {
        Act::Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"choices\": [".to_vec())
    });
    recovers(1, |_| {
        Act::Answer(200, vec![], "{\"choices\": [{\"mess".to_owned())
    });
    recovers(1, |_| Act::Answer(200, vec![], "<html>".to_owned()));
    recovers(1, |_| ok(&json!({"choices": []})));
    recovers(1, |_| ok(&chat("")));
    recovers(1, |_| {
        ok(&json!({"error": {"message": "overloaded", "code": 503}}))
    });
    recovers(1, |_| {
        ok(&json!({"error": {"message": "wait", "type": "rate_limit_exceeded"}}))
    });
}

#[test]
fn three_identical_errors_fail_the_unit_and_not_the_run() {
    fails(3, "3 times the same error", |_| status(500, "oops"));
    fails(3, "the reply is empty", |_| ok(&chat(" ")));
}

#[test]
fn eight_attempts_are_the_most() {
    fails(8, "8 attempts", |_| status(429, "slow down"));
    fails(8, "8 attempts", |asked| {
        status(500, &format!("oops {}", asked.n))
    });
}

#[test]
fn refusals_are_final_at_once() {
    fails(1, "status 400: too long", |_| status(400, "too long"));
    fails(1, "status 422", |_| status(422, "no"));
    fails(1, "the model refuses: I cannot", |_| {
        ok(&json!({"choices": [{"message": {"refusal": "I cannot"}}]}))
    });
    fails(1, "filter", |_| {
        ok(&json!({"choices": [{"message": {"content": "x"}, "finish_reason": "content_filter"}]}))
    });
}

#[test]
fn wrong_keys_models_and_exhausted_quotas_end_the_run() {
    ends("does not accept the key", |_| status(401, "bad key"));
    ends("no credit", |_| status(402, "pay"));
    ends("no such model", |_| status(404, "unknown model"));
    ends("you exceeded your quota", |_| {
        let body =
            json!({"error": {"message": "you exceeded your quota", "code": "insufficient_quota"}});
        Act::Answer(429, vec![], body.to_string())
    });
    ends("give the URL", |_| {
        Act::Answer(
            302,
            vec![("location", "http://else/".to_owned())],
            String::new(),
        )
    });
}

#[test]
fn a_cut_reply_is_asked_for_with_a_higher_limit() {
    let bench = recovers(2, |_| {
        let mut reply = chat("{\"a\": [{\"ind");
        reply["choices"][0]["finish_reason"] = json!("length");
        ok(&reply)
    });
    drop(bench);
    let server = Server::start(|asked| {
        let mut reply = chat(&judgement(&asked.body, 3));
        if asked.body["max_tokens"].as_u64() < Some(2000) {
            reply["choices"][0]["finish_reason"] = json!("length");
        }
        ok(&reply)
    });
    let bench = Bench::new();
    assert_complete(&bench.scored(&server.url, 1).0);
    let bodies = server.seen.bodies.lock().expect("no panic");
    let mut limits: Vec<u64> = bodies
        .iter()
        .filter_map(|b| b["max_tokens"].as_u64())
        .collect();
    limits.sort_unstable();
    limits.dedup();
    assert_eq!(limits, [440, 880, 1760, 3520]);
}

#[test]
fn an_invalid_judgement_is_repaired_once() {
    // The first reply has too few sentences, the reply to the complaint is right.
    let server = Server::start(|asked| {
        let turns = asked.body["messages"].as_array().map_or(0, Vec::len);
        match turns {
            2 => ok(&chat("{\"a\": [{\"index\": 1, \"score\": 4}], \"b\": []}")),
            _ => judged(&asked.body, 4),
        }
    });
    let bench = Bench::new();
    let (report, job) = bench.scored(&server.url, 1);
    assert_complete(&report);
    assert_eq!(server.total(), 2 * ASPECTS as usize);
    let counts = bench.store().counts(job).expect("counts");
    assert_eq!((counts.answered, counts.repairs), (2 * ASPECTS, ASPECTS));
    assert_eq!(bench.rows().1.n_rows, 1);
    let bodies = server.seen.bodies.lock().expect("no panic");
    let repair = bodies
        .iter()
        .find(|b| b["messages"][3].is_object())
        .expect("a repair");
    let words = repair["messages"][3]["content"].as_str().expect("words");
    assert!(
        words.contains("in `a`: items [2] are missing; there are 2 items"),
        "{words}"
    );
}

#[test]
fn a_judgement_that_stays_invalid_is_a_failure_and_never_a_zero() {
    let server = Server::start(|_| ok(&chat("I would say it is fine.")));
    let bench = Bench::new();
    let (report, job) = bench.scored(&server.url, 1);
    assert_complete(&report);
    assert_eq!(server.total(), 2 * ASPECTS as usize);
    let (rows, report) = bench.rows();
    assert!(rows.is_empty());
    assert_eq!((report.n_failed, report.n_items), (1, 1));
    let failures = bench.store().failures(job).expect("failures");
    assert_eq!(failures.len(), 5);
    assert!(
        failures[0].reason.contains("after the repair"),
        "{failures:?}"
    );
    // `retry` asks for the repair again, and keeps the old reply.
    assert_eq!(bench.store().reopen(job).expect("a store"), ASPECTS);
    block_on(async {
        let judge = bench.judge(&server.url).await;
        assert_complete(&bench.run(&judge, job).await);
    });
    assert_eq!(server.total(), 3 * ASPECTS as usize);
}

#[test]
fn a_part_of_the_request_that_the_server_does_not_know_is_left_out() {
    let server = Server::start(
        |asked| match asked.body["response_format"]["type"].as_str() {
            Some("json_schema") => status(400, "response_format json_schema is not supported"),
            _ if asked.body.get("max_tokens").is_some() => status(
                400,
                "Unsupported parameter: use 'max_completion_tokens' instead",
            ),
            _ => judged(&asked.body, 4),
        },
    );
    let bench = Bench::new();
    assert_complete(&bench.scored(&server.url, 20).0);
    assert_eq!(bench.rows().1.n_rows, 20);
    // Only the requests that were in flight were refused.
    assert!(server.total() <= 100 + 3 * 16, "{}", server.total());
}

#[test]
fn a_changed_model_is_reported() {
    let server = Server::start(|asked| {
        let mut reply = chat(&judgement(&asked.body, 4));
        if asked.total >= 3 {
            reply["system_fingerprint"] = json!("fp2");
        }
        ok(&reply)
    });
    let bench = Bench::new();
    assert_complete(&bench.scored(&server.url, 1).0);
    let models = bench.rows().1.models;
    let found: Vec<(Option<&str>, u64)> = models
        .iter()
        .map(|drift| (drift.fingerprint.as_deref(), drift.n))
        .collect();
    assert_eq!(found, [(Some("fp1"), 3), (Some("fp2"), 2)]);
}

fn with_options(
    change: impl FnOnce(&mut Bench),
    server: &Server,
    n: usize,
) -> (RunReport, JobId, Bench) {
    let mut bench = Bench::new();
    change(&mut bench);
    let (report, job) = bench.scored(&server.url, n);
    (report, job, bench)
}

#[test]
fn spending_never_passes_a_budget() {
    let answer = |asked: &Asked| match asked.total % 3 {
        0 => status(500, "oops"),
        1 => Act::Reset,
        _ => judged(&asked.body, 4),
    };
    let budget = Limits {
        requests: Some(37),
        ..Limits::default()
    };
    let server = Server::start(answer);
    let (report, _, bench) = with_options(|b| b.options.budget = budget, &server, 30);
    assert!(matches!(report.end, End::Budget { .. }), "{report:?}");
    assert_eq!(server.total(), 37);
    assert_eq!(bench.store().spend().expect("spend").requests, 37);

    // 100 tokens of a question at 1, of which 60 at 0.5, and 20 of a reply at 2 a million: 110e-6 a request.
    let money = 60_000_000; // 0.06
    let budget = Limits {
        money: Some(money),
        ..Limits::default()
    };
    let server = Server::start(|asked| judged(&asked.body, 4));
    let (report, job, bench) = with_options(|b| b.options.budget = budget, &server, 200);
    assert!(matches!(report.end, End::Budget { .. }), "{report:?}");
    let spent = bench.store().spend().expect("spend");
    let answered = bench.store().counts(job).expect("counts").answered;
    assert_eq!(spent.money, answered * 110_000);
    assert_eq!(spent.cached, answered * 60);
    assert!(spent.money <= money, "{spent:?}");
    assert!(
        spent.money > money * 9 / 10,
        "the budget is used: {spent:?}"
    );
}

#[test]
fn a_budget_of_money_needs_prices() {
    let error = Prices::default().check(true).expect_err("no prices");
    assert!(error.to_string().contains("price.input"), "{error}");
}

#[test]
fn requests_per_minute_are_a_hard_limit() {
    let rate = RateOptions {
        requests_per_minute: Some(7),
        tokens_per_minute: None,
    };
    let server = Server::start(|asked| judged(&asked.body, 4));
    let bench = {
        let mut bench = Bench::new();
        bench.options.rate = rate;
        bench
    };
    block_on(async {
        let judge = bench.judge(&server.url).await;
        let job = bench.put(&judge, pairs(3));
        let run = bench.run(&judge, job);
        assert!(
            tokio::time::timeout(Duration::from_millis(500), run)
                .await
                .is_err()
        );
    });
    assert_eq!(server.total(), 7);
}

#[test]
fn one_request_warms_each_prefix_and_concurrency_shrinks_when_the_server_is_busy() {
    let server = Server::start(|asked| {
        Act::After(Duration::from_millis(20), Box::new(judged(&asked.body, 4)))
    });
    let bench = Bench::new();
    assert_complete(&bench.scored(&server.url, 40).0);
    let bodies = server.seen.bodies.lock().expect("no panic");
    let mut first: Vec<String> = bodies[..5]
        .iter()
        .map(|b| b["messages"][0].to_string())
        .collect();
    first.sort();
    first.dedup();
    assert_eq!(
        first.len(),
        5,
        "the first five requests have the five prefixes"
    );
    drop(bodies);
    let most = server
        .seen
        .most_in_flight
        .load(std::sync::atomic::Ordering::SeqCst);
    assert!(most > 16, "{most}");

    let server = Server::start(|asked| match asked.total % 4 {
        0 => status(429, "slow down"),
        _ => judged(&asked.body, 4),
    });
    let mut bench = Bench::new();
    bench.options.concurrency.start = 64;
    let (report, _) = bench.scored(&server.url, 40);
    assert_complete(&report);
    assert!(report.progress.limit < 64, "{report:?}");
}

fn connected(url: &str, model: Option<&str>) -> Result<String, String> {
    let bench = Bench::new();
    let mut options = bench.chat_options(url);
    options.model = model.map(str::to_owned);
    let judge = block_on(ChatJudge::connect(&options));
    judge
        .map(|_| String::new())
        .map_err(|error| error.to_string())
}

#[test]
fn a_server_that_cannot_be_asked_is_found_before_the_first_question() {
    let server = Server::start(|_| Act::Reset);
    assert!(connected(&server.url, None).is_ok());
    let error = connected(&server.url, Some("judgf")).expect_err("no such model");
    assert!(error.contains("did you mean judge?"), "{error}");
    for (url, part) in [
        ("http://127.0.0.1:1/v1", "no connection"),
        ("localhost:8000", "expected a URL such as"),
        ("http://user:secret@localhost/v1", "PREF_API_KEY"),
        ("http://localhost/v1?key=1", "after `?`"),
        ("not a url", "relative URL"),
    ] {
        let error = connected(url, None).expect_err(url);
        assert!(error.contains(part), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }
    assert_eq!(server.total(), 0);
}
