//! Time and memory of annotation against a server that answers in 20 ms, and of opening a large store. In: a number of
//! questions. Out: a table.
//!
//! Run `cargo xtask bench annotate -- --units 10000`. The server is in the same process, with a thread for each connection,
//! so the peak memory includes it. The ideal time is that of 64 questions at a time without any other cost. The
//! run itself finds its concurrency, from 16 to at most 64.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the table is the result"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use pref_annotate::{
    ApiKey, Basis, ChatJudge, ChatOptions, ConcurrencyOptions, Division, Format, Maker, Orders,
    RunOptions, Sampling, Scores, ServerKind, Store, TemplateKind, Work, ask, put_rows,
    read_replies,
};
use pref_data::{Pair, Record, Text};

/// The allocator of the `pref` command.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ANSWER_TIME: Duration = Duration::from_millis(20);
const IN_FLIGHT: u32 = 64;

/// Questions of a pair: five aspects in both orders.
const PER_PAIR: usize = 10;

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let at = words.iter().position(|word| word == "--units");
    let units = match at.and_then(|at| words.get(at + 1)).map(|text| text.parse()) {
        None => 10_000,
        Some(Ok(n)) => n,
        Some(Err(_)) => return eprintln!("--units needs a number"),
    };
    // As in `pref annotate`.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(measure_run(units));
    measure_resume(20 * units);
}

async fn measure_run(units: usize) {
    let template = TemplateKind::Scores
        .template()
        .expect("our own template is valid");
    let scores = Scores::new(&template, Orders::Both, 1).expect("our own template has all aspects");
    let work = Work::Scores(scores);
    let folder = tempfile::tempdir().expect("the disk has room");
    let mut store = Store::open(&folder.path().join("annotations.sqlite")).expect("a store");
    let options = ChatOptions {
        url: serve(),
        model: Some("judge".to_owned()),
        key: ApiKey::none(),
        format: Format::Auto,
        server: ServerKind::Auto,
        timeout: Duration::from_secs(10),
        check: false,
    };
    let judge = ChatJudge::connect(&options).await.expect("our own server");
    let maker = maker(&work, &template);
    let job = put_rows(&mut store, &maker, "judge", pairs(units / PER_PAIR)).expect("rows");
    let options = RunOptions {
        concurrency: ConcurrencyOptions {
            start: 16,
            most: IN_FLIGHT,
        },
        ..RunOptions::default()
    };
    let stop = AtomicBool::new(false);
    let start = Instant::now();
    let mut observer = ();
    let run = ask(
        &store,
        job,
        &judge,
        Some(&template),
        options,
        &stop,
        &mut observer,
    );
    let report = run.await.expect("a run");
    let seconds = start.elapsed().as_secs_f64();
    let ideal = units as f64 / f64::from(IN_FLIGHT) * ANSWER_TIME.as_secs_f64();
    println!(
        "{} of {units} questions answered in {seconds:.2} s, ideal {ideal:.2} s, {:+.1} %; peak {} MiB",
        report.progress.n_answered,
        100.0 * (seconds / ideal - 1.0),
        peak_mib()
    );
}

/// Puts `units` questions into a store, and measures how long it takes to open it and to find what is open.
fn measure_resume(units: usize) {
    let template = TemplateKind::Scores
        .template()
        .expect("our own template is valid");
    let scores = Scores::new(&template, Orders::Both, 1).expect("our own template has all aspects");
    let work = Work::Scores(scores);
    let folder = tempfile::tempdir().expect("the disk has room");
    let path = folder.path().join("annotations.sqlite");
    let maker = maker(&work, &template);
    let start = Instant::now();
    let mut store = Store::open(&path).expect("a store");
    put_rows(&mut store, &maker, "judge", pairs(units / PER_PAIR)).expect("rows");
    drop(store);
    let put = start.elapsed().as_secs_f64();
    let start = Instant::now();
    let mut store = Store::open(&path).expect("a store");
    let job = put_rows(&mut store, &maker, "judge", pairs(units / PER_PAIR)).expect("rows");
    read_replies(&mut store, job, Some(&template), "judge").expect("replies");
    let open = store.open_units(job).expect("units").len();
    println!(
        "{units} questions: put into a store in {put:.2} s; opened again in {:.2} s, {open} open",
        start.elapsed().as_secs_f64()
    );
}

fn maker<'a>(work: &'a Work, template: &'a pref_annotate::Template) -> Maker<'a> {
    Maker {
        work,
        template,
        sampling: Sampling::default(),
        basis: Basis::Messages,
        division: Division::Sentences,
    }
}

fn pairs(n: usize) -> Vec<Record> {
    let pair = |i: usize| {
        let texts = [
            format!("How many pens has Ann, who had {i} and found 3?"),
            format!(
                "Ann had {i} pens. She found 3 more. So she has {} pens.",
                i + 3
            ),
            format!(
                "Ann had {i} pens. She lost 3 of them. So she has {} pens.",
                i as i64 - 3
            ),
        ];
        let [prompt, chosen, rejected] = texts.map(Text::Plain);
        Record::Pair(Pair::new(prompt, chosen, rejected, i + 1))
    };
    (0..n).map(pair).collect()
}

/// Starts the server, and returns its URL.
fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer(stream));
        }
    });
    format!("http://{address}/v1")
}

fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let item = |i: usize| format!(r#"{{\"index\": {i}, \"reason\": \"as it is\", \"score\": 4}}"#);
    let items: Vec<String> = (1..=3).map(item).collect();
    let items = items.join(", ");
    let body = format!(
        r#"{{"model": "judge", "choices": [{{"message": {{"content": "{{\"a\": [{items}], \"b\": [{items}]}}"}}, "finish_reason": "stop"}}], "usage": {{"prompt_tokens": 400, "completion_tokens": 90}}}}"#
    );
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let line = line.trim().to_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        std::io::copy(&mut (&mut reader).take(length), &mut std::io::sink())?;
        std::thread::sleep(ANSWER_TIME);
        write!(
            stream,
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )?;
    }
}

/// The peak resident size of this process.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok());
    kib.unwrap_or(0) >> 10
}
