//! Two processes that `mpirun` starts, compared with one.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::{Said, model, run, write_pairs};

/// `mpirun` with two processes, on a machine that may have one core, for any user.
fn mpirun() -> Command {
    let mut command = Command::new("mpirun");
    command
        .args(["--oversubscribe", "--bind-to", "none", "-n", "2"])
        .env("OMPI_ALLOW_RUN_AS_ROOT", "1")
        .env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")
        .env("NO_COLOR", "1");
    command
}

/// The command that runs `pref` in two processes.
fn two(arguments: &[String]) -> Command {
    let mut command = mpirun();
    command.arg(env!("CARGO_BIN_EXE_pref")).args(arguments);
    command
}

fn run_two(arguments: &[String]) -> Said {
    Said::new(&two(arguments).output().unwrap())
}

fn run_one(arguments: &[String]) -> Said {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    run(&arguments)
}

struct Bench {
    folder: tempfile::TempDir,
    data: PathBuf,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = write_pairs(folder.path(), 12);
        Self { folder, data }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The arguments of a run of three steps of four pairs, in forward passes of at most two.
    fn train(&self, command: &[&str], output: &str, more: &[&str]) -> Vec<String> {
        let mut all: Vec<String> = command.iter().map(|&word| word.to_owned()).collect();
        for (flag, value) in [
            ("--data", self.data.display().to_string()),
            ("--model", model("llama")),
            ("--output", self.path(output).display().to_string()),
        ] {
            all.extend([flag.to_owned(), value]);
        }
        let settings = [
            "train.batch-size=2",
            "train.gradient-accumulation=2",
            "train.steps=3",
            "train.learning-rate=1e-3",
            "data.eval-fraction=0.25",
        ];
        for setting in settings
            .iter()
            .chain(more.iter().filter(|word| word.contains('=')))
        {
            all.extend(["--set".to_owned(), (*setting).to_owned()]);
        }
        let flags = more.iter().filter(|word| !word.contains('='));
        all.extend(flags.map(|&word| word.to_owned()));
        all
    }

    /// Runs the same training in one process and in two, and compares all results.
    #[track_caller]
    fn check(&self, command: &[&str], more: &[&str], files: &[&str]) {
        let name = [command, more].concat().join(" ").replace('/', "_");
        let outputs = ["one", "two"].map(|n| format!("{n} {name}"));
        let [one, two] = [0, 1].map(|n| self.train(command, &outputs[n], more));
        for said in [run_one(&one), run_two(&two)] {
            assert_eq!(said.code, Some(0), "{name}: {}", said.err);
        }
        let [one, two] = outputs.map(|output| self.path(&output));
        for file in files {
            let [one, two] = [&one, &two].map(|run| std::fs::read(run.join(file)).unwrap());
            assert!(one == two, "{name}: {file} differs");
        }
    }
}

const MODEL: &str = "model/model.safetensors";

#[test]
fn two_processes_end_with_the_bytes_of_one_with_as_many_forward_passes() {
    let bench = Bench::new();
    let files = [MODEL, "metrics.jsonl", "reference.safetensors"];
    bench.check(&["train", "--objective", "adpo"], &[], &files);
    let files = [MODEL, "metrics.jsonl"];
    bench.check(
        &["train", "--objective", "kto"],
        &["model.reference=frozen-copy"],
        &files,
    );
    bench.check(
        &["reward-model", "train", "--kind", "bradley-terry"],
        &[],
        &files,
    );
    // The dropout of a forward pass does not depend on the rank that computes it.
    let adapter = ["model/adapter_model.safetensors", "metrics.jsonl"];
    bench.check(&["sft"], &["train.lora.dropout=0.2"], &adapter);
}

#[test]
fn a_step_of_one_pair_leaves_the_second_process_without_work() {
    let bench = Bench::new();
    let few = ["train.batch-size=1", "train.gradient-accumulation=1"];
    let command = ["train", "--objective", "dpo"];
    bench.check(&command, &few, &[MODEL, "metrics.jsonl"]);
}

#[test]
fn a_killed_process_ends_the_run_which_can_be_resumed_with_two_processes_only() {
    let bench = Bench::new();
    let long = [
        "train.steps=24",
        "train.save-every=2",
        "train.eval-every=10",
    ];
    let command = ["train", "--objective", "dpo"];
    let whole = run_two(&bench.train(&command, "whole", &long));
    assert_eq!(whole.code, Some(0), "{}", whole.err);

    let once = bench.train(&command, "killed", &long);
    let mut child = two(&once)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let checkpoint = bench.path("killed/checkpoints/step-000004");
    let started = Instant::now();
    while !checkpoint.exists() && started.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(2));
    }
    kill_last(&child);
    let status = child.wait().unwrap();
    assert!(!status.success(), "mpirun ends the other process");

    let resumed = bench.train(&command, "killed", &[&long[..], &["--resume"]].concat());
    let alone = run_one(&resumed);
    assert_eq!(alone.code, Some(1));
    let error = alone.err.lines().last().unwrap_or_default();
    let error = error.replace(&bench.path("killed").display().to_string(), "[run]");
    insta::assert_snapshot!(error, @"error: the run in [run] began with 2 processes, and now there is 1; sums over another number of processes have other last bits, so start 2 processes, or a new run in another --output");
    let said = run_two(&resumed);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let bytes = |run: &str| std::fs::read(bench.path(run).join(MODEL)).unwrap();
    assert!(bytes("killed") == bytes("whole"));
}

#[test]
fn an_error_on_one_process_ends_both_with_its_message() {
    let bench = Bench::new();
    let good = bench.train(&["train", "--objective", "dpo"], "run", &[]);
    let bad = bench.train(
        &["train", "--objective", "dpo"],
        "run",
        &["train.lora.rank=0"],
    );
    let quoted = |arguments: &[String]| {
        arguments
            .iter()
            .map(|a| format!("'{a}'"))
            .collect::<Vec<_>>()
            .join(" ")
    };
    let pref = env!("CARGO_BIN_EXE_pref");
    let script = format!(
        "if [ \"$OMPI_COMM_WORLD_RANK\" = 1 ]; then exec '{pref}' {}; else exec '{pref}' {}; fi",
        quoted(&bad),
        quoted(&good)
    );
    let output = mpirun().args(["sh", "-c", &script]).output().unwrap();
    let said = Said::new(&output);
    assert_eq!(said.code, Some(1), "{}", said.err);
    let errors: Vec<&str> = said
        .err
        .lines()
        .filter(|line| line.starts_with("error: "))
        .collect();
    insta::assert_snapshot!(errors.join("\n"), @"error: rank 1 of 2 failed: `train.lora.rank` must be at least 1, found 0");
    assert!(!bench.path("run").exists(), "nothing was written");
}

#[test]
fn rows_are_divided_and_printed_in_their_order() {
    let folder = tempfile::tempdir().unwrap();
    let line = |i: usize| {
        format!(
            "{{\"text\": \"the sum of {i} and {} is {}\"}}",
            i * i,
            i + i * i
        )
    };
    let rows: Vec<String> = (0..11).map(line).collect();
    let file = folder.path().join("texts.jsonl").display().to_string();
    std::fs::write(&file, rows.join("\n")).unwrap();
    let llama = model("llama");
    let arguments = ["logprobs", "--model", &llama, "--batch-size", "2", &file].map(str::to_owned);
    let (one, two) = (run_one(&arguments), run_two(&arguments));
    assert_eq!((one.code, two.code), (Some(0), Some(0)), "{}", two.err);
    assert_eq!(one.out.lines().count(), 11);
    assert_eq!(one.out, two.out);
}

#[test]
fn a_reward_model_scores_the_same_rows_in_two_processes() {
    let bench = Bench::new();
    let trained = bench.train(
        &["reward-model", "train", "--kind", "bradley-terry"],
        "scorer",
        &[],
    );
    let said = run_one(&trained);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let score = |output: &Path| {
        ["reward-model", "score", "--batch-size", "2", "--model"]
            .map(str::to_owned)
            .into_iter()
            .chain([
                bench.path("scorer/model").display().to_string(),
                "--data".to_owned(),
                bench.data.display().to_string(),
                "--output".to_owned(),
                output.display().to_string(),
            ])
            .collect::<Vec<String>>()
    };
    let outputs = ["one.jsonl", "two.jsonl"].map(|name| bench.path(name));
    let (one, two) = (run_one(&score(&outputs[0])), run_two(&score(&outputs[1])));
    assert_eq!((one.code, two.code), (Some(0), Some(0)), "{}", two.err);
    let [one, two] = outputs.map(|path| std::fs::read_to_string(path).unwrap());
    assert_eq!(one.lines().count(), 12);
    assert_eq!(one, two);
}

#[test]
fn samples_are_the_same_in_two_processes_and_go_on_in_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("prompts.jsonl").display().to_string();
    let mut rows: Vec<String> = (0..7)
        .map(|i| format!("{{\"prompt\": \"the sum of {i} and {} is\"}}", i * i))
        .collect();
    // A row that is left out belongs to the second process.
    rows[3] = "{\"prompt\": 3}".to_owned();
    std::fs::write(&file, rows.join("\n")).unwrap();
    let sample = |name: &str, n: &str| -> Vec<String> {
        let output = folder.path().join(name).display().to_string();
        let llama = model("llama");
        let words = [
            "sample",
            &file,
            "--model",
            &llama,
            "--output",
            &output,
            "--n",
            n,
            "--batch-size",
            "2",
            "--max-new-tokens",
            "20",
            "--on-error",
            "skip",
        ];
        words.map(str::to_owned).to_vec()
    };
    let (alone, both) = (run_one(&sample("one", "3")), run_two(&sample("two", "3")));
    assert_eq!((alone.code, both.code), (Some(0), Some(0)), "{}", both.err);
    assert!(both.err.contains("18 answers to 6 rows"), "{}", both.err);
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!(read("one").lines().count(), 18);
    assert_eq!(read("one"), read("two"));

    // What two processes have begun, one ends.
    let mut child = two(&sample("killed", "60"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let part = folder.path().join("killed.part");
    let n_lines = || std::fs::read_to_string(&part).map_or(0, |text| text.lines().count());
    let started = Instant::now();
    while n_lines() < 20 && started.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(2));
    }
    kill_last(&child);
    assert!(
        !child.wait().unwrap().success(),
        "mpirun ends the other process"
    );
    let rest = run_one(&sample("killed", "60"));
    assert_eq!(rest.code, Some(0), "{}", rest.err);
    assert!(
        rest.err.contains("answers were drawn before"),
        "{}",
        rest.err
    );
    let again = run_one(&sample("again", "60"));
    assert_eq!(again.code, Some(0), "{}", again.err);
    assert!(read("killed") == read("again"), "the bytes are the same");
}

/// Kills the second of the processes that mpirun started.
fn kill_last(mpirun: &Child) {
    let id = mpirun.id();
    let ranks = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
    let last = ranks.split_whitespace().last().unwrap();
    let killed = Command::new("kill").args(["-KILL", last]).status();
    assert!(killed.unwrap().success());
}
