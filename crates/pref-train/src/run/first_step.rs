//! A check of the first step of a run. In: what was measured in it. Out: a warning if the reference seems to be
//! wrong.

use crate::metrics::{Means, StepRecord};
use crate::plan::{Plan, ReferenceKind};

/// A warning if a reward of the first step is not 0. Before the first update the policy equals its reference, so
/// every reward is 0 and the logistic loss is ln 2. Other values mean that the reference is wrong.
pub(super) fn warning_of_first_step(plan: &Plan, record: &StepRecord) -> Option<String> {
    let model = &plan.model;
    let is_own = model.reference != ReferenceKind::None && model.reference_path.is_none();
    // An adapter that was trained before differs from its base, and from itself with dropout.
    let lora = plan.train.lora.as_ref();
    let is_own = is_own
        && lora.is_none_or(|lora| {
            let is_base = model.reference == ReferenceKind::AdapterOff;
            lora.adapter.is_none() || (!is_base && lora.dropout == Some(0.0))
        });
    let Means::Pairs(means) = &record.means else {
        return None;
    };
    let largest = means.chosen_rewards.abs().max(means.rejected_rewards.abs());
    (is_own && largest > 0.01).then(|| {
        format!(
            "warning: the first step has rewards of {:.4} and {:.4}, and both should be 0, because \
             the policy still equals its reference; check that {} and its reference have the \
             same weights",
            means.chosen_rewards,
            means.rejected_rewards,
            model.path.display()
        )
    })
}
