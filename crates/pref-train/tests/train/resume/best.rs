//! The best evaluation: its checkpoint stays, it can become the final model, and a run without an improvement ends.

use std::fs;
use std::path::Path;

use pref_train::{MetricsLine, Outcome};

use super::{Bench, Cpu, weights};
use crate::common;

/// A learning rate that is so high that the loss of the evaluation soon rises.
const WORSE: [&str; 5] = [
    "train.steps=12",
    "train.eval-every=1",
    "train.save-every=1",
    "train.learning-rate=0.05",
    "output.keep-checkpoints=2",
];

fn with(more: &[&'static str]) -> Vec<&'static str> {
    let mut all = WORSE.to_vec();
    all.extend(more);
    all
}

fn losses(run: &Path) -> Vec<(usize, f64)> {
    let lines = common::metrics(run).into_iter();
    let eval = |line| match line {
        MetricsLine::Eval(record) => Some((record.step, record.means.loss())),
        MetricsLine::Step(_) => None,
    };
    lines.filter_map(eval).collect()
}

/// The step after the first one with the lowest loss.
fn best(losses: &[(usize, f64)]) -> usize {
    let after = losses.iter().filter(|(step, _)| *step > 0);
    after.min_by(|a, b| a.1.total_cmp(&b.1)).unwrap().0
}

fn checkpoints(run: &Path) -> Vec<usize> {
    let entries = fs::read_dir(run.join("checkpoints")).unwrap();
    let step = |entry: std::io::Result<fs::DirEntry>| {
        let name = entry.unwrap().file_name().into_string().unwrap();
        name.strip_prefix("step-").unwrap().parse().unwrap()
    };
    let mut steps: Vec<usize> = entries.map(step).collect();
    steps.sort_unstable();
    steps
}

#[test]
fn the_best_checkpoint_stays_and_becomes_the_model() {
    let bench = Bench::new();
    let more = with(&["load_best_model_at_end=true"]);
    let (whole, metrics) = bench.undisturbed(&more);
    let run = bench.path("whole");
    let losses = losses(&run);
    let best = best(&losses);
    assert!((1..11).contains(&best), "{losses:?}");
    assert_eq!(checkpoints(&run), [best, 12]);
    let kept = run.join(format!("checkpoints/step-{best:06}/model.safetensors"));
    assert_eq!(fs::read(kept).unwrap(), whole);

    let plan = bench.plan("run", &more);
    bench.two_steps(&plan);
    common::run::<Cpu>(&plan, true).unwrap();
    assert_eq!(weights(&bench.path("run")), whole);
    assert_eq!(common::metrics(&bench.path("run")), metrics);
    assert_eq!(checkpoints(&bench.path("run")), [best, 12]);

    // Without `load-best` it stays as well, and the model is that of the last step.
    let last = bench.plan("last", &with(&["metric_for_best_model=eval_loss"]));
    common::run::<Cpu>(&last, false).unwrap();
    assert_ne!(weights(&bench.path("last")), whole);
    assert_eq!(checkpoints(&bench.path("last")), [best, 12]);
}

#[test]
fn a_run_without_an_improvement_ends_early_and_after_a_resume_too() {
    let bench = Bench::new();
    let more = with(&["early_stopping_patience=2", "train.load-best=true"]);
    common::run::<Cpu>(&bench.plan("whole", &more), false).unwrap();
    let whole = bench.path("whole");
    let losses = losses(&whole);
    let (end, _) = *losses.last().unwrap();
    let best = best(&losses);
    assert_eq!(end, best + 2, "{losses:?}");
    assert!(end < 12);

    // Stopped before and after the best step, and when it had ended.
    for stop in [1, best + 1, end] {
        let name = format!("run-{stop}");
        let plan = bench.plan(&name, &more);
        let flag = std::sync::atomic::AtomicBool::new(false);
        let mut tracker = common::StopAfter {
            step: stop,
            stop: &flag,
        };
        pref_train::train::<Cpu>(&plan, false, &Default::default(), &mut tracker, &flag).unwrap();
        let (outcome, memory) = common::run::<Cpu>(&plan, true).unwrap();
        assert!(
            matches!(outcome, Outcome::Finished { steps, .. } if steps == end),
            "{outcome:?}"
        );
        let notes = memory.notes.join("\n");
        let expected = format!(
            "stopped after step {end}: the last 2 evaluations are no improvement; the best one is that after step {best}"
        );
        assert!(notes.contains(&expected), "{notes}");
        assert_eq!(weights(&bench.path(&name)), weights(&whole));
        assert_eq!(common::metrics(&bench.path(&name)), common::metrics(&whole));
    }

    // More patience continues the run.
    let plan = bench.plan(
        "whole",
        &with(&["early_stopping_patience=100", "train.load-best=true"]),
    );
    let (outcome, _) = common::run::<Cpu>(&plan, true).unwrap();
    assert!(
        matches!(outcome, Outcome::Finished { steps: 12, .. }),
        "{outcome:?}"
    );
}

#[test]
fn a_comparison_without_evaluations_or_of_no_metric_is_refused() {
    let bench = Bench::new();
    let plan = bench.plan(
        "run",
        &["train.best-metric=eval_accuracy", "train.eval-every=1"],
    );
    let error = common::run::<Cpu>(&plan, false).unwrap_err();
    insta::assert_snapshot!(error, @"");
    assert!(common::metrics(&bench.path("run")).len() == 1);
    let mut settings = pref_train::Settings::default();
    for pair in [
        "model.path=m",
        "data.train=p",
        "data.eval-fraction=0.1",
        "train.load-best=true",
    ] {
        settings.set(pair).unwrap();
    }
    let error = pref_train::Plan::from_settings(settings).unwrap_err();
    insta::assert_snapshot!(error, @"");
}
