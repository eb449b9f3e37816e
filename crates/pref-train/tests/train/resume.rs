//! Resumed runs: what may change, what is refused, and what is read again.

mod adapters;
mod best;
mod damage;
mod ends;
mod evaluations;
mod optimizers;
mod reference;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use burn::backend::{Autodiff, Flex};
use pref_train::{MetricsLine, Outcome, Plan, StepRecord, Tracker, TrainError};

use crate::common;

type Cpu = Autodiff<Flex>;

/// A folder with pairs and a copy of a model, for runs of four steps with a checkpoint after each.
struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        common::write_pairs(folder.path(), 10);
        let model = folder.path().join("base");
        fs::create_dir(&model).unwrap();
        for entry in fs::read_dir(common::model("llama")).unwrap() {
            let path = entry.unwrap().path();
            fs::write(
                model.join(path.file_name().unwrap()),
                fs::read(&path).unwrap(),
            )
            .unwrap();
        }
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn plan(&self, run: &str, more: &[&str]) -> Plan {
        let mut all = vec![
            format!("model.path={}", self.path("base").display()),
            format!("data.train={}", self.path("pairs.jsonl").display()),
            format!("output.folder={}", self.path(run).display()),
        ];
        let fixed = [
            "data.max-length=128",
            "data.eval-fraction=0.2",
            "train.batch-size=2",
            "train.learning-rate=1e-3",
            "train.schedule=constant",
            "train.steps=4",
            "train.save-every=1",
            "output.keep-checkpoints=0",
        ];
        all.extend(fixed.iter().chain(more).map(|&s| s.to_owned()));
        common::plan(&all)
    }

    /// Runs a plan, and stops it after two steps.
    fn two_steps(&self, plan: &Plan) {
        let stop = AtomicBool::new(false);
        let mut tracker = common::StopAfter {
            step: 2,
            stop: &stop,
        };
        let outcome =
            pref_train::train::<Cpu>(plan, false, &Default::default(), &mut tracker, &stop);
        assert!(matches!(
            outcome.unwrap(),
            Outcome::Interrupted { step: 2, .. }
        ));
    }

    /// The weights and the metrics of an uninterrupted run.
    fn undisturbed(&self, more: &[&str]) -> (Vec<u8>, Vec<MetricsLine>) {
        common::run::<Cpu>(&self.plan("whole", more), false).unwrap();
        (
            weights(&self.path("whole")),
            common::metrics(&self.path("whole")),
        )
    }
}

pub(crate) fn weights(run: &Path) -> Vec<u8> {
    fs::read(run.join("model/model.safetensors")).unwrap()
}

#[test]
fn inputs_that_changed_are_refused_by_name() {
    let bench = Bench::new();
    let plan = bench.plan("run", &[]);
    bench.two_steps(&plan);
    let pairs = fs::read_to_string(bench.path("pairs.jsonl")).unwrap();
    let lines: Vec<&str> = pairs.lines().collect();
    let swapped = pairs
        .replace("\"chosen\"", "\"x\"")
        .replace("\"rejected\"", "\"chosen\"")
        .replace("\"x\"", "\"rejected\"");
    let grown = format!("{pairs}{}\n", lines[3].replace("Question", "A question"));
    let shrunk = lines[..5].join("\n");
    let mut weights = fs::read(bench.path("base/model.safetensors")).unwrap();
    let last = weights.len() - 4;
    weights[last] ^= 1;
    let tokenizer = fs::read_to_string(bench.path("base/tokenizer.json")).unwrap() + "\n";
    let template = fs::read_to_string(bench.path("base/tokenizer_config.json")).unwrap() + "\n";
    let changes: [(&str, Vec<u8>, &str); 6] = [
        (
            "pairs.jsonl",
            swapped.into(),
            "the training rows (then 8 rows with sha256 ",
        ),
        ("pairs.jsonl", grown.into(), "now 9 rows with sha256 "),
        ("pairs.jsonl", shrunk.into(), "now 4 rows with sha256 "),
        (
            "base/model.safetensors",
            weights,
            "the weights of model.path (then 2 files",
        ),
        (
            "base/tokenizer.json",
            tokenizer.into(),
            "the tokenizer of model.path (then 1 file ",
        ),
        (
            "base/tokenizer_config.json",
            template.into(),
            "settings and chat template (then ",
        ),
    ];
    for (name, bytes, expected) in changes {
        let path = bench.path(name);
        let before = fs::read(&path).unwrap();
        fs::write(&path, bytes).unwrap();
        let error = common::run::<Cpu>(&plan, true).unwrap_err();
        assert!(matches!(error, TrainError::OtherInputs { .. }), "{error}");
        assert!(error.to_string().contains(expected), "{expected}: {error}");
        fs::write(&path, before).unwrap();
    }
    common::run::<Cpu>(&plan, true).unwrap();
}

/// Starts the same run a second time while the first is running.
struct Second<'a> {
    plan: &'a Plan,
    resume: bool,
    error: Option<TrainError>,
}

impl Tracker for Second<'_> {
    fn step(&mut self, _record: &StepRecord) {
        let error = common::run::<Cpu>(self.plan, self.resume).unwrap_err();
        self.error.get_or_insert(error);
    }
}

#[test]
fn a_folder_takes_one_run_at_a_time() {
    let bench = Bench::new();
    let (whole, metrics) = bench.undisturbed(&[]);
    for resume in [false, true] {
        let name = format!("run-{resume}");
        let plan = bench.plan(&name, &[]);
        let never = AtomicBool::new(false);
        let mut tracker = Second {
            plan: &plan,
            resume,
            error: None,
        };
        pref_train::train::<Cpu>(&plan, false, &Default::default(), &mut tracker, &never).unwrap();
        let error = tracker.error.unwrap();
        assert!(matches!(error, TrainError::Locked { .. }), "{error}");
        assert_eq!(weights(&bench.path(&name)), whole);
        assert_eq!(common::metrics(&bench.path(&name)), metrics);
    }
}

/// What a run chose for a setting that is `auto` stays, as if the user had set it.
#[test]
fn a_choice_of_the_run_is_recorded_and_kept() {
    let bench = Bench::new();
    let plan = bench.plan("run", &[]);
    bench.two_steps(&plan);
    let text = fs::read_to_string(bench.path("run/plan.toml")).unwrap();
    assert!(text.contains("share-prompts = true"), "{text}");
    assert!(text.contains("batch-tokens = 512"), "{text}");
    assert!(!text.contains("auto"), "{text}");

    let other = bench.plan("run", &["train.batch-tokens=100"]);
    let error = common::run::<Cpu>(&other, true).unwrap_err().to_string();
    assert!(error.contains("train.batch-tokens: 512 → 100"), "{error}");

    // Another build may choose otherwise; the choice at the start counts.
    let text = text.replace("batch-tokens = 512", "batch-tokens = 96");
    fs::write(bench.path("run/plan.toml"), text).unwrap();
    let (_, memory) = common::run::<Cpu>(&plan, true).unwrap();
    let notes = memory.notes.join("\n");
    assert!(notes.contains("train.batch-tokens = 96,"), "{notes}");
}

#[test]
fn a_template_that_writes_the_time_is_pinned_to_the_start_of_the_run() {
    let bench = Bench::new();
    let messages = |text: &str, role: &str| serde_json::json!([{"role": role, "content": text}]);
    let rows = (0..6).map(|i| {
        let row = serde_json::json!({
            "prompt": messages(&format!("{i} plus 1?"), "user"),
            "chosen": messages(&format!("It is {}.", i + 1), "assistant"),
            "rejected": messages("I do not know.", "assistant"),
        });
        format!("{row}\n")
    });
    fs::write(bench.path("pairs.jsonl"), rows.collect::<String>()).unwrap();
    // The text changes at every moment, so the test need not wait for a new day.
    let template = "{{ strftime_now('%H:%M:%S.%f') }}{% for m in messages %}\n{{ m.role }}: \
                    {{ m.content }}{% endfor %}{% if add_generation_prompt %}\nassistant: {% endif %}";
    fs::write(bench.path("base/chat_template.jinja"), template).unwrap();
    let plan = bench.plan("run", &["data.eval-fraction=0"]);
    bench.two_steps(&plan);
    let text = fs::read_to_string(bench.path("run/plan.toml")).unwrap();
    assert!(text.contains("template-time = \"20"), "{text}");
    std::thread::sleep(std::time::Duration::from_secs(1));
    let (_, memory) = common::run::<Cpu>(&plan, true).unwrap();
    let notes = memory.notes.join("\n");
    assert!(
        notes.contains("the chat template writes the current time"),
        "{notes}"
    );
    assert!(notes.contains("resumed after step 2"), "{notes}");
}
