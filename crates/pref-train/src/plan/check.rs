//! From settings to a checked plan. In: [`Settings`]. Out: a [`Plan`], or an error about the first setting
//! that is out of its range or does not fit another setting.

use pref_core::{BvpoAlpha, ObjectiveKind};

use super::error::PlanError;
use super::report_to::ReportTo;
use super::sections::{Plan, ReferenceKind};
use super::settings::Settings;

impl Plan {
    /// Builds a plan from settings, and checks it.
    ///
    /// # Errors
    /// [`PlanError`] names the setting, what was found and what was expected.
    pub fn from_settings(settings: Settings) -> Result<Self, PlanError> {
        let plan: Plan = settings.into_plan()?;
        plan.check()?;
        Ok(plan)
    }

    /// The plan as TOML, with every default spelled out.
    #[expect(
        clippy::missing_panics_doc,
        reason = "it never panics, as the message says"
    )]
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(self).expect("every value of a plan can be written as TOML")
    }

    /// Checks every value, and the values that depend on each other.
    pub(crate) fn check(&self) -> Result<(), PlanError> {
        let train = &self.train;
        let require = |key: &'static str, holds: bool, value: f64, expected: &'static str| {
            if holds && value.is_finite() {
                Ok(())
            } else {
                let value = value.to_string();
                Err(PlanError::OutOfRange {
                    key,
                    value,
                    expected,
                })
            }
        };
        let count = |key, n: usize| require(key, n > 0, n as f64, "at least 1");
        let unit = |key, x: f64| require(key, (0.0..1.0).contains(&x), x, "from 0 to below 1");
        require("train.epochs", train.epochs > 0.0, train.epochs, "above 0")?;
        if let Some(steps) = train.steps {
            count("train.steps", steps)?;
        }
        require(
            "train.save-minutes",
            train.save_minutes >= 0.0,
            train.save_minutes,
            "at least 0",
        )?;
        count("train.batch-size", train.batch_size)?;
        count("train.gradient-accumulation", train.gradient_accumulation)?;
        count("train.log-every", train.log_every)?;
        require(
            "train.learning-rate",
            train.learning_rate > 0.0,
            train.learning_rate,
            "above 0",
        )?;
        require(
            "train.weight-decay",
            train.weight_decay >= 0.0,
            train.weight_decay,
            "at least 0",
        )?;
        require(
            "train.max-grad-norm",
            train.max_grad_norm >= 0.0,
            train.max_grad_norm,
            "at least 0",
        )?;
        require(
            "train.adam-epsilon",
            train.adam_epsilon > 0.0,
            train.adam_epsilon,
            "above 0",
        )?;
        unit("train.adam-beta1", train.adam_beta1)?;
        unit("train.adam-beta2", train.adam_beta2)?;
        train.check_optimizer()?;
        train.check_schedule()?;
        train.check_trained()?;
        unit("data.eval-fraction", self.data.eval_fraction)?;
        if self.data.eval.is_some() && self.data.eval_fraction > 0.0 {
            let fraction = self.data.eval_fraction;
            return Err(PlanError::TwoEvaluations { fraction });
        }
        require(
            "train.early-stopping-min-delta",
            train.early_stopping_min_delta >= 0.0,
            train.early_stopping_min_delta,
            "at least 0",
        )?;
        let has_rows = self.data.eval.is_some() || self.data.eval_fraction > 0.0;
        if train.compared_metric().is_some() && !(has_rows && train.eval_every > 0) {
            return Err(PlanError::NothingToCompare);
        }
        let output = &self.output;
        if output.tensorboard_folder.is_some() && output.report_to == ReportTo::None {
            return Err(PlanError::NoEventFile);
        }
        let (warmup, ratio) = (train.warmup_steps, train.warmup_ratio);
        require(
            "train.warmup-ratio",
            (0.0..=1.0).contains(&ratio),
            ratio,
            "from 0 to 1",
        )?;
        if warmup > 0 && ratio > 0.0 {
            return Err(PlanError::TwoWarmups { warmup, ratio });
        }
        if let Some(ratio) = train.decay_ratio {
            require(
                "train.decay-ratio",
                ratio > 0.0 && ratio <= 1.0,
                ratio,
                "above 0, at most 1",
            )?;
        }
        if let Some(steps) = train.steps {
            train.check_warmup(steps)?;
        }
        if let Some(max_length) = self.data.max_length {
            require(
                "data.max-length",
                max_length >= 2,
                max_length as f64,
                "at least 2 (one token of prompt and one of response)",
            )?;
        }
        if let Some([start, end]) = self.data.rows
            && start >= end
        {
            return Err(PlanError::OutOfRange {
                key: "data.rows",
                value: format!("[{start}, {end}]"),
                expected: "[start, end) with start below end",
            });
        }
        self.check_objective()
    }

    /// Checks the settings of a reference that follows the policy.
    fn check_sync(&self, reference: ReferenceKind) -> Result<(), PlanError> {
        let model = &self.model;
        let has_adapter = self.train.lora.is_some();
        if reference != ReferenceKind::FrozenCopy || has_adapter {
            return Err(PlanError::FixedReference {
                reference: reference.name(),
                adapter: if has_adapter {
                    ", and `train.lora` is set"
                } else {
                    ""
                },
            });
        }
        if !(model.sync_alpha > 0.0 && model.sync_alpha <= 1.0) {
            return Err(PlanError::OutOfRange {
                key: "model.sync-alpha",
                value: model.sync_alpha.to_string(),
                expected: "above 0, at most 1",
            });
        }
        match model.sync_every {
            0 => Err(PlanError::OutOfRange {
                key: "model.sync-every",
                value: "0".to_owned(),
                expected: "at least 1",
            }),
            _ => Ok(()),
        }
    }

    fn check_objective(&self) -> Result<(), PlanError> {
        let method = self.objective.method().name();
        let needs = self.objective.needs();
        const SFT: &str = "\"sft\"";
        const LOG_PROBS: &str = "a method on log-probs";
        const REWARDS: &str = "\"bradley-terry\" or \"segments\"";
        for (key, is_set, is_used, methods) in [
            (
                "train.packing",
                self.train.packing,
                needs.demonstrations,
                SFT,
            ),
            (
                "data.all-turns",
                self.data.all_turns,
                needs.demonstrations,
                SFT,
            ),
            (
                "train.head-only",
                self.train.head_only,
                needs.reward_model,
                REWARDS,
            ),
            (
                "train.log-entropy",
                self.train.log_entropy,
                !needs.reward_model,
                LOG_PROBS,
            ),
        ] {
            if is_set && !is_used {
                return Err(PlanError::UnusedSwitch {
                    method,
                    key,
                    methods,
                });
            }
        }
        if !needs.traces {
            for (key, set) in [
                ("data.empty", &self.data.empty),
                ("data.empty-eval", &self.data.empty_eval),
            ] {
                if set.is_some() {
                    return Err(PlanError::IgnoredEmptySet { method, key });
                }
            }
        } else if self.data.empty.is_none() {
            return Err(PlanError::NeedsEmptySet { method });
        }
        if self.data.empty.is_some() && self.data.eval.is_some() != self.data.empty_eval.is_some() {
            return Err(PlanError::HalfEvaluation);
        }
        if let ObjectiveKind::Bvpo(bvpo) = self.objective.kind()
            && bvpo.alpha == BvpoAlpha::Optimal
            && self.train.batch_size * self.train.gradient_accumulation < 2
        {
            return Err(PlanError::NoGradientEstimates);
        }
        let (reference, path) = (self.model.reference, &self.model.reference_path);
        let is_model = matches!(
            reference,
            ReferenceKind::FrozenCopy | ReferenceKind::AdapterOff
        );
        if needs.kl && !is_model {
            return Err(PlanError::NeedsDistributions { method });
        }
        if reference == ReferenceKind::AdapterOff && path.is_some() {
            return Err(PlanError::TwoReferences);
        }
        if self.model.sync_reference {
            self.check_sync(reference)?;
        }
        match (needs.reference, reference) {
            (true, ReferenceKind::None) => Err(PlanError::NeedsReference { method }),
            (
                true,
                ReferenceKind::Precomputed | ReferenceKind::FrozenCopy | ReferenceKind::AdapterOff,
            ) => Ok(()),
            // A reference that the objective does not use would cost time and memory for nothing.
            (false, ReferenceKind::None) if path.is_none() => Ok(()),
            (
                false,
                ReferenceKind::None
                | ReferenceKind::Precomputed
                | ReferenceKind::FrozenCopy
                | ReferenceKind::AdapterOff,
            ) => Err(PlanError::IgnoredReference { method }),
        }
    }
}
