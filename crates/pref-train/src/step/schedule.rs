//! Learning rates by step. In: the plan. Out: the rate of each optimiser step.

use crate::plan::{ScheduleKind, TrainPlan};

/// The learning rate of every step of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    peak: f64,
    kind: ScheduleKind,
    warmup: usize,
    total: usize,
}

impl Schedule {
    /// The schedule of a run of `total` steps.
    pub fn new(plan: &TrainPlan, total: usize) -> Self {
        Self {
            peak: plan.learning_rate,
            kind: plan.schedule,
            warmup: plan.warmup_steps,
            total,
        }
    }

    /// The learning rate of a step, as in `transformers`. Steps are counted from 0. The first step of a
    /// warm-up has a rate of 0, and the first step after the warm-up has the peak rate.
    ///
    /// ```
    /// use pref_train::{Schedule, ScheduleKind};
    /// let cosine = Schedule::from_parts(2e-4, ScheduleKind::Cosine, 2, 8);
    /// assert_eq!(cosine.rate(0), 0.0);
    /// assert_eq!(cosine.rate(2), 2e-4);
    /// ```
    pub fn rate(&self, step: usize) -> f64 {
        if step < self.warmup {
            return self.peak * step as f64 / self.warmup as f64;
        }
        let decay_steps = self.total.saturating_sub(self.warmup).max(1);
        let progress = ((step - self.warmup) as f64 / decay_steps as f64).min(1.0);
        let factor = match self.kind {
            ScheduleKind::Constant => 1.0,
            ScheduleKind::Linear => 1.0 - progress,
            ScheduleKind::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * progress).cos()),
        };
        self.peak * factor
    }

    /// A schedule from its peak rate, its kind, the number of warm-up steps and the number of all steps.
    pub fn from_parts(peak: f64, kind: ScheduleKind, warmup: usize, total: usize) -> Self {
        Self {
            peak,
            kind,
            warmup,
            total,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    /// A schedule, and the rate of each of its steps in `transformers`.
    #[derive(Deserialize)]
    struct Case {
        schedule: ScheduleKind,
        peak: f64,
        warmup: usize,
        total: usize,
        rates: Vec<f64>,
    }

    #[test]
    fn every_schedule_equals_that_of_transformers() -> Result<(), Box<dyn std::error::Error>> {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../fixtures/schedules/rates.json"
        );
        let cases: Vec<Case> = serde_json::from_str(&std::fs::read_to_string(path)?)?;
        use ScheduleKind::{Constant, Cosine, Linear};
        for kind in [Constant, Linear, Cosine] {
            let of_kind: Vec<&Case> = cases.iter().filter(|case| case.schedule == kind).collect();
            assert_eq!(of_kind.len(), 7, "{kind:?}");
            for case in of_kind {
                let Case {
                    peak,
                    warmup,
                    total,
                    ..
                } = *case;
                assert_eq!(case.rates.len(), total);
                let schedule = Schedule::from_parts(peak, kind, warmup, total);
                for (step, theirs) in case.rates.iter().enumerate() {
                    let ours = schedule.rate(step);
                    assert!(
                        (ours - theirs).abs() <= 1e-12 * peak,
                        "{kind:?}, {warmup} of {total} steps, step {step}: {ours}, {theirs}"
                    );
                }
            }
        }
        Ok(())
    }
}
