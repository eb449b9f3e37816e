//! A server inside the test's process that answers as the Hugging Face hub does. In: the files of a data
//! set or a model. Out: an address, and the list of paths that were requested. The tests of `pref` use
//! this file too.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::json;

/// The commit of the branch `main` of every repository.
pub(crate) const COMMIT: &str = "c0ffeec0ffeec0ffeec0ffeec0ffeec0ffee1234";

/// Names of files and their bytes.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// A running server.
pub(crate) struct HubServer {
    pub(crate) address: String,
    requests: Arc<Mutex<Vec<String>>>,
    /// If it is set, requests without this token are refused.
    token: Arc<Mutex<Option<String>>>,
}

impl HubServer {
    /// A server of some repositories, each as its path (`models/me/tiny` or `datasets/me/pairs`) and its
    /// files.
    pub(crate) fn new(repositories: &[(&str, Files)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (bodies, log) = (Arc::new(bodies(repositories)), Arc::clone(&requests));
        let token = Arc::new(Mutex::new(None));
        let expected = Arc::clone(&token);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { continue };
                let (bodies, log) = (Arc::clone(&bodies), Arc::clone(&log));
                let expected = Arc::clone(&expected);
                std::thread::spawn(move || answer(stream, &bodies, &log, &expected));
            }
        });
        Self {
            address,
            requests,
            token,
        }
    }

    /// Refuses all further requests without this token.
    #[allow(dead_code, reason = "only the tests of `pref` need it")]
    pub(crate) fn require_token(&self, token: &str) {
        *self.token.lock().unwrap() = Some(token.to_owned());
    }

    /// The paths that were requested since the last call.
    pub(crate) fn take_requests(&self) -> Vec<String> {
        std::mem::take(&mut self.requests.lock().unwrap())
    }
}

/// The answer of the server to each path.
fn bodies(repositories: &[(&str, Files)]) -> Files {
    let mut bodies = Files::new();
    for (repository, files) in repositories {
        let names: Vec<_> = files
            .keys()
            .map(|name| json!({"rfilename": name}))
            .collect();
        let list = json!({"sha": COMMIT, "siblings": names}).to_string();
        // in the paths of files, models have no prefix
        let prefix = repository.strip_prefix("models/").unwrap_or(repository);
        for revision in ["main", COMMIT] {
            let path = format!("/api/{repository}/revision/{revision}");
            bodies.insert(path, list.clone().into_bytes());
            for (name, bytes) in files {
                let path = format!("/{prefix}/resolve/{revision}/{name}");
                bodies.insert(path, bytes.clone());
            }
        }
    }
    bodies
}

/// Answers requests until the client closes the connection.
fn answer(
    mut stream: TcpStream,
    bodies: &Files,
    log: &Mutex<Vec<String>>,
    token: &Mutex<Option<String>>,
) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let mut request = String::new();
        if reader.read_line(&mut request).unwrap_or(0) == 0 {
            return;
        }
        let path = request.split(' ').nth(1).unwrap().to_owned();
        let mut range = (0, usize::MAX);
        let mut authorization = String::new();
        loop {
            let mut header = String::new();
            if reader.read_line(&mut header).unwrap_or(0) == 0 {
                return;
            }
            let header = header.trim().to_lowercase();
            if header.is_empty() {
                break;
            }
            if let Some(value) = header.strip_prefix("authorization: bearer ") {
                authorization = value.to_owned();
            }
            if let Some(value) = header.strip_prefix("range: bytes=") {
                let (start, end) = value.split_once('-').unwrap();
                range = (start.parse().unwrap(), end.parse().unwrap_or(usize::MAX));
            }
        }
        log.lock().unwrap().push(path.clone());
        let expected = token.lock().unwrap().clone();
        let is_refused = expected.is_some_and(|expected| expected != authorization);
        let (status, body) = match bodies.get(&path) {
            _ if is_refused => ("401 Unauthorized", &b""[..]),
            Some(body) if path.starts_with("/api") => ("200 OK", &body[..]),
            Some(body) => ("206 Partial Content", &body[..]),
            None => ("404 Not Found", &b""[..]),
        };
        let end = body.len().min(range.1.saturating_add(1));
        let part = &body[range.0.min(end)..end];
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\nContent-Range: bytes {}-{}/{}\r\n\
             ETag: \"{}\"\r\nX-Repo-Commit: {COMMIT}\r\nContent-Type: application/json\r\n\r\n",
            part.len(),
            range.0,
            end.saturating_sub(1),
            body.len(),
            path.replace('/', "-"),
        );
        if stream.write_all(&[head.as_bytes(), part].concat()).is_err() {
            return;
        }
    }
}
