//! The store. In: foreign files, other processes, repeated runs. Out: clear errors, and nothing asked twice.

use std::sync::atomic::AtomicBool;

use pref_annotate::{Judge, Orders, Scores, Store, Work, ask};

use crate::server::{Act, Server, judged};
use crate::set_up::{Bench, assert_complete, block_on, pairs};

#[track_caller]
fn refused(bytes: &[u8], part: &str) {
    let bench = Bench::new();
    std::fs::write(bench.path(), bytes).expect("a file");
    let error = Store::open(&bench.path())
        .expect_err("no store")
        .to_string();
    assert!(error.contains(part), "{error}");
    assert_eq!(std::fs::read(bench.path()).expect("a file"), bytes);
}

#[test]
fn files_of_other_programs_are_refused_and_stay() {
    refused(&[b'x'; 5000], "no SQLite file");
    let bench = Bench::new();
    let other = rusqlite::Connection::open(bench.path()).expect("a database");
    other
        .execute_batch("CREATE TABLE mine (x)")
        .expect("a table");
    drop(other);
    let error = Store::open(&bench.path())
        .expect_err("no store")
        .to_string();
    assert!(error.contains("another program"), "{error}");
    let missing = Store::open_existing(&bench.folder.path().join("none.sqlite"));
    assert!(
        missing
            .expect_err("no file")
            .to_string()
            .contains("no such file")
    );
    let folder = Store::open(bench.folder.path())
        .expect_err("a folder")
        .to_string();
    assert!(folder.contains("must be writable"), "{folder}");
}

#[test]
fn a_newer_store_is_refused() {
    let bench = Bench::new();
    drop(bench.store());
    let connection = rusqlite::Connection::open(bench.path()).expect("a store");
    connection
        .pragma_update(None, "user_version", 99)
        .expect("a version");
    drop(connection);
    let error = Store::open(&bench.path()).expect_err("newer").to_string();
    assert!(error.contains("version 99"), "{error}");
}

#[test]
fn what_was_answered_is_not_asked_again() {
    let server = Server::start(|asked| judged(&asked.body, 4));
    let bench = Bench::new();
    assert_complete(&bench.scored(&server.url, 4).0);
    assert_eq!(server.total(), 20);
    // The same rows, a part of them, and more of them, from a server with another address.
    for (n, total) in [(4, 0), (2, 0), (5, 5)] {
        let moved = Server::start(|asked| judged(&asked.body, 4));
        assert_complete(&bench.scored(&moved.url, n).0);
        assert_eq!(moved.total(), total, "{n} pairs");
    }
    // A longer limit of replies asks nothing again either.
    let mut bench = bench;
    bench.options.max_tokens = Some(5000);
    let moved = Server::start(|asked| judged(&asked.body, 4));
    assert_complete(&bench.scored(&moved.url, 5).0);
    assert_eq!(moved.total(), 0);
    // The other order of the answers does.
    bench.work = Work::Scores(Scores::new(&bench.template, Orders::Both, 1).expect("aspects"));
    assert_complete(&bench.scored(&moved.url, 5).0);
    assert_eq!(moved.total(), 25);
}

#[test]
fn two_processes_share_a_store() {
    let server = Server::start(|asked| {
        let wait = std::time::Duration::from_millis(5);
        Act::After(wait, Box::new(judged(&asked.body, 4)))
    });
    let bench = Bench::new();
    block_on(async {
        let judge = bench.judge(&server.url).await;
        let job = bench.put(&judge, pairs(30));
        let (first, second) = tokio::join!(bench.run(&judge, job), bench.run(&judge, job));
        assert_complete(&first);
        assert_complete(&second);
        assert!(first.progress.n_requests > 0 && second.progress.n_requests > 0);
    });
    assert_eq!(server.total(), 150);
    assert_eq!(server.most_of_one(), 1);
    assert_eq!(bench.rows().1.n_rows, 30);
}

#[test]
fn a_run_that_is_stopped_finishes_what_is_in_flight() {
    let server = Server::start(|asked| {
        let wait = std::time::Duration::from_millis(100);
        Act::After(wait, Box::new(judged(&asked.body, 4)))
    });
    let bench = Bench::new();
    let job = block_on(async {
        let judge = bench.judge(&server.url).await;
        let job = bench.put(&judge, pairs(40));
        let store = bench.store();
        let stop = AtomicBool::new(false);
        let mut observer = ();
        let run = ask(
            &store,
            job,
            &judge,
            Some(&bench.template),
            bench.options,
            &stop,
            &mut observer,
        );
        let stopping = async {
            tokio::time::sleep(std::time::Duration::from_millis(250)).await;
            stop.store(true, std::sync::atomic::Ordering::SeqCst);
        };
        let (report, ()) = tokio::join!(run, stopping);
        assert_eq!(report.expect("a run").end, pref_annotate::End::Stopped);
        job
    });
    let counts = bench.store().counts(job).expect("counts");
    assert_eq!(counts.answered as usize, server.total());
    assert!(counts.open > 0);
}

#[test]
fn old_jobs_can_be_removed_and_replies_stay_unless_asked() {
    let server = Server::start(|asked| judged(&asked.body, 4));
    let bench = Bench::new();
    bench.scored(&server.url, 3);
    bench.scored(&server.url, 1);
    let mut store = bench.store();
    assert_eq!(store.jobs().expect("jobs").len(), 2);
    assert_eq!(store.gc(false).expect("a store"), (1, 0));
    assert_eq!(store.gc(true).expect("a store"), (0, 10));
    drop(store);
    assert_eq!(bench.rows().1.n_rows, 1);
    // What was removed is asked again.
    bench.scored(&server.url, 3);
    assert_eq!(server.total(), 25);
}

#[test]
fn the_key_of_the_server_is_nowhere() {
    // SAFETY: the tests of this process read this variable only here.
    #[expect(unsafe_code, reason = "environment variables are shared by threads")]
    unsafe {
        std::env::set_var("PREF_TEST_KEY", "sk-very-secret");
    }
    let server = Server::start(|asked| match asked.n {
        0 => crate::server::status(500, "the key sk-very-secret is fine"),
        _ => judged(&asked.body, 4),
    });
    let bench = Bench::new();
    block_on(async {
        let mut options = bench.chat_options(&server.url);
        options.key = pref_annotate::ApiKey::from_env(Some("PREF_TEST_KEY")).expect("a key");
        let judge = pref_annotate::ChatJudge::connect(&options)
            .await
            .expect("a server");
        assert!(!format!("{judge:?}{options:?}").contains("secret"));
        let job = bench.put(&judge, pairs(1));
        assert_eq!(judge.model(), "judge");
        assert_complete(&bench.run(&judge, job).await);
    });
    let headers = server.seen.headers.lock().expect("no panic");
    let sent = headers.iter().any(|h| h.ends_with("Bearer sk-very-secret"));
    assert!(sent, "{headers:?}");
    for file in std::fs::read_dir(bench.folder.path()).expect("a folder") {
        let bytes = std::fs::read(file.expect("a file").path()).expect("bytes");
        let found = bytes.windows(11).any(|window| window == b"very-secret");
        assert!(!found);
    }
}
