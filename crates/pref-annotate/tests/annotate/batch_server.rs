//! A server with a batch interface for the tests, on plain TCP. In: a function that answers a question. Out: an address,
//! and what was asked.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

/// Status and body of the answer to a question; none if the batch ends without it.
type Answer = dyn Fn(&Value, usize) -> Option<(u16, Value)> + Send + Sync;

#[derive(Default)]
pub(crate) struct Seen {
    files: HashMap<String, String>,
    /// File of the questions, and how often the state is still asked for before the batch ends.
    batches: Vec<(String, usize)>,
    /// How often each question is in a batch, by its messages.
    pub(crate) counts: HashMap<String, usize>,
    n_files: usize,
    /// Batches that are made and whose answer is lost on the way.
    pub(crate) n_lost: usize,
}

impl Seen {
    pub(crate) fn n_batches(&self) -> usize {
        self.batches.len()
    }

    pub(crate) fn n_questions(&self) -> usize {
        self.counts.values().sum()
    }
}

/// A server that runs as long as the test program.
pub(crate) struct BatchServer {
    pub(crate) url: String,
    pub(crate) seen: Arc<Mutex<Seen>>,
}

impl BatchServer {
    pub(crate) fn start(
        n_polls: usize,
        answer: impl Fn(&Value, usize) -> Option<(u16, Value)> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/v1", listener.local_addr().expect("an address"));
        let seen = Arc::new(Mutex::new(Seen::default()));
        let answer: Arc<Answer> = Arc::new(answer);
        let shared = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answer, seen) = (Arc::clone(&answer), Arc::clone(&shared));
                std::thread::spawn(move || {
                    let _ = serve(stream, &*answer, &seen, n_polls);
                });
            }
        });
        Self { url, seen }
    }
}

fn serve(
    mut stream: TcpStream,
    answer: &Answer,
    seen: &Mutex<Seen>,
    n_polls: usize,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let mut length = 0;
        loop {
            let mut header = String::new();
            if reader.read_line(&mut header)? == 0 {
                return Ok(());
            }
            if header.trim().is_empty() {
                break;
            }
            if let Some(value) = header.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let body = String::from_utf8_lossy(&body).into_owned();
        let (method, path) = line.split_once(' ').unwrap_or_default();
        let path = path.split(' ').next().unwrap_or_default();
        let path = path.split('?').next().unwrap_or_default();
        let mut seen = seen.lock().expect("no panic");
        let Some((status, text)) = answer_to(method, path, &body, answer, &mut seen, n_polls)
        else {
            return Ok(());
        };
        drop(seen);
        let head = format!(
            "HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n",
            text.len()
        );
        stream.write_all(format!("{head}{text}").as_bytes())?;
    }
}

/// Status and text of an answer; none if the connection is cut.
fn answer_to(
    method: &str,
    path: &str,
    body: &str,
    answer: &Answer,
    seen: &mut Seen,
    n_polls: usize,
) -> Option<(u16, String)> {
    let parts: Vec<&str> = path.trim_start_matches("/v1/").split('/').collect();
    let found = match (method, &parts[..]) {
        ("GET", ["models"]) => json!({"data": [{"id": "judge"}]}),
        ("POST", ["files"]) => {
            assert!(body.contains("name=\"purpose\"\r\n\r\nbatch\r\n"), "{body}");
            let lines = body.lines().filter(|line| line.starts_with('{'));
            let lines: Vec<&str> = lines.collect();
            seen.n_files += 1;
            let id = format!("file-{}", seen.n_files);
            seen.files.insert(id.clone(), lines.join("\n"));
            json!({"id": id, "object": "file", "purpose": "batch"})
        }
        ("POST", ["batches"]) => {
            let body: Value = serde_json::from_str(body).expect("JSON");
            let file = body["input_file_id"].as_str().expect("a file").to_owned();
            for line in seen.files[&file].lines() {
                let line: Value = serde_json::from_str(line).expect("JSON");
                assert_eq!(line["url"], "/v1/chat/completions");
                let messages = line["body"]["messages"].to_string();
                *seen.counts.entry(messages).or_default() += 1;
            }
            seen.batches.push((file, n_polls));
            if seen.n_lost > 0 {
                seen.n_lost -= 1;
                return None;
            }
            batch(seen, seen.batches.len() - 1)
        }
        ("GET", ["batches"]) => {
            let all: Vec<Value> = (0..seen.batches.len()).map(|i| batch(seen, i)).collect();
            json!({"data": all, "has_more": false})
        }
        ("GET", ["batches", id]) => {
            let i: usize = id.trim_start_matches("batch-").parse().expect("a number");
            let left = &mut seen.batches[i].1;
            *left = left.saturating_sub(1);
            batch(seen, i)
        }
        ("GET", ["files", id, "content"]) => {
            let input = id.trim_start_matches("output-of-");
            let mut lines = String::new();
            for line in seen.files[input].lines() {
                let line: Value = serde_json::from_str(line).expect("JSON");
                let n = seen.counts[&line["body"]["messages"].to_string()];
                if let Some((status, body)) = answer(&line["body"], n - 1) {
                    let response = json!({"status_code": status, "body": body});
                    let line = json!({"custom_id": line["custom_id"], "response": response, "error": null});
                    lines.push_str(&format!("{line}\n"));
                }
            }
            return Some((200, lines));
        }
        _ => return Some((404, json!({"error": {"message": "not here"}}).to_string())),
    };
    Some((200, found.to_string()))
}

fn batch(seen: &Seen, i: usize) -> Value {
    let (file, left) = &seen.batches[i];
    let mut batch = json!({"id": format!("batch-{i}"), "input_file_id": file});
    match left {
        0 => {
            batch["status"] = json!("completed");
            batch["output_file_id"] = json!(format!("output-of-{file}"));
        }
        _ => batch["status"] = json!("in_progress"),
    }
    batch
}
