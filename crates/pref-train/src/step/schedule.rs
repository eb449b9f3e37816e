//! Learning rates by step. In: the plan. Out: the rate of each optimiser step.

use crate::plan::{ScheduleKind, TrainPlan};

/// The learning rate of every step of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    peak: f64,
    kind: ScheduleKind,
    warmup: usize,
    /// Number of steps over which the rate falls at the end, for [`ScheduleKind::Wsd`].
    decay: usize,
    total: usize,
    /// The rate at the end, for [`ScheduleKind::Cosine`] and [`ScheduleKind::Polynomial`].
    end: f64,
    /// The exponent of [`ScheduleKind::Polynomial`].
    power: f64,
}

/// The first step after a warm-up of no steps counts as this step for [`ScheduleKind::InverseSqrt`].
const STEPS_WITHOUT_WARMUP: f64 = 10_000.0;

impl Schedule {
    /// The schedule of a run of `total` steps.
    pub fn new(plan: &TrainPlan, total: usize) -> Self {
        Self {
            peak: plan.learning_rate,
            kind: plan.schedule,
            warmup: plan.warmup(total),
            decay: plan.decay(total),
            total,
            end: plan
                .min_learning_rate
                .or(plan.schedule.default_end())
                .unwrap_or(0.0),
            power: plan.schedule_power.unwrap_or(1.0),
        }
    }

    /// The learning rate of a step, as in `transformers`. Steps are counted from 0. The first step of a
    /// warm-up has a rate of 0, and the first step after the warm-up has the peak rate.
    ///
    /// ```
    /// use pref_train::{Schedule, ScheduleKind};
    /// let cosine = Schedule::from_parts(2e-4, ScheduleKind::Cosine, 2, 0, 8);
    /// assert_eq!(cosine.rate(0), 0.0);
    /// assert_eq!(cosine.rate(2), 2e-4);
    /// let wsd = Schedule::from_parts(2e-4, ScheduleKind::Wsd, 2, 4, 20);
    /// assert_eq!(wsd.rate(15), 2e-4);
    /// assert!(wsd.rate(17) < 2e-4);
    /// ```
    pub fn rate(&self, step: usize) -> f64 {
        if step < self.warmup {
            return self.peak * step as f64 / self.warmup as f64;
        }
        let half_cosine = |progress: f64| 0.5 * (1.0 + (std::f64::consts::PI * progress).cos());
        // the fraction of the last `steps` steps that is over
        let progress = |steps: usize| {
            let first = self.total.saturating_sub(steps);
            (step.saturating_sub(first) as f64 / steps.max(1) as f64).min(1.0)
        };
        let after_warmup = self.total.saturating_sub(self.warmup);
        // the rate if this part of the way from the peak to the end is left
        let left = |part: f64| self.end / self.peak + (1.0 - self.end / self.peak) * part;
        let factor = match self.kind {
            ScheduleKind::Constant => 1.0,
            ScheduleKind::Linear => 1.0 - progress(after_warmup),
            ScheduleKind::Cosine => left(half_cosine(progress(after_warmup))),
            ScheduleKind::Polynomial => left((1.0 - progress(after_warmup)).powf(self.power)),
            ScheduleKind::InverseSqrt => {
                let scale = match self.warmup {
                    0 => STEPS_WITHOUT_WARMUP,
                    steps => steps as f64,
                };
                (scale / (step as f64 - self.warmup as f64 + scale)).sqrt()
            }
            ScheduleKind::Wsd => half_cosine(progress(self.decay)),
        };
        self.peak * factor
    }

    /// A schedule from its peak rate, its kind, and its numbers of steps: of the warm-up, of the decay at
    /// the end, which only [`ScheduleKind::Wsd`] uses, and of the whole run.
    pub fn from_parts(
        peak: f64,
        kind: ScheduleKind,
        warmup: usize,
        decay: usize,
        total: usize,
    ) -> Self {
        Self {
            peak,
            kind,
            warmup,
            decay,
            total,
            end: kind.default_end().unwrap_or(0.0),
            power: 1.0,
        }
    }

    /// The same schedule, which falls to the rate `end` with an exponent `power`. [`ScheduleKind::Cosine`] uses the
    /// rate, and [`ScheduleKind::Polynomial`] uses both.
    #[must_use]
    pub fn to(self, end: f64, power: f64) -> Self {
        Self { end, power, ..self }
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
        #[serde(default)]
        decay: usize,
        #[serde(default)]
        end: Option<f64>,
        #[serde(default)]
        power: Option<f64>,
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
        use ScheduleKind::{Constant, Cosine, InverseSqrt, Linear, Polynomial, Wsd};
        for kind in [Constant, Linear, Cosine, Polynomial, InverseSqrt, Wsd] {
            let of_kind: Vec<&Case> = cases.iter().filter(|case| case.schedule == kind).collect();
            assert!(of_kind.len() >= 7, "{kind:?}");
            for case in of_kind {
                let Case {
                    peak,
                    warmup,
                    decay,
                    end,
                    power,
                    total,
                    ..
                } = *case;
                assert_eq!(case.rates.len(), total);
                let schedule = Schedule::from_parts(peak, kind, warmup, decay, total);
                let schedule = schedule.to(end.unwrap_or(schedule.end), power.unwrap_or(1.0));
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
