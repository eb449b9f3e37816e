//! The groups of parameters of a run. In: the plan, and the names of the parameters. Out: the learning rate and
//! the weight decay of each parameter.

use std::collections::BTreeMap;

use crate::error::TrainError;
use crate::patterns::fitting_pattern;
use crate::plan::{GroupPlan, TrainPlan};

/// End of the name of DoRA's magnitudes. They have one axis, but the trainer of `transformers` decays them.
const MAGNITUDE: &str = ".lora.magnitude";

/// The learning rates and weight decays of all parameters.
#[derive(Clone, Debug)]
pub(super) struct Groups {
    weight_decay: f64,
    /// The parameters that belong to a group.
    members: BTreeMap<String, Member>,
}

/// A parameter of a group.
#[derive(Clone, Copy, Debug)]
struct Member {
    rate_factor: f64,
    weight_decay: Option<f64>,
}

impl Groups {
    /// The groups of a plan, for parameters with these names.
    ///
    /// # Errors
    /// [`TrainError`] if a pattern fits no parameter, or only parameters of earlier groups.
    pub(super) fn of(
        plan: &TrainPlan,
        names: impl Iterator<Item = String>,
    ) -> Result<Self, TrainError> {
        let names: Vec<String> = names.collect();
        let mut members = BTreeMap::new();
        for (index, group) in plan.groups.iter().enumerate() {
            let key = GroupPlan::key(index);
            let pattern = fitting_pattern(&key, &group.pattern, &names)?;
            let rate_factor = match (group.learning_rate_factor, group.learning_rate) {
                (Some(factor), _) => factor,
                (None, Some(rate)) => rate / plan.learning_rate,
                (None, None) => 1.0,
            };
            let member = Member {
                rate_factor,
                weight_decay: group.weight_decay,
            };
            let n_before = members.len();
            for name in names.iter().filter(|name| pattern.matches(name)) {
                members.entry(name.clone()).or_insert(member);
            }
            if members.len() == n_before {
                return Err(TrainError::EmptyGroup {
                    key,
                    pattern: group.pattern.clone(),
                });
            }
        }
        Ok(Self {
            weight_decay: plan.weight_decay,
            members,
        })
    }

    /// What the learning rate of the run is multiplied by for a parameter.
    pub(super) fn rate_factor(&self, name: &str) -> f64 {
        self.members
            .get(name)
            .map_or(1.0, |member| member.rate_factor)
    }

    /// The weight decay of a parameter with this number of axes.
    pub(super) fn weight_decay(&self, name: &str, axes: usize) -> f64 {
        let own = self
            .members
            .get(name)
            .and_then(|member| member.weight_decay);
        let decays = axes > 1 || name.ends_with(MAGNITUDE);
        own.unwrap_or(if decays { self.weight_decay } else { 0.0 })
    }
}
