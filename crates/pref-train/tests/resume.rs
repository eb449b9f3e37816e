//! What a resumed run may differ in, what it refuses, and what it reads again.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use burn::backend::{Autodiff, Flex};
use pref_train::{Outcome, Plan, Record, StepRecord, Tracker, TrainError};

type Cpu = Autodiff<Flex>;

/// A folder with pairs, a copy of a model, and a run of four steps that checkpoints each.
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

    /// Runs a plan until two steps are taken.
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

    /// The weights of a run that nothing disturbs, and its metrics.
    fn undisturbed(&self, more: &[&str]) -> (Vec<u8>, Vec<Record>) {
        common::run::<Cpu>(&self.plan("whole", more), false).unwrap();
        (
            weights(&self.path("whole")),
            common::metrics(&self.path("whole")),
        )
    }
}

fn weights(run: &Path) -> Vec<u8> {
    fs::read(run.join("model/model.safetensors")).unwrap()
}

/// Changes one byte in the middle of a file.
fn damage(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
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

/// Starts the same run again from within itself.
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

/// Harms the newest checkpoint of a run of two steps, and expects the one before to be taken.
#[track_caller]
fn check_passed_over(what: &str, harm: impl FnOnce(&Path)) {
    let bench = Bench::new();
    let (whole, metrics) = bench.undisturbed(&[]);
    let plan = bench.plan("run", &[]);
    bench.two_steps(&plan);
    harm(&bench.path("run/checkpoints/step-000002"));
    let (_, memory) = common::run::<Cpu>(&plan, true).unwrap();
    let notes = memory.notes.join("\n");
    assert!(notes.contains("skipped a damaged checkpoint"), "{notes}");
    assert!(notes.contains("resumed after step 1"), "{notes}");
    assert!(notes.contains(what), "{what}: {notes}");
    assert_eq!(weights(&bench.path("run")), whole);
    assert_eq!(common::metrics(&bench.path("run")), metrics);
}

#[test]
fn a_checkpoint_with_a_changed_byte_is_passed_over() {
    for name in ["model.safetensors", "optimizer.safetensors", "state.json"] {
        check_passed_over(name, |folder| damage(&folder.join(name)));
    }
}

#[test]
fn a_checkpoint_without_one_of_its_files_is_passed_over() {
    for name in ["model.safetensors", "optimizer.safetensors"] {
        check_passed_over(name, |folder| fs::remove_file(folder.join(name)).unwrap());
    }
}

#[test]
fn a_checkpoint_of_another_step_is_passed_over() {
    check_passed_over("the run ends after 4 steps", |folder| {
        fs::rename(folder, folder.with_file_name("step-000099")).unwrap();
    });
    check_passed_over("its state is that of step 2", |folder| {
        fs::rename(folder, folder.with_file_name("step-000003")).unwrap();
    });
}

#[test]
fn other_folders_are_no_checkpoints_and_leftovers_go() {
    let bench = Bench::new();
    let (whole, _) = bench.undisturbed(&[]);
    let plan = bench.plan("run", &["output.keep-checkpoints=2"]);
    bench.two_steps(&plan);
    let checkpoints = bench.path("run/checkpoints");
    for stray in ["step-000003", "step-7", "step-x", "notes"] {
        fs::create_dir(checkpoints.join(stray)).unwrap();
    }
    let leftovers = [
        checkpoints.join(".step-000004.tmp"),
        bench.path("run/.model.tmp"),
        bench.path("run/.model.old"),
    ];
    for folder in &leftovers {
        fs::create_dir(folder).unwrap();
        fs::write(folder.join("model.safetensors"), "half").unwrap();
    }
    fs::write(bench.path("run/.plan.toml.tmp"), "half").unwrap();
    // killed between moving a checkpoint aside and naming the new one
    let (newest, aside) = (
        checkpoints.join("step-000002"),
        checkpoints.join(".step-000002.old"),
    );
    fs::rename(&newest, &aside).unwrap();
    fs::create_dir(bench.path("run/model")).unwrap();
    let (_, memory) = common::run::<Cpu>(&plan, true).unwrap();
    assert!(memory.notes.contains(&"resumed after step 2".to_owned()));
    for path in leftovers
        .iter()
        .chain([&aside, &bench.path("run/.plan.toml.tmp")])
    {
        assert!(!path.exists(), "{}", path.display());
    }
    assert_eq!(weights(&bench.path("run")), whole);
    // two are kept, and what is no checkpoint is neither counted nor removed
    assert!(checkpoints.join("step-000004/state.json").is_file());
    assert!(checkpoints.join("step-000003/state.json").is_file());
    assert!(!newest.exists());
    assert!(checkpoints.join("step-7").exists());
}

#[test]
fn reference_log_probs_with_a_changed_byte_are_computed_again() {
    let bench = Bench::new();
    let plan = bench.plan("run", &["train.steps=1"]);
    let file = bench.path("run/reference.safetensors");
    let again = || {
        for name in ["checkpoints", "model"] {
            let _ = fs::remove_dir_all(bench.path("run").join(name));
        }
        let (_, memory) = common::run::<Cpu>(&plan, false).unwrap();
        let note = "reference log-probs read";
        memory.notes.iter().any(|n| n.contains(note))
    };
    assert!(!again());
    let bytes = fs::read(&file).unwrap();
    assert!(again(), "an undamaged file is read");
    damage(&file);
    assert!(!again(), "a damaged one is not");
    assert_eq!(fs::read(&file).unwrap(), bytes);
}

#[test]
fn a_part_of_the_reference_log_probs_is_kept_only_while_it_is_undamaged() {
    let bench = Bench::new();
    let plan = bench.plan("run", &["train.steps=1"]);
    let part = bench.path("run/.reference.safetensors.part");
    let scored = || {
        let stop = AtomicBool::new(false);
        let mut tracker = common::StopAfter {
            step: 0,
            stop: &stop,
        };
        match pref_train::train::<Cpu>(&plan, false, &Default::default(), &mut tracker, &stop) {
            Ok(Outcome::Unstarted { scored, .. }) => scored,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!([scored(), scored()], [2, 4]);
    // a value of the pairs that are done
    let mut bytes = fs::read(&part).unwrap();
    let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let done = (header..bytes.len() - 40).step_by(4);
    let value = done
        .clone()
        .find(|&at| bytes[at..at + 4] != [0; 4])
        .unwrap();
    bytes[value] ^= 1;
    fs::write(&part, &bytes).unwrap();
    assert_eq!(scored(), 2, "it starts again");
}

/// Asks to stop at the first pairs that an evaluation after some steps reports.
struct StopInEvaluation<'a> {
    step: usize,
    taken: usize,
    is_evaluating: bool,
    stop: &'a AtomicBool,
}

impl Tracker for StopInEvaluation<'_> {
    fn begin(&mut self, what: &str, _n_pairs: usize) {
        self.is_evaluating = what == "evaluation" && self.taken == self.step;
    }

    fn advance(&mut self, _n_pairs: usize) {
        if self.is_evaluating {
            self.stop.store(true, Ordering::SeqCst);
        }
    }

    fn step(&mut self, record: &StepRecord) {
        self.taken = record.step;
    }
}

#[test]
fn a_stop_is_heard_during_an_evaluation_which_is_then_made_again() {
    let bench = Bench::new();
    let more = ["train.eval-every=2", "train.save-every=0"];
    let (whole, metrics) = bench.undisturbed(&more);
    for step in [0, 2, 4] {
        let name = format!("run-{step}");
        let plan = bench.plan(&name, &more);
        let stop = AtomicBool::new(false);
        let mut tracker = StopInEvaluation {
            step,
            taken: 0,
            is_evaluating: false,
            stop: &stop,
        };
        let outcome =
            pref_train::train::<Cpu>(&plan, false, &Default::default(), &mut tracker, &stop);
        assert!(
            matches!(outcome, Ok(Outcome::Interrupted { step: s, .. }) if s == step),
            "{outcome:?}"
        );
        common::run::<Cpu>(&plan, true).unwrap();
        assert_eq!(weights(&bench.path(&name)), whole);
        assert_eq!(common::metrics(&bench.path(&name)), metrics);
    }
}

#[test]
fn an_evaluation_without_a_finite_loss_stops_the_run_and_names_rows() {
    let bench = Bench::new();
    let wild = [
        "train.learning-rate=1e30",
        "train.max-grad-norm=0",
        "train.eval-every=1",
    ];
    let error = common::run::<Cpu>(&bench.plan("run", &wild), false).unwrap_err();
    let text = error.to_string();
    let TrainError::NotFiniteEvaluation { step, places, .. } = error else {
        panic!("{text}");
    };
    assert_eq!(step, 1);
    assert!(!places.is_empty());
    assert!(text.contains("--set 'data.skip=["), "{text}");
}

/// Ten pairs, of which one has weights that overflow once its log-ratios are not zero.
fn with_an_overflowing_row(bench: &Bench) -> String {
    let path = bench.path("pairs.jsonl");
    let tokenizer = pref_data::Tokenizer::from_folder(&bench.path("base")).unwrap();
    let rows = fs::read_to_string(&path).unwrap();
    let rows = rows.lines().enumerate().map(|(i, line)| {
        let mut row: serde_json::Value = serde_json::from_str(line).unwrap();
        for side in ["chosen", "rejected"] {
            let text = row[side].as_str().unwrap();
            let n = tokenizer.encode(text).unwrap().len() + 1;
            let weight = if i == 6 { 3e38 } else { 1.0 };
            row[format!("{side}_weights")] = vec![weight; n].into();
        }
        format!("{row}\n")
    });
    let text: String = rows.collect();
    fs::write(&path, text).unwrap();
    format!("{}:7", path.display())
}

#[test]
fn a_run_goes_on_without_the_rows_that_stopped_it() {
    let bench = Bench::new();
    let row = with_an_overflowing_row(&bench);
    let more = [
        "objective.token_weights={kind = \"given\"}",
        "data.boundary=separate",
        "data.eval-fraction=0",
        "train.steps=10",
        "train.save-every=0",
    ];
    let error = common::run::<Cpu>(&bench.plan("run", &more), false).unwrap_err();
    let text = error.to_string();
    let TrainError::NotFinite { places, .. } = error else {
        panic!("{text}");
    };
    let names: Vec<String> = places.iter().map(ToString::to_string).collect();
    assert_eq!(names, std::slice::from_ref(&row));
    // the setting that the message proposes, and a lower rate
    let (_, setting) = text.split_once("--set '").unwrap();
    let setting = setting.strip_suffix('\'').unwrap();
    let mut again = more.to_vec();
    again.extend([setting, "train.learning-rate=1e-4"]);
    let (outcome, memory) = common::run::<Cpu>(&bench.plan("run", &again), true).unwrap();
    assert!(matches!(outcome, Outcome::Finished { steps: 10, .. }));
    let notes = memory.notes.join("\n");
    assert!(
        notes.contains("train.learning-rate: 0.001 → 0.0001"),
        "{notes}"
    );
    let changes = fs::read_to_string(bench.path("run/changes.jsonl")).unwrap();
    assert_eq!(changes.lines().count(), 1);
    assert!(changes.contains("data.skip: [] → "), "{changes}");

    let other = bench.plan("other", &["data.skip=[\"pairs.jsonl:77\"]"]);
    let error = common::run::<Cpu>(&other, false).unwrap_err().to_string();
    assert!(
        error.contains("data.skip names `pairs.jsonl:77`"),
        "{error}"
    );
    assert!(error.contains("pairs.jsonl:1`"), "{error}");
}

#[test]
fn more_steps_after_the_end_are_those_of_a_longer_run() {
    let bench = Bench::new();
    let (whole, _) = bench.undisturbed(&["train.steps=7"]);
    common::run::<Cpu>(&bench.plan("run", &[]), false).unwrap();
    let longer = bench.plan("run", &["train.steps=7"]);
    let (outcome, _) = common::run::<Cpu>(&longer, true).unwrap();
    assert!(matches!(outcome, Outcome::Finished { steps: 7, .. }));
    assert_eq!(weights(&bench.path("run")), whole);
    let plan = fs::read_to_string(bench.path("run/plan.toml")).unwrap();
    assert_eq!(plan, longer.to_toml());

    let error = common::run::<Cpu>(&bench.plan("run", &[]), true).unwrap_err();
    assert!(
        matches!(
            error,
            TrainError::Shorter {
                then: 7,
                now: 4,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn a_finished_model_without_checkpoints_is_not_replaced() {
    let bench = Bench::new();
    let plan = bench.plan("run", &[]);
    common::run::<Cpu>(&plan, false).unwrap();
    fs::remove_dir_all(bench.path("run/checkpoints")).unwrap();
    let before = weights(&bench.path("run"));
    let error = common::run::<Cpu>(&plan, false).unwrap_err();
    assert!(matches!(error, TrainError::Finished { .. }), "{error}");
    assert_eq!(weights(&bench.path("run")), before);
}

#[test]
fn the_last_checkpoint_can_be_turned_off() {
    let bench = Bench::new();
    let more = ["train.save-every=0", "output.last-checkpoint=false"];
    common::run::<Cpu>(&bench.plan("run", &more), false).unwrap();
    assert!(bench.path("run/model/model.safetensors").is_file());
    assert!(!bench.path("run/checkpoints").exists());
}

/// Takes the metrics' place for some step.
struct TakesMetrics {
    run: PathBuf,
}

impl Tracker for TakesMetrics {
    fn step(&mut self, record: &StepRecord) {
        let metrics = self.run.join("metrics.jsonl");
        if record.step == 2 {
            fs::rename(&metrics, self.run.join("aside")).unwrap();
            fs::create_dir(&metrics).unwrap();
        }
    }
}

#[test]
fn a_line_of_the_metrics_that_cannot_be_written_is_in_the_checkpoint() {
    let bench = Bench::new();
    let more = ["train.save-every=0"];
    let (whole, metrics) = bench.undisturbed(&more);
    let plan = bench.plan("run", &more);
    let run = bench.path("run");
    let never = AtomicBool::new(false);
    let mut tracker = TakesMetrics { run: run.clone() };
    let outcome = pref_train::train::<Cpu>(&plan, false, &Default::default(), &mut tracker, &never);
    let error = outcome.unwrap_err();
    assert!(matches!(error, TrainError::Metrics { .. }), "{error}");
    assert!(error.to_string().contains("step-000002"), "{error}");
    fs::remove_dir(run.join("metrics.jsonl")).unwrap();
    fs::rename(run.join("aside"), run.join("metrics.jsonl")).unwrap();
    common::run::<Cpu>(&plan, true).unwrap();
    assert_eq!(weights(&run), whole);
    assert_eq!(common::metrics(&run), metrics);
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
    // differs in every nanosecond, as a date differs from one day to the next
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
        notes.contains("the chat template writes the time"),
        "{notes}"
    );
    assert!(notes.contains("resumed after step 2"), "{notes}");
}
