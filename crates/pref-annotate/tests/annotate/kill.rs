//! A process that is killed. In: a run in a process of its own, SIGKILL at random moments. Out: every unit is answered
//! once, and only what was in flight is asked again.

use std::collections::HashMap;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use pref_annotate::UnitId;

use crate::server::{Act, Server, judged};
use crate::set_up::{Bench, assert_complete, block_on, pairs};

const URL: &str = "PREF_TEST_JUDGE_URL";
const STORE: &str = "PREF_TEST_STORE";
const PAIRS: usize = 40;
const KILLS: u32 = 20;

/// The process that is killed. It runs only with the variables of the test below.
#[test]
#[ignore = "another test starts it"]
fn worker() {
    let (Ok(url), Ok(path)) = (std::env::var(URL), std::env::var(STORE)) else {
        return;
    };
    let bench = Bench::new();
    block_on(async {
        let judge = bench.judge(&url).await;
        let mut store = pref_annotate::Store::open(path.as_ref()).expect("a store");
        let maker = bench.maker(&judge);
        let model = pref_annotate::Judge::model(&judge);
        let job = pref_annotate::put_rows(&mut store, &maker, model, pairs(PAIRS)).expect("rows");
        pref_annotate::read_replies(&mut store, job, Some(&bench.template), model)
            .expect("replies");
        let stop = std::sync::atomic::AtomicBool::new(false);
        let mut observer = ();
        let run = pref_annotate::ask(
            &store,
            job,
            &judge,
            Some(&bench.template),
            bench.options,
            &stop,
            &mut observer,
        );
        run.await.expect("a run");
    });
}

/// The questions of a store, each with whether it has a reply and whether an attempt of it is on its way or was lost.
fn questions(bench: &Bench) -> HashMap<String, (bool, bool)> {
    let store = bench.store();
    let connection = rusqlite::Connection::open(bench.path()).expect("a store");
    let sql = "SELECT unit.id, state = 1, EXISTS (SELECT 1 FROM attempt WHERE attempt.unit = unit.id AND (ended IS NULL OR outcome = 'lost')) FROM unit";
    let mut statement = connection.prepare(sql).expect("a query");
    let rows = statement.query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))));
    rows.expect("units")
        .map(|row| {
            let (id, state): (i64, (bool, bool)) = row.expect("a unit");
            let request = store.request(UnitId(id)).expect("a question");
            let messages = serde_json::to_value(&request.messages).expect("JSON");
            (messages.to_string(), state)
        })
        .collect()
}

#[test]
fn the_server_counts_the_units_and_what_was_in_flight_at_each_kill() {
    let server = Server::start(|asked| {
        // 20 to 60 ms, in an order that has nothing to do with the questions.
        let wait = Duration::from_millis(20 + (asked.total as u64 * 7919) % 40);
        Act::After(wait, Box::new(judged(&asked.body, 4)))
    });
    let bench = Bench::new();
    let program = std::env::current_exe().expect("this program");
    let start = || {
        Command::new(&program)
            .args(["kill::worker", "--exact", "--ignored"])
            .env(URL, &server.url)
            .env(STORE, bench.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a process")
    };
    let mut before = HashMap::new();
    // How often each question was in flight at a kill: the server had it, and its reply was not in the store.
    let mut in_flight: HashMap<String, usize> = HashMap::new();
    let mut random = 20_u64;
    for _ in 0..KILLS {
        let mut child = start();
        // A moment from before the first request to the middle of the run: after a number of requests, and some time.
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let wanted = server.total() + (random >> 33) as usize % 14;
        let started = Instant::now();
        while server.total() < wanted && started.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis((random >> 40) % 50));
        child.kill().expect("SIGKILL");
        child.wait().expect("the end");
        server.wait_for_the_end_of_connections();
        let questions = questions(&bench);
        let now = server.counts();
        for (messages, n) in &now {
            let n_new = n - before.get(messages).copied().unwrap_or(0);
            let (is_answered, is_attempted) = questions[messages];
            assert!(n_new <= 1, "asked {n_new} times by one process");
            if n_new == 1 && !is_answered {
                assert!(is_attempted, "sent before it was recorded");
                *in_flight.entry(messages.clone()).or_default() += 1;
            }
        }
        before = now;
    }
    assert!(start().wait().expect("the end").success());

    let units = PAIRS * 5;
    let n_in_flight: usize = in_flight.values().sum();
    assert!(n_in_flight > 0, "no kill hit a run");
    assert_eq!(server.total(), units + n_in_flight);
    let counts = server.counts();
    assert_eq!(counts.len(), units);
    for (messages, n) in counts {
        assert_eq!(n, 1 + in_flight.get(&messages).copied().unwrap_or(0));
    }

    let connection = rusqlite::Connection::open(bench.path()).expect("a store");
    let count = |sql: &str| -> usize {
        connection
            .query_row(sql, [], |row| row.get::<_, i64>(0))
            .expect("a number") as usize
    };
    let lost = count("SELECT count(*) FROM attempt WHERE outcome = 'lost'");
    assert_eq!(
        count("SELECT count(*) FROM attempt WHERE outcome = 'answered'"),
        units
    );
    assert_eq!(count("SELECT count(*) FROM attempt"), units + lost);
    assert_eq!(count("SELECT count(*) FROM reply"), units);
    assert_eq!(count("SELECT requests FROM spend"), units + lost);
    // A process may be killed between the reservation and the request.
    assert!(n_in_flight <= lost);
    // Nothing is open, and a further run asks nothing.
    let before = server.total();
    let (report, _) = bench.scored(&server.url, PAIRS);
    assert_complete(&report);
    assert_eq!(server.total(), before);
    assert_eq!(bench.rows().1.n_rows, PAIRS as u64);
}
