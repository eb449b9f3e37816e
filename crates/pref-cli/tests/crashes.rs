//! `pref train` killed again and again at random moments, many of them while a checkpoint is written, and resumed
//! each time. The weights and the metrics are those of a run that was never killed.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use common::{Said, model, pref, write_pairs};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Number of optimiser steps of a run: more than the killed processes take together, on a fast machine as well.
const STEPS: usize = 120;

/// A run that is started in the same way each time.
struct Job {
    data: PathBuf,
    output: PathBuf,
    more: Vec<&'static str>,
}

impl Job {
    fn command(&self, output: &Path) -> std::process::Command {
        let resumes = has_checkpoint(output);
        let steps = format!("train.steps={STEPS}");
        let (data, output) = (
            self.data.display().to_string(),
            output.display().to_string(),
        );
        let llama = model("llama");
        let mut args = vec![
            "train", "--data", &data, "--model", &llama, "--output", &output,
        ];
        let fixed = [
            steps.as_str(),
            "train.batch-size=2",
            "train.save-every=1",
            "train.eval-every=4",
            "train.learning-rate=1e-3",
            "data.eval-fraction=0.2",
            "data.max-length=128",
        ];
        for setting in fixed.iter().chain(&self.more) {
            args.extend(["--set", setting]);
        }
        if resumes {
            args.push("--resume");
        }
        pref(&args)
    }

    /// Starts the run, or resumes it, and kills the process at a random moment. The result is false if the process
    /// ended before.
    fn start_and_kill(&self, n: u64, rng: &mut impl Rng) -> bool {
        let mut child = self
            .command(&self.output)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let delay = match n % 4 {
            // during the set-up, or at most two lines of the metrics later
            0 => {
                let started = Instant::now();
                let limit = Duration::from_micros(rng.random_range(0..600_000));
                let last = n_lines(&self.output) + 2;
                wait(&mut child, || {
                    started.elapsed() >= limit || n_lines(&self.output) >= last
                });
                Duration::ZERO
            }
            // some steps later
            1 => {
                let n_lines = n_lines(&self.output) + rng.random_range(1..4);
                wait(&mut child, || n_lines <= self::n_lines(&self.output));
                Duration::from_micros(rng.random_range(0..20_000))
            }
            // while a checkpoint is written
            _ => {
                // first without what an earlier kill left
                wait(&mut child, || !is_writing(&self.output));
                wait(&mut child, || is_writing(&self.output));
                Duration::from_micros(rng.random_range(0..4_000))
            }
        };
        std::thread::sleep(delay);
        child.kill().unwrap(); // SIGKILL
        !child.wait().unwrap().success()
    }
}

/// Waits until a condition holds, or the process ends.
fn wait(child: &mut Child, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() && child.try_wait().unwrap().is_none() {
        assert!(started.elapsed() < Duration::from_secs(120), "no progress");
        std::thread::sleep(Duration::from_micros(200));
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect()
}

fn has_checkpoint(run: &Path) -> bool {
    let names = names(&run.join("checkpoints"));
    names.iter().any(|name| name.starts_with("step-"))
}

/// Whether a checkpoint has a temporary name.
fn is_writing(run: &Path) -> bool {
    let names = names(&run.join("checkpoints"));
    names.iter().any(|name| name.starts_with(".step-"))
}

fn n_lines(run: &Path) -> usize {
    let metrics = fs::read_to_string(run.join("metrics.jsonl"));
    metrics.map_or(0, |text| text.lines().count())
}

/// The files that decide a run: the trained weights and the metrics.
fn result(run: &Path, weights: &str) -> [Vec<u8>; 2] {
    [
        fs::read(run.join("model").join(weights)).unwrap(),
        fs::read(run.join("metrics.jsonl")).unwrap(),
    ]
}

fn check(seed: u64, kills: u64, more: &[&'static str], weights: &str) {
    let folder = tempfile::tempdir().unwrap();
    let job = Job {
        data: write_pairs(folder.path(), 20),
        output: folder.path().join("killed"),
        more: more.to_vec(),
    };
    let whole = folder.path().join("whole");
    let said = Said::new(&job.command(&whole).output().unwrap());
    assert_eq!(said.code, Some(0), "{}", said.err);

    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut n_incomplete = 0;
    for n in 0..kills {
        assert!(job.start_and_kill(n, &mut rng), "it ended before kill {n}");
        n_incomplete += usize::from(is_writing(&job.output));
    }
    // Half of the kills aim at it.
    assert!(n_incomplete > 0, "no checkpoint was incomplete");
    let said = Said::new(&job.command(&job.output).output().unwrap());
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(!is_writing(&job.output));
    let [ours, expected] = [&job.output, &whole].map(|run| result(run, weights));
    assert!(ours[0] == expected[0], "the weights differ");
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    assert_eq!(text(&ours[1]), text(&expected[1]));
}

#[test]
fn a_run_that_is_killed_25_times_ends_with_the_same_bytes() {
    check(1, 25, &[], "model.safetensors");
}

#[test]
fn a_run_of_an_adapter_that_is_killed_ends_with_the_same_bytes() {
    let more = ["train.lora.rank=4", "train.lora.dropout=0.1"];
    check(2, 8, &more, "adapter_model.safetensors");
}

/// With a reference that follows the policy, and the best evaluation as the final model.
#[test]
fn a_run_of_muon_that_is_killed_ends_with_the_same_bytes() {
    let more = [
        "train.optimizer=muon",
        "model.sync-reference=true",
        "model.sync-every=3",
        "train.load-best=true",
        "train.log-entropy=true",
    ];
    check(3, 8, &more, "model.safetensors");
}
