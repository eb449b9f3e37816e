//! The batch interface. In: servers that answer later, and processes that are killed. Out: every question is in one batch
//! unless its reply says otherwise.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pref_annotate::{End, Judge, Observer, RunProgress, RunReport, ask_in_batches};
use serde_json::json;

use crate::batch_server::BatchServer;
use crate::server::{Act, Server, chat, judgement, status};
use crate::set_up::{Bench, assert_complete, block_on, pairs};

const URL: &str = "PREF_TEST_BATCH_URL";
const STORE: &str = "PREF_TEST_BATCH_STORE";
const PAIRS: usize = 8;

/// Asks for the scores of pairs in batches.
fn run(
    bench: &Bench,
    url: &str,
    n: usize,
    stop: &AtomicBool,
    observer: &mut dyn Observer,
) -> RunReport {
    block_on(async {
        let judge = bench.judge(url).await;
        let job = bench.put(&judge, pairs(n));
        assert_eq!(judge.model(), "judge");
        let mut store = bench.store();
        let poll = Duration::from_millis(2);
        let options = bench.options;
        let run = ask_in_batches(
            &mut store,
            job,
            &judge,
            Some(&bench.template),
            options,
            poll,
            stop,
            observer,
        );
        run.await.expect("a run")
    })
}

fn complete(bench: &Bench, url: &str, n: usize) -> RunReport {
    run(bench, url, n, &AtomicBool::new(false), &mut ())
}

#[test]
fn every_question_is_in_one_batch() {
    let server = BatchServer::start(3, |body, _| Some((200, chat(&judgement(body, 4)))));
    let bench = Bench::new();
    let report = complete(&bench, &server.url, PAIRS);
    assert_complete(&report);
    assert_eq!(report.progress.n_answered, 5 * PAIRS as u64);
    assert_eq!(report.progress.prompt, 500 * PAIRS as u64);
    assert_eq!(bench.rows().1.n_rows, PAIRS as u64);
    {
        let seen = server.seen.lock().expect("no panic");
        assert_eq!((seen.n_batches(), seen.n_questions()), (1, 5 * PAIRS));
    }
    assert_eq!(
        bench.store().spend().expect("a store").requests,
        5 * PAIRS as u64
    );
    // More rows: only what is missing is sent.
    assert_complete(&complete(&bench, &server.url, PAIRS + 1));
    let seen = server.seen.lock().expect("no panic");
    assert_eq!((seen.n_batches(), seen.n_questions()), (2, 5 * PAIRS + 5));
}

#[test]
fn what_is_cut_invalid_or_missing_is_sent_again_and_refusals_fail() {
    let server = BatchServer::start(1, |body, n| {
        let text = body["messages"].to_string();
        let is = |aspect: &str| text.contains(&format!("one aspect: {aspect}"));
        if is("helpfulness") && n == 0 {
            return None; // the batch ends without it
        }
        if is("correctness") && body["max_tokens"].as_u64() < Some(500) {
            let mut cut = chat("[");
            cut["choices"][0]["finish_reason"] = json!("length");
            return Some((200, cut));
        }
        if is("safety") {
            return Some((400, json!({"error": {"message": "no"}})));
        }
        let is_repair = body["messages"]
            .as_array()
            .is_some_and(|turns| turns.len() > 2);
        if is("completeness") && !is_repair {
            return Some((200, chat("none")));
        }
        Some((200, chat(&judgement(body, 4))))
    });
    let bench = Bench::new();
    let report = complete(&bench, &server.url, 1);
    assert_complete(&report);
    // Five questions and a repair; helpfulness and correctness twice.
    assert_eq!(
        (report.progress.n_answered, report.progress.n_failed),
        (5, 1)
    );
    assert_eq!(server.seen.lock().expect("no panic").n_questions(), 8);
    let store = bench.store();
    let failures = store.failures(pref_annotate::JobId(1)).expect("a store");
    assert_eq!(failures.len(), 1);
    assert!(failures[0].reason.starts_with("refused"), "{failures:?}");
}

/// Stops a run while its batch is at the server.
struct Stopper<'a>(&'a AtomicBool);

impl Observer for Stopper<'_> {
    fn progress(&mut self, progress: &RunProgress) {
        if progress.in_flight > 0 {
            self.0.store(true, Ordering::SeqCst);
        }
    }
}

#[test]
fn a_batch_goes_on_at_the_server_and_other_runs_leave_it_alone() {
    let server = BatchServer::start(3, |body, _| Some((200, chat(&judgement(body, 4)))));
    let bench = Bench::new();
    let stop = AtomicBool::new(false);
    let report = run(&bench, &server.url, PAIRS, &stop, &mut Stopper(&stop));
    assert_eq!(report.end, End::Stopped);
    // A run without batches asks nothing that the batch has.
    assert_complete(&bench.scored(&server.url, PAIRS).0);
    assert_eq!(bench.rows().1.n_open, PAIRS as u64);
    assert_complete(&complete(&bench, &server.url, PAIRS));
    assert_eq!(bench.rows().1.n_rows, PAIRS as u64);
    assert_eq!(
        server.seen.lock().expect("no panic").n_questions(),
        5 * PAIRS
    );
}

#[test]
fn a_batch_whose_answer_was_lost_is_found_and_not_made_again() {
    let server = BatchServer::start(1, |body, _| Some((200, chat(&judgement(body, 4)))));
    server.seen.lock().expect("no panic").n_lost = 1;
    let bench = Bench::new();
    assert_complete(&complete(&bench, &server.url, PAIRS));
    assert_eq!(server.seen.lock().expect("no panic").n_batches(), 1);
}

#[test]
fn a_server_without_batches_is_explained_and_nothing_is_spent() {
    let server =
        Server::start(|_| Act::After(Duration::ZERO, Box::new(status(404, "no such path"))));
    let bench = Bench::new();
    let report = complete(&bench, &server.url, 1);
    let End::Refused { message } = report.end else {
        panic!("{report:?}");
    };
    assert!(message.contains("no batch interface"), "{message}");
}

/// The process that is killed. It runs only with the variables of the test below.
#[test]
#[ignore = "another test starts it"]
fn worker() {
    let (Ok(url), Ok(path)) = (std::env::var(URL), std::env::var(STORE)) else {
        return;
    };
    let mut bench = Bench::new();
    bench.at = Some(path.into());
    assert_complete(&complete(&bench, &url, PAIRS));
}

#[test]
fn a_run_that_is_killed_anywhere_sends_no_question_twice() {
    for round in 0..20_u64 {
        let server = BatchServer::start(6, |body, _| Some((200, chat(&judgement(body, 4)))));
        let bench = Bench::new();
        let start = || {
            Command::new(std::env::current_exe().expect("this program"))
                .args(["batch::worker", "--exact", "--ignored"])
                .env(URL, &server.url)
                .env(STORE, bench.path())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("a process")
        };
        let mut child = start();
        std::thread::sleep(Duration::from_millis(20 + round * 37 % 20 * 5));
        child.kill().expect("SIGKILL");
        child.wait().expect("the end");
        assert!(start().wait().expect("the end").success());
        let seen = server.seen.lock().expect("no panic");
        assert_eq!(seen.n_questions(), 5 * PAIRS, "round {round}");
        drop(seen);
        assert_eq!(bench.rows().1.n_rows, PAIRS as u64);
        assert_eq!(
            bench.store().spend().expect("a store").requests,
            5 * PAIRS as u64
        );
    }
}
