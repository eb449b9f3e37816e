//! TensorBoard's event files: the bytes of TensorBoard's own code, runs that are stopped and resumed, and what happens
//! if a file cannot be written.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime};

use burn::backend::{Autodiff, Flex};
use pref_train::{
    MetricsLine, Outcome, Plan, ReportTo, Settings, StepRecord, Tracker, write_event_file,
};
use serde_json::Value;

use crate::common;
use crate::common::event_file::{Curves, curves, curves_in, event_files};

type Cpu = Autodiff<Flex>;

fn lines(values: &Value) -> String {
    let lines = values.as_array().unwrap().iter();
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn an_event_file_has_the_bytes_and_the_curves_of_tensorboard() {
    let path = common::workspace("fixtures/tensorboard/events.json");
    let case: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let run = tempfile::tempdir().unwrap();
    let metrics = lines(&case["metrics"]) + "{\"step\": 3, \"lo";
    fs::write(run.path().join("metrics.jsonl"), metrics).unwrap();
    let times = run.path().join("times.jsonl");
    fs::write(&times, lines(&case["times"])).unwrap();
    let modified = Duration::from_secs_f64(case["modified"].as_f64().unwrap());
    let file = File::options().write(true).open(&times).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + modified)
        .unwrap();

    let folder = run.path().join("curves");
    fs::create_dir(&folder).unwrap();
    let others = ["events.out.tfevents.1.host", "events.out.tfevents.1.pref-0"];
    for name in others {
        fs::write(folder.join(name), "of another run").unwrap();
    }
    let first = write_event_file(run.path(), &folder).unwrap();
    assert_eq!((first.lines, first.damaged), (4, 1));
    let bytes = fs::read(&first.path).unwrap();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, case["file"]);
    let read: Curves = serde_json::from_value(case["curves"].clone()).unwrap();
    assert_eq!(curves(&bytes), read);

    // A second file replaces the first one, under a greater name, and a third one lets the first name go.
    let second = write_event_file(run.path(), &folder).unwrap();
    assert!(second.path > first.path);
    assert_eq!(fs::read(&second.path).unwrap(), bytes);
    assert_eq!(fs::metadata(&first.path).unwrap().len(), 0);
    let third = write_event_file(run.path(), &folder).unwrap();
    assert_eq!(fs::read(&third.path).unwrap(), bytes);
    let mut expected: Vec<PathBuf> = others.map(|name| folder.join(name)).to_vec();
    expected.extend([second.path, third.path]);
    expected.sort();
    assert_eq!(event_files(&folder), expected);
}

/// Settings of a run of four steps.
fn plan(folder: &Path, run: &str, more: &[&str]) -> Plan {
    let mut all = vec![
        format!("model.path={}", common::model("llama")),
        format!("data.train={}", folder.join("pairs.jsonl").display()),
        format!("output.folder={}", folder.join(run).display()),
    ];
    let fixed = [
        "data.max-length=128",
        "data.eval-fraction=0.2",
        "train.batch-size=2",
        "train.learning-rate=1e-3",
        "train.steps=4",
        "train.eval-every=2",
        "train.save-every=2",
    ];
    all.extend(fixed.iter().chain(more).map(|&s| s.to_owned()));
    common::plan(&all)
}

/// The points that the metrics of a run should have: every number of every line, in float32.
fn expected(run: &Path) -> Vec<(String, u64, f32)> {
    let text = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let mut points = Vec::new();
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        for (key, value) in line.as_object().unwrap() {
            let tag = match key.strip_prefix("eval_") {
                Some(metric) => format!("eval/{metric}"),
                None => format!("train/{key}"),
            };
            let value = value.as_f64().unwrap() as f32;
            points.push((tag, line["step"].as_u64().unwrap(), value));
        }
    }
    points.retain(|(tag, ..)| tag != "train/step");
    points.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
    points
}

/// Checks that the curves in a folder are the metrics of a run.
#[track_caller]
fn check(run: &Path, folder: &Path) -> Curves {
    let curves = curves_in(folder);
    let points = curves.iter().flat_map(|(tag, points)| {
        let points = points.iter();
        points.map(move |&(_, step, value)| (tag.clone(), step, value))
    });
    assert_eq!(points.collect::<Vec<_>>(), expected(run));
    curves
}

#[test]
fn a_resumed_run_has_each_step_once_and_keeps_the_times_of_earlier_lines() {
    let folder = tempfile::tempdir().unwrap();
    common::write_pairs(folder.path(), 10);
    let on = ["report_to=tensorboard"];
    let whole = folder.path().join("whole");
    common::run::<Cpu>(&plan(folder.path(), "whole", &on), false).unwrap();
    check(&whole, &whole.join("tensorboard"));

    // A run that was killed after step 3, when the event file had a part of a line and lacked the line of step 3.
    let run = folder.path().join("run");
    let events = run.join("tensorboard");
    let stop = AtomicBool::new(false);
    let mut tracker = common::StopAfter {
        step: 3,
        stop: &stop,
    };
    let plan = plan(folder.path(), "run", &on);
    let device = Default::default();
    let outcome = pref_train::train::<Cpu>(&plan, false, &device, &mut tracker, &stop);
    assert!(matches!(outcome, Ok(Outcome::Interrupted { step: 3, .. })));
    let before = check(&run, &events);
    fs::remove_dir_all(run.join("checkpoints/step-000003")).unwrap();
    let [file] = &event_files(&events)[..] else {
        panic!("there is one file");
    };
    let bytes = fs::read(file).unwrap();
    fs::write(file, &bytes[..bytes.len() - 5]).unwrap();
    fs::write(events.join(".new.pref.tmp"), "of a killed process").unwrap();

    common::run::<Cpu>(&plan, true).unwrap();
    let after = check(&run, &events);
    assert_eq!(fs::read_dir(&events).unwrap().count(), 2);
    assert_eq!(&event_files(&events)[0], file);
    for (tag, points) in &before {
        let kept = points.iter().filter(|(_, step, _)| *step <= 2);
        let kept: Vec<_> = kept.copied().collect();
        assert_eq!(after[tag][..kept.len()], kept, "{tag}");
    }
    assert_eq!(common::metrics(&run), common::metrics(&whole));
}

#[test]
fn an_event_file_can_be_switched_on_later_and_in_another_folder() {
    let folder = tempfile::tempdir().unwrap();
    common::write_pairs(folder.path(), 10);
    let run = folder.path().join("run");
    common::run::<Cpu>(&plan(folder.path(), "run", &[]), false).unwrap();
    assert!(!run.join("tensorboard").exists());
    let curves = folder.path().join("curves/of/the-run");
    let directory = format!("logging_dir={}", curves.display());
    let more = ["train.steps=6", "report_to=tensorboard", &directory];
    let (_, memory) = common::run::<Cpu>(&plan(folder.path(), "run", &more), true).unwrap();
    let notes = memory.notes.join("\n");
    assert!(
        notes.contains(r#"output.report-to: "none" → "tensorboard""#),
        "{notes}"
    );
    let curves = check(&run, &curves);
    // The lines from before have the times that the steps took.
    let times: Vec<f64> = curves["train/loss"].iter().map(|point| point.0).collect();
    assert_eq!(times.len(), 6);
    assert!(times.is_sorted_by(|a, b| a < b), "{times:?}");
    assert!(!run.join("tensorboard").exists());

    // A new run in the folder removes what an earlier one left.
    fs::remove_dir_all(run.join("checkpoints")).unwrap();
    fs::remove_dir_all(run.join("model")).unwrap();
    fs::create_dir(run.join("tensorboard")).unwrap();
    fs::write(run.join("tensorboard/events.out.tfevents.1.pref"), "").unwrap();
    common::run::<Cpu>(&plan(folder.path(), "run", &[]), false).unwrap();
    assert_eq!(event_files(&run.join("tensorboard")), Vec::<PathBuf>::new());
}

/// Removes the folder of the event file after a step.
struct TakesFolder {
    folder: PathBuf,
    notes: Vec<String>,
}

impl Tracker for TakesFolder {
    fn note(&mut self, text: &str) {
        self.notes.push(text.to_owned());
    }

    fn step(&mut self, record: &StepRecord) {
        if record.step == 2 {
            fs::remove_dir_all(&self.folder).unwrap();
        }
    }
}

#[test]
fn a_run_goes_on_without_an_event_file_that_cannot_be_written() {
    let folder = tempfile::tempdir().unwrap();
    common::write_pairs(folder.path(), 10);
    let plan = plan(folder.path(), "run", &["report_to=tensorboard"]);
    let run = folder.path().join("run");
    let mut tracker = TakesFolder {
        folder: run.join("tensorboard"),
        notes: Vec::new(),
    };
    let never = AtomicBool::new(false);
    let device = Default::default();
    let outcome = pref_train::train::<Cpu>(&plan, false, &device, &mut tracker, &never);
    assert!(matches!(outcome, Ok(Outcome::Finished { steps: 4, .. })));
    let said = tracker.notes.iter();
    let said: Vec<&String> = said.filter(|note| note.contains("TensorBoard")).collect();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("--tensorboard FOLDER"), "{said:?}");
    let steps = common::metrics(&run);
    let steps = steps
        .iter()
        .filter(|line| matches!(line, MetricsLine::Step(_)));
    assert_eq!(steps.count(), 4);
    let written = write_event_file(&run, &folder.path().join("curves")).unwrap();
    assert_eq!(written.damaged, 0);
    check(&run, &folder.path().join("curves"));
}

#[test]
fn the_settings_of_transformers_are_read_and_others_are_explained() {
    let settings = |pairs: &[&str]| {
        let mut settings = Settings::default();
        let required = ["model.path=m", "data.train=d.jsonl"];
        for pair in required.iter().chain(pairs) {
            settings.set(pair).unwrap();
        }
        Plan::from_settings(settings)
    };
    for (value, expected) in [
        ("none", ReportTo::None),
        ("[]", ReportTo::None),
        (r#"["none"]"#, ReportTo::None),
        ("tensorboard", ReportTo::TensorBoard),
        (r#"["tensorboard"]"#, ReportTo::TensorBoard),
    ] {
        let plan = settings(&[&format!("report_to={value}")]).unwrap();
        assert_eq!(plan.output.report_to, expected, "{value}");
        let again: Plan = toml::from_str(&plan.to_toml()).unwrap();
        assert_eq!(again, plan);
    }
    let errors = [
        settings(&["report_to=wandb"]),
        settings(&[r#"report_to=["tensorboard", "wandb"]"#]),
        settings(&["report_to=true"]),
        settings(&["logging_dir=logs"]),
    ];
    let errors = errors.map(|plan| plan.unwrap_err().to_string());
    insta::assert_snapshot!(errors.join("\n"));
}
