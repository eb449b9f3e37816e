//! The best evaluation: its checkpoint stays, it can become the final model, and a run without an improvement ends.

use std::fs;
use std::path::Path;

use pref_train::{MetricsLine, Outcome};

use super::{Bench, Cpu, weights};
use crate::common;

/// The learning rate is so high that the reward of the chosen answers falls together with the loss.
const FALLING: [&str; 5] = [
    "train.steps=12",
    "train.eval-every=1",
    "train.save-every=1",
    "train.learning-rate=0.05",
    "output.keep-checkpoints=2",
];

const REWARD: &str = "metric_for_best_model=eval_rewards/chosen";

fn with(more: &[&'static str]) -> Vec<&'static str> {
    let mut all = FALLING.to_vec();
    all.extend(more);
    all
}

/// The reward of the chosen answers in each evaluation but the one before the first step.
fn rewards(run: &Path) -> Vec<(usize, f64)> {
    let lines = common::metrics(run).into_iter();
    let eval = |line| match line {
        MetricsLine::Eval(record) if record.step > 0 => {
            Some((record.step, record.means.pairs()?.chosen_rewards))
        }
        MetricsLine::Eval(_) | MetricsLine::Step(_) => None,
    };
    lines.filter_map(eval).collect()
}

/// The step of the highest reward.
fn best(rewards: &[(usize, f64)]) -> usize {
    rewards.iter().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap().0
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
    let more = with(&[REWARD, "load_best_model_at_end=true"]);
    let (whole, metrics) = bench.undisturbed(&more);
    let run = bench.path("whole");
    let rewards = rewards(&run);
    let best = best(&rewards);
    assert!((1..10).contains(&best), "{rewards:?}");
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
    let last = bench.plan("last", &with(&[REWARD]));
    common::run::<Cpu>(&last, false).unwrap();
    assert_ne!(weights(&bench.path("last")), whole);
    assert_eq!(checkpoints(&bench.path("last")), [best, 12]);
    // By the loss, the last evaluation is the best one, so the one before is not kept for it.
    let loss = bench.plan("loss", &with(&["load_best_model_at_end=true"]));
    common::run::<Cpu>(&loss, false).unwrap();
    assert_eq!(checkpoints(&bench.path("loss")), [11, 12]);
    assert_eq!(weights(&bench.path("loss")), weights(&bench.path("last")));
}

#[test]
fn a_run_without_an_improvement_ends_early_and_after_a_resume_too() {
    let bench = Bench::new();
    let more = with(&[REWARD, "early_stopping_patience=2", "train.load-best=true"]);
    common::run::<Cpu>(&bench.plan("whole", &more), false).unwrap();
    let whole = bench.path("whole");
    let rewards = rewards(&whole);
    let (end, _) = *rewards.last().unwrap();
    let best = best(&rewards);
    assert_eq!(end, best + 2, "{rewards:?}");
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
        &with(&[
            REWARD,
            "early_stopping_patience=100",
            "train.load-best=true",
        ]),
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
    insta::assert_snapshot!(error, @"train.best-metric: an evaluation does not measure `accuracy`; its metrics are loss, rewards/chosen, rewards/rejected, rewards/accuracies, rewards/margins, logps/chosen, logps/rejected, rewards/granule_accuracies, kl/chosen, kl/rejected");
    assert_eq!(common::metrics(&bench.path("run")).len(), 1);
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
    insta::assert_snapshot!(error, @"`train.best-metric`, `train.load-best` and `train.early-stopping-patience` compare the evaluations of a run, and there are none during it; set `train.eval-every`, and give evaluation pairs with `data.eval` or `data.eval-fraction`");
}
