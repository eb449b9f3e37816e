//! A process that is killed. In: a run in a process of its own, SIGKILL at random moments. Out: every unit is answered
//! once, and only what was in flight is asked again.

use std::process::{Command, Stdio};
use std::time::Duration;

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
        pref_annotate::read_replies(&mut store, job, &bench.template, model).expect("replies");
        let stop = std::sync::atomic::AtomicBool::new(false);
        let mut observer = ();
        let run = pref_annotate::ask(
            &store,
            job,
            &judge,
            &bench.template,
            bench.options,
            &stop,
            &mut observer,
        );
        run.await.expect("a run");
    });
}

#[test]
fn a_run_that_is_killed_asks_again_only_what_was_in_flight() {
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
    for kill in 0..KILLS {
        let mut child = start();
        // From before the first request to the middle of the run.
        std::thread::sleep(Duration::from_millis(u64::from(kill * 37 % 20) * 8 + 20));
        child.kill().expect("SIGKILL");
        child.wait().expect("the end");
    }
    assert!(start().wait().expect("the end").success());

    let units = PAIRS * 5;
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
    assert!(
        server.total() <= units + lost && server.total() >= units,
        "{}",
        server.total()
    );
    assert!(lost > 0, "no kill hit a run");
    // Nothing is open, and a further run asks nothing.
    let before = server.total();
    let (report, _) = bench.scored(&server.url, PAIRS);
    assert_complete(&report);
    assert_eq!(server.total(), before);
    assert_eq!(bench.rows().1.n_rows, PAIRS as u64);
}
