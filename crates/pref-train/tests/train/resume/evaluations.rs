//! Evaluations that are stopped or fail, and rows that are left out afterwards.

use super::*;

/// Asks the run to stop during the evaluation after a step.
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
fn a_run_stops_during_an_evaluation_and_repeats_it_after_resuming() {
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

/// Ten pairs. One of them has token weights that overflow as soon as its log-ratios are not zero.
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
fn a_run_continues_without_the_rows_that_stopped_it() {
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
    // The setting that the message proposes, and a lower learning rate.
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
