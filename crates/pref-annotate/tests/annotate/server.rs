//! A chat server for the tests, on plain TCP. In: a function that answers. Out: an address, and counts of requests.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

/// What the server does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Status, headers, body.
    Answer(u16, Vec<(&'static str, String)>, String),
    /// Sends these bytes and closes the connection.
    Raw(Vec<u8>),
    /// Sends a byte every so often, without an end.
    Drip,
    /// Sends data without an end.
    Flood,
    /// Closes the connection without an answer.
    Reset,
    /// Waits, and then does another thing.
    After(Duration, Box<Act>),
}

/// A request to answer.
pub(crate) struct Asked {
    /// The body.
    pub(crate) body: Value,
    /// The number of this question among equal ones, from 0.
    pub(crate) n: usize,
    /// The number of the request, from 0.
    pub(crate) total: usize,
}

type Answer = dyn Fn(&Asked) -> Act + Send + Sync;

/// What the server saw.
#[derive(Default)]
pub(crate) struct Seen {
    /// Requests, by their messages.
    pub(crate) counts: Mutex<HashMap<String, usize>>,
    pub(crate) total: AtomicUsize,
    pub(crate) in_flight: AtomicUsize,
    pub(crate) most_in_flight: AtomicUsize,
    connections: AtomicUsize,
    /// Bodies, in the order of arrival.
    pub(crate) bodies: Mutex<Vec<Value>>,
    /// Lines of headers.
    pub(crate) headers: Mutex<Vec<String>>,
    stop: AtomicBool,
}

/// A server that runs until it is dropped.
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) seen: Arc<Seen>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.seen.stop.store(true, Ordering::SeqCst);
        let address = self.url.replace("http://", "").replace("/v1", "");
        let _ = TcpStream::connect(address);
    }
}

impl Server {
    pub(crate) fn start(answer: impl Fn(&Asked) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/v1", listener.local_addr().expect("an address"));
        let seen = Arc::new(Seen::default());
        let answer: Arc<Answer> = Arc::new(answer);
        let shared = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.stop.load(Ordering::SeqCst) {
                    break;
                }
                let Ok(stream) = stream else { continue };
                let (answer, seen) = (Arc::clone(&answer), Arc::clone(&shared));
                seen.connections.fetch_add(1, Ordering::SeqCst);
                std::thread::spawn(move || {
                    let _ = serve(stream, &*answer, &seen);
                    seen.connections.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { url, seen }
    }

    pub(crate) fn total(&self) -> usize {
        self.seen.total.load(Ordering::SeqCst)
    }

    /// Waits until all connections have ended, which they do after the process at their other end has.
    pub(crate) fn wait_for_the_end_of_connections(&self) {
        let mut n_quiet = 0;
        while n_quiet < 3 {
            std::thread::sleep(Duration::from_millis(5));
            match self.seen.connections.load(Ordering::SeqCst) {
                0 => n_quiet += 1,
                _ => n_quiet = 0,
            }
        }
    }

    /// How often each question was asked, by its messages.
    pub(crate) fn counts(&self) -> HashMap<String, usize> {
        self.seen.counts.lock().expect("no panic").clone()
    }

    /// The most requests of one question.
    pub(crate) fn most_of_one(&self) -> usize {
        let counts = self.seen.counts.lock().expect("no panic");
        counts.values().copied().max().unwrap_or(0)
    }
}

fn serve(stream: TcpStream, answer: &Answer, seen: &Seen) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let mut length = 0;
        loop {
            let mut header = String::new();
            if reader.read_line(&mut header)? == 0 {
                return Ok(());
            }
            let header = header.trim().to_owned();
            if header.is_empty() {
                break;
            }
            if let Some(value) = header.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
            seen.headers.lock().expect("no panic").push(header);
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        if path.ends_with("/models") {
            let models = json!({"data": [{"id": "judge"}]}).to_string();
            write_answer(&mut stream, 200, &[], &models)?;
            continue;
        }
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let n = {
            let mut counts = seen.counts.lock().expect("no panic");
            let count = counts.entry(body["messages"].to_string()).or_default();
            *count += 1;
            *count - 1
        };
        seen.bodies.lock().expect("no panic").push(body.clone());
        let total = seen.total.fetch_add(1, Ordering::SeqCst);
        let in_flight = seen.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        seen.most_in_flight.fetch_max(in_flight, Ordering::SeqCst);
        let mut act = answer(&Asked { body, n, total });
        while let Act::After(wait, next) = act {
            std::thread::sleep(wait);
            act = *next;
        }
        seen.in_flight.fetch_sub(1, Ordering::SeqCst);
        match act {
            Act::Answer(status, headers, body) => {
                write_answer(&mut stream, status, &headers, &body)?;
            }
            Act::Raw(bytes) => {
                stream.write_all(&bytes)?;
                return Ok(());
            }
            Act::Reset => return Ok(()),
            Act::Drip => {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")?;
                loop {
                    stream.write_all(b" ")?;
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
            Act::Flood => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")?;
                loop {
                    stream.write_all(&[b'x'; 1 << 16])?;
                }
            }
            Act::After(..) => {}
        }
    }
}

fn write_answer(
    stream: &mut TcpStream,
    status: u16,
    headers: &[(&'static str, String)],
    body: &str,
) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{head}\r\n{body}").as_bytes())
}

/// A chat reply with this text.
pub(crate) fn chat(text: &str) -> Value {
    json!({
        "model": "judge-2026",
        "system_fingerprint": "fp1",
        "choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 20, "prompt_tokens_details": {"cached_tokens": 60}},
    })
}

pub(crate) fn ok(body: &Value) -> Act {
    Act::Answer(200, Vec::new(), body.to_string())
}

/// Keeps a request until `flag` is set, and closes its connection.
pub(crate) fn until(flag: &AtomicBool) -> Act {
    while !flag.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_millis(1));
    }
    Act::Reset
}

pub(crate) fn status(status: u16, message: &str) -> Act {
    let body = json!({"error": {"message": message}}).to_string();
    Act::Answer(status, Vec::new(), body)
}

/// A right reply to a question of scores: every sentence gets `score`, or the highest score that the schema allows
/// below it.
pub(crate) fn judged(body: &Value, score: i64) -> Act {
    ok(&chat(&judgement(body, score)))
}

pub(crate) fn judgement(body: &Value, score: i64) -> String {
    let text = body["messages"].to_string();
    let count = |name: &str| -> usize {
        let mark = format!("<{name}> (");
        let Some(at) = text.find(&mark) else { return 0 };
        let rest = &text[at + mark.len()..];
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap_or(0)
    };
    let score = match text.contains("one aspect: safety") && score < 4 {
        true => 0,
        false => score,
    };
    let list = |n: usize| -> Value {
        let item = |i: usize| json!({"index": i, "reason": "because", "score": score});
        (1..=n).map(item).collect()
    };
    let mut reply = json!({"a": list(count("answer_a"))});
    if count("answer_b") > 0 {
        reply["b"] = list(count("answer_b"));
    }
    reply.to_string()
}
