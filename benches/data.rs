//! Time and memory from a file of pairs to padded batches, compared with `datasets` and
//! `transformers`. In: a number of pairs. Out: a table.
//!
//! Run `cargo xtask bench data -- --pairs 60000 --python VENV/bin/python`. Without `--python`, only
//! Pref is measured. The Python side needs datasets, transformers and torch. The memory is the peak
//! resident size of the process, the tokenizer included.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the table is the result"
)]

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use pref_benches::text::{tokenizer_folder, write_pairs};
use pref_data::{
    BatchLayout, Pair, ReadError, ReadOptions, TokenizeOptions, Tokenizer, each_pair, tokenize,
};

/// The allocator of the `pref` command.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PAIRS_PER_BATCH: usize = 8;

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let value = |name: &str| {
        let at = words.iter().position(|word| word == name)?;
        words.get(at + 1).cloned()
    };
    let pairs: usize = match value("--pairs").map(|text| text.parse()) {
        None => 8_000,
        Some(Ok(n)) => n,
        Some(Err(_)) => return eprintln!("--pairs needs a number"),
    };
    let folder = tempfile::tempdir().expect("the disk has room for a file");
    println!(
        "{:>8} {:>9} {:>8} {:>12} {:>10} {:>9}",
        "pairs", "MB", "seconds", "tokens/s", "tokens", "peak MiB"
    );
    let mut seconds = 0.0;
    let mut path = folder.path().join("none");
    for n in [pairs / 4, pairs] {
        path = folder.path().join(format!("{n}.jsonl"));
        write_pairs(&path, n).expect("the disk has room for a file");
        seconds = measure_pref(&path, n);
    }
    if let Some(python) = value("--python") {
        for processes in ["1", "2"] {
            measure_python(&python, &path, processes, seconds);
        }
    }
}

/// Prints a row of the table, and returns the seconds.
fn measure_pref(path: &Path, n: usize) -> f64 {
    let tokenizer =
        Tokenizer::from_folder(&tokenizer_folder()).expect("fixtures are in the repository");
    reset_peak();
    let start = Instant::now();
    let (mut tokens, mut cells) = (0, 0);
    let read = each_pair::<ReadError>(path, &ReadOptions::default(), |pairs: Vec<Pair>| {
        let tokenized = tokenize(&pairs, &tokenizer, &TokenizeOptions::default());
        let rows = tokenized.expect("the made-up pairs can be tokenised").rows;
        let layout = BatchLayout {
            pairs: PAIRS_PER_BATCH,
            ..BatchLayout::default()
        };
        for indices in layout.length_sorted(&rows) {
            let batch: Vec<_> = indices.iter().map(|&i| &rows[i]).collect();
            let ids: Vec<_> = batch.iter().map(|pair| pair.ids()).collect();
            cells += layout.of_both_answers(&ids).tokens.len();
            tokens += batch.iter().map(|pair| pair.n_tokens()).sum::<usize>();
        }
        Ok(())
    });
    read.expect("the made-up pairs can be read");
    let seconds = start.elapsed().as_secs_f64();
    let bytes = std::fs::metadata(path).map_or(0, |file| file.len());
    println!(
        "{n:>8} {:>9.1} {seconds:>8.2} {:>12.0} {:>10.0} {:>9.1}",
        bytes as f64 / 1e6,
        tokens as f64 / seconds,
        tokens as f64 / (2 * n) as f64,
        peak_mib(),
    );
    assert!(cells >= tokens, "a padded batch has a cell for each token");
    seconds
}

/// Peak resident size since the last reset, in MiB; NaN on systems other than Linux.
fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kib.unwrap_or(f64::NAN) / 1024.0
}

/// Sets the peak to the current resident size.
fn reset_peak() {
    // a kernel that does not support this keeps the peak of the previous run
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// Runs `peer.py`, and prints its time as a multiple of `pref_seconds`.
fn measure_python(python: &str, path: &Path, processes: &str, pref_seconds: f64) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peer.py");
    let cache = tempfile::tempdir().expect("the disk has room for a cache");
    let output = Command::new(python)
        .arg(script)
        .arg(path)
        .arg(tokenizer_folder())
        .args([processes.as_ref(), cache.path().as_os_str()])
        .output();
    let output = match output {
        Ok(output) if output.status.success() => output.stdout,
        Ok(output) => return eprintln!("{}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => return eprintln!("{python}: {error}"),
    };
    let figures: serde_json::Value =
        serde_json::from_slice(&output).expect("the script prints one JSON object");
    let total = figures["total"].as_f64().unwrap_or_default();
    println!(
        "datasets + transformers, {processes} processes: {total:.1} s, {:.1} times the time of Pref; {figures}",
        total / pref_seconds
    );
}
