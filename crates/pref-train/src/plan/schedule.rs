//! The schedules of a plan. In: names, as Pref or `transformers` writes them. Out: a closed enum.

use serde::{Deserialize, Serialize};

/// How the learning rate falls after the warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScheduleKind {
    /// The rate stays at its peak.
    #[serde(alias = "constant_with_warmup")]
    Constant,
    /// The rate falls in a straight line, and would be 0 one step after the last.
    Linear,
    /// The rate falls along half a cosine to `min_learning_rate`, by default 0, which would be reached one step
    /// after the last.
    #[serde(alias = "cosine_with_min_lr")]
    Cosine,
    /// The rate falls to `min_learning_rate`, by default 1e-7: a part `(1 − progress)^schedule_power` of the
    /// way is left. The end would be reached one step after the last.
    Polynomial,
    /// The rate is the peak times `√(w / step)`, where `w` is the number of warm-up steps. Without a warm-up it
    /// is the peak times `√(10000 / (step + 10000))`.
    #[serde(alias = "inverse_sqrt")]
    InverseSqrt,
    /// It stays at its peak, and falls along half a cosine over the last steps, whose number
    /// `decay_ratio` gives (warm-up, stable, decay; Hu et al. 2024, "MiniCPM").
    #[serde(alias = "warmup_stable_decay")]
    Wsd,
}

impl ScheduleKind {
    /// Its name in a plan.
    pub fn name(self) -> &'static str {
        match self {
            ScheduleKind::Constant => "constant",
            ScheduleKind::Linear => "linear",
            ScheduleKind::Cosine => "cosine",
            ScheduleKind::Polynomial => "polynomial",
            ScheduleKind::InverseSqrt => "inverse-sqrt",
            ScheduleKind::Wsd => "wsd",
        }
    }

    /// The learning rate at the end, for the schedules that have a setting for it.
    pub(crate) fn default_end(self) -> Option<f64> {
        match self {
            ScheduleKind::Cosine => Some(0.0),
            ScheduleKind::Polynomial => Some(1e-7),
            ScheduleKind::Constant
            | ScheduleKind::Linear
            | ScheduleKind::InverseSqrt
            | ScheduleKind::Wsd => None,
        }
    }
}
