//! The best evaluation of a run, and the end of a run that no longer improves. In: the plan, and the evaluations so
//! far. Out: the step of the best evaluation, and whether the run stops.
//!
//! Everything follows from the evaluations in `metrics.jsonl`, which a resumed run reads again, so it decides the
//! same.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::error::TrainError;
use crate::metrics::Means;
use crate::plan::TrainPlan;

/// What the evaluations of a run are compared by.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    /// Name of the metric without `eval_`.
    metric: String,
    /// Whether larger values are better.
    is_greater: bool,
    /// Number of evaluations without an improvement after which the run stops; 0 for never.
    patience: usize,
    /// Differences up to this one are no improvement.
    min_delta: f64,
}

/// What follows from the evaluations so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// The number of steps before the best evaluation.
    pub(super) best: Option<usize>,
    /// Number of the last evaluations that are no improvement.
    pub(super) stale: usize,
    /// Whether the run stops.
    pub(super) stops: bool,
}

impl Watch {
    /// The comparison that a plan asks for. `None` if it asks for none.
    pub(super) fn of(plan: &TrainPlan) -> Option<Self> {
        let metric = plan.compared_metric()?;
        Some(Self {
            metric: metric.to_owned(),
            // the default of `transformers`
            is_greater: plan.best_is_greater.unwrap_or(!metric.ends_with("loss")),
            patience: plan.early_stopping_patience,
            min_delta: plan.early_stopping_min_delta,
        })
    }

    /// What follows from the evaluations by the number of steps before them. The evaluation before the first
    /// step does not count.
    ///
    /// A value counts as an improvement if it differs from the best value before by more than `min_delta`, in the
    /// right direction; the best value itself can improve by less. This is the rule of the callback of
    /// `transformers`.
    ///
    /// # Errors
    /// [`TrainError::NoSuchMetric`] if an evaluation, including the one before the first step, does not have the
    /// metric.
    pub(super) fn verdict(
        &self,
        evaluations: &BTreeMap<usize, Means>,
    ) -> Result<Verdict, TrainError> {
        let mut verdict = Verdict::default();
        let mut best: Option<f64> = None;
        for (&step, means) in evaluations {
            let value = self.value(means)?;
            if step == 0 {
                continue;
            }
            let is_better = |best: f64| match self.is_greater {
                true => value > best,
                false => value < best,
            };
            let improves =
                best.is_none_or(|best| is_better(best) && (value - best).abs() > self.min_delta);
            verdict.stale = if improves { 0 } else { verdict.stale + 1 };
            if best.is_none_or(is_better) {
                best = Some(value);
                verdict.best = Some(step);
            }
            // A run that was resumed after it stopped, with more patience, goes on.
            verdict.stops = self.patience > 0 && verdict.stale >= self.patience;
        }
        Ok(verdict)
    }

    /// The metric in an evaluation.
    fn value(&self, means: &Means) -> Result<f64, TrainError> {
        let means = serde_json::to_value(means).unwrap_or_default();
        let value = means.get(&self.metric).and_then(Value::as_f64);
        value.ok_or_else(|| {
            let fields = means.as_object().into_iter().flatten();
            let names: Vec<&str> = fields.map(|(name, _)| name.as_str()).collect();
            TrainError::NoSuchMetric {
                metric: self.metric.clone(),
                known: names.join(", "),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::TokenMeans;

    fn evaluations(losses: &[f64]) -> BTreeMap<usize, Means> {
        let means = |&loss: &f64| {
            Means::Tokens(TokenMeans {
                loss,
                mean_token_accuracy: -loss,
                entropy: None,
            })
        };
        losses.iter().map(means).enumerate().collect()
    }

    #[track_caller]
    fn check(patience: usize, min_delta: f64, losses: &[f64], expected: (usize, usize, bool)) {
        for (metric, is_greater) in [("loss", false), ("mean_token_accuracy", true)] {
            let watch = Watch {
                metric: metric.to_owned(),
                is_greater,
                patience,
                min_delta,
            };
            let (best, stale, stops) = expected;
            let expected = Verdict {
                best: Some(best),
                stale,
                stops,
            };
            let found = watch.verdict(&evaluations(losses));
            assert_eq!(found.ok(), Some(expected), "{metric}");
        }
    }

    /// The first value is that of the evaluation before the first step.
    #[test]
    fn a_run_stops_after_evaluations_without_an_improvement() {
        check(2, 0.0, &[0.1, 0.9, 0.8, 0.85], (2, 1, false));
        check(2, 0.0, &[0.1, 0.9, 0.8, 0.85, 0.8], (2, 2, true));
        check(2, 0.0, &[0.1, 0.9, 0.8, 0.85, 0.7], (4, 0, false));
        check(0, 0.0, &[0.1, 0.9, 1.0, 1.1, 1.2], (1, 3, false));
    }

    /// A small improvement moves the best value, so that many of them never count as one.
    #[test]
    fn small_improvements_are_the_best_and_still_stale() {
        check(3, 0.15, &[0.1, 0.9, 0.8, 0.7], (3, 2, false));
        check(3, 0.15, &[0.1, 0.9, 0.8, 0.7, 0.6], (4, 3, true));
        check(3, 0.15, &[0.1, 0.9, 0.8, 0.7, 0.5], (4, 0, false));
    }

    /// The evaluations of a run in `fixtures/early-stopping`, and what `transformers` decides after each.
    #[derive(serde::Deserialize)]
    struct Case {
        is_greater: bool,
        patience: usize,
        min_delta: f64,
        values: Vec<f64>,
        decisions: Vec<Decision>,
    }

    #[derive(serde::Deserialize)]
    struct Decision {
        best: usize,
        stale: usize,
        stops: bool,
    }

    #[test]
    fn decisions_are_those_of_transformers() -> Result<(), Box<dyn std::error::Error>> {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../fixtures/early-stopping/cases.json"
        );
        let cases: Vec<Case> = serde_json::from_str(&std::fs::read_to_string(path)?)?;
        assert_eq!(cases.len(), 40);
        for case in cases {
            let watch = Watch {
                metric: "loss".to_owned(),
                is_greater: case.is_greater,
                patience: case.patience,
                min_delta: case.min_delta,
            };
            for (n, theirs) in case.decisions.iter().enumerate() {
                // with an evaluation before the first step
                let mut values = vec![0.5];
                values.extend(&case.values[..=n]);
                let expected = Verdict {
                    best: Some(theirs.best),
                    stale: theirs.stale,
                    stops: theirs.stops,
                };
                assert_eq!(watch.verdict(&evaluations(&values))?, expected, "{watch:?}");
            }
        }
        Ok(())
    }

    #[test]
    fn an_unknown_metric_is_explained() {
        let watch = Watch {
            metric: "accuracy".to_owned(),
            is_greater: true,
            patience: 0,
            min_delta: 0.0,
        };
        let error = watch.verdict(&evaluations(&[0.1])).err();
        assert_eq!(
            error.map(|error| error.to_string()).unwrap_or_default(),
            "train.best-metric: an evaluation does not measure `accuracy`; its metrics are loss, mean_token_accuracy"
        );
    }
}
