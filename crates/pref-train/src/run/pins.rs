//! Inputs that vary by themselves, held where they were. In: a plan, a tokenizer whose template may
//! write the time. Out: the plan with what was found at the run's start, which its folder keeps, so
//! that a resumed run reads the same.

use pref_data::Tokenizer;
use serde_json::Value;

use crate::error::TrainError;
use crate::plan::Plan;
use crate::tracker::Tracker;

/// Takes over what the run has pinned at its start, where the plan itself says nothing of it.
pub(super) fn adopt(plan: &mut Plan, then: &Value) {
    let time = &mut plan.data.template_time;
    if time.is_none() {
        *time = then["data"]["template-time"].as_str().map(str::to_owned);
    }
}

/// Pins the time that the chat template writes.
pub(super) fn tokenizer(
    plan: &mut Plan,
    tracker: &mut dyn Tracker,
) -> Result<Tokenizer, TrainError> {
    let tokenizer = Tokenizer::from_folder(&plan.model.path)?;
    if !tokenizer.template_uses_time() {
        return Ok(tokenizer);
    }
    let now = || chrono::Local::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, false);
    let time = plan.data.template_time.get_or_insert_with(now);
    tracker.note(&format!(
        "the chat template writes the time; this run always gives it {time} (data.template-time)"
    ));
    Ok(tokenizer.at_time(time)?)
}
