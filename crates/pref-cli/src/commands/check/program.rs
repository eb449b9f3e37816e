//! A program that checks answers. In: a response and an expected answer. Out: its verdict, or why there is none.
//!
//! One process answers for all rows. It reads a JSON object on a line, `{"response": …, "answer": …}`, and writes one on
//! a line: `{"verdict": "equal"}`, or `{"is_correct": true}`, with `extracted` if it has it. A process that takes too
//! long, ends or writes something else is ended and started again for the next row.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use pref_eval::Verdict;
use serde_json::{Value, json};

/// Longest line of a reply, in bytes.
const MAX_REPLY: u64 = 1 << 20;

pub(super) struct Program {
    words: Vec<String>,
    limit: Duration,
    process: Option<Process>,
}

/// A running process. Threads write and read, so that neither a full pipe nor a missing reply blocks the command.
struct Process {
    child: Child,
    requests: Sender<String>,
    replies: Receiver<std::io::Result<String>>,
}

/// What a program says of a row.
pub(super) struct Reply {
    pub(super) extracted: Option<String>,
    pub(super) verdict: Verdict,
}

impl Program {
    /// Starts the program.
    ///
    /// # Errors
    /// If it cannot be started.
    pub(super) fn start(words: &[String], limit: Duration) -> Result<Self> {
        Ok(Self {
            words: words.to_vec(),
            limit,
            process: Some(Process::start(words)?),
        })
    }

    /// The verdict on a row.
    pub(super) fn ask(&mut self, response: &str, answer: &str) -> Result<Reply> {
        let mut process = match self.process.take() {
            Some(process) => process,
            None => Process::start(&self.words)?,
        };
        let request = json!({"response": response, "answer": answer}).to_string();
        let reply = process.ask(request, self.limit)?;
        let reply = parse(&reply)?;
        // After an error the process is dropped, and with it ended.
        self.process = Some(process);
        Ok(reply)
    }
}

impl Process {
    fn start(words: &[String]) -> Result<Self> {
        let mut child = Command::new(&words[0])
            .args(&words[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| {
                format!(
                    "the program `{}` of --answers command: cannot be started",
                    words.join(" ")
                )
            })?;
        let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            bail!("the program `{}` has no stdin or stdout", words.join(" "));
        };
        let (requests, to_write) = channel::<String>();
        thread::spawn(move || {
            for request in to_write {
                if writeln!(stdin, "{request}")
                    .and_then(|()| stdin.flush())
                    .is_err()
                {
                    break;
                }
            }
        });
        let (to_read, replies) = channel();
        thread::spawn(move || {
            let mut stdout = BufReader::new(stdout);
            loop {
                let mut line = String::new();
                let read = stdout
                    .by_ref()
                    .take(MAX_REPLY)
                    .read_line(&mut line)
                    .map(|_| line);
                let is_last = read.as_ref().map_or(true, String::is_empty);
                if to_read.send(read).is_err() || is_last {
                    break;
                }
            }
        });
        Ok(Self {
            child,
            requests,
            replies,
        })
    }

    fn ask(&mut self, request: String, limit: Duration) -> Result<String> {
        // A line that no row asked for would be taken as the reply to this one.
        if let Ok(early) = self.replies.try_recv() {
            match early {
                Ok(line) if line.is_empty() => bail!("the program ended {}", self.status()),
                Ok(line) => bail!(
                    "the program wrote more than one line for a row: {}",
                    shown(&line)
                ),
                Err(error) => return Err(error).context("the program's output cannot be read"),
            }
        }
        if self.requests.send(request).is_err() {
            bail!("the program ended {}", self.status());
        }
        match self.replies.recv_timeout(limit) {
            Ok(Ok(line)) if line.is_empty() => bail!("the program ended {}", self.status()),
            Ok(Ok(line)) => Ok(line),
            Ok(Err(error)) => Err(error).context("the program's output cannot be read"),
            Err(RecvTimeoutError::Timeout) => {
                bail!(
                    "no reply within {} seconds (--time-limit)",
                    limit.as_secs_f64()
                )
            }
            Err(RecvTimeoutError::Disconnected) => bail!("the program ended {}", self.status()),
        }
    }

    /// How the program ended. A program that only closed its output is ended first.
    fn status(&mut self) -> String {
        for _ in 0..20 {
            match self.child.try_wait() {
                Ok(Some(status)) => return format!("with {status}"),
                Ok(None) => thread::sleep(Duration::from_millis(10)),
                Err(error) => return format!("and its status cannot be read: {error}"),
            }
        }
        "its output".to_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn parse(line: &str) -> Result<Reply> {
    const EXPECTED: &str = r#"expected {"verdict": "equal", "different" or "unknown"} or {"is_correct": true or false}"#;
    let reply: Value = serde_json::from_str(line)
        .with_context(|| format!("the program wrote {}, {EXPECTED}", shown(line)))?;
    let verdict = match (&reply["verdict"], &reply["is_correct"]) {
        (Value::Null, Value::Bool(true)) => Verdict::Equal,
        (Value::Null, Value::Bool(false)) => Verdict::Different,
        (verdict, _) => serde_json::from_value(verdict.clone())
            .with_context(|| format!("the program wrote {}, {EXPECTED}", shown(line)))?,
    };
    let extracted = reply["extracted"].as_str().map(str::to_owned);
    Ok(Reply { extracted, verdict })
}

/// The start of a line, for messages.
fn shown(line: &str) -> String {
    let start: String = line.trim_end().chars().take(80).collect();
    format!("`{start}`")
}
