//! The end of a run: longer runs, the last checkpoint, and metrics that cannot be written.

use super::*;

#[test]
fn a_finished_run_with_more_steps_equals_a_longer_run() {
    let bench = Bench::new();
    let (whole, _) = bench.undisturbed(&["train.steps=7"]);
    common::run::<Cpu>(&bench.plan("run", &[]), false).unwrap();
    let longer = bench.plan("run", &["train.steps=7"]);
    let (outcome, _) = common::run::<Cpu>(&longer, true).unwrap();
    assert!(matches!(outcome, Outcome::Finished { steps: 7, .. }));
    assert_eq!(weights(&bench.path("run")), whole);
    let plan = fs::read_to_string(bench.path("run/plan.toml")).unwrap();
    assert!(plan.contains("\nsteps = 7\n"), "{plan}");

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

/// Replaces the metrics file by a folder before a step, so that its line cannot be written.
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
