//! What a run decides at its start: the date in a chat template, the commits of data sets of the hub, and settings
//! that are `auto`. In: a plan. Out: the plan with the values at the start, so that a resumed run has the same.

use std::path::PathBuf;

use pref_data::{Tokenizer, is_pin_of, pinned};
use serde::Deserialize;
use serde_json::Value;

use crate::error::TrainError;
use crate::plan::{Auto, AutoValue, DataPlan, Plan};
use crate::ranks::{Ranks, RanksError};
use crate::tracker::Tracker;

/// Copies the values that the run pinned at its start into a plan that does not set them.
pub(super) fn copy_pins(plan: &mut Plan, then: &Value) {
    let train = &mut plan.train;
    copy_choice(&mut train.batch_tokens, &then["train"]["batch-tokens"]);
    copy_choice(&mut train.share_prompts, &then["train"]["share-prompts"]);
    copy_choice(&mut train.vocab_chunk, &then["train"]["vocab-chunk"]);
    let then = &then["data"];
    let time = &mut plan.data.template_time;
    if time.is_none() {
        *time = then["template-time"].as_str().map(str::to_owned);
    }
    for (key, path) in paths(&mut plan.data) {
        let pin = then[key].as_str().map(PathBuf::from);
        if let Some(pin) = pin.filter(|pin| is_pin_of(pin, path)) {
            *path = pin;
        }
    }
}

/// Copies what the run chose into a setting that is `auto`.
fn copy_choice<T: AutoValue>(setting: &mut Auto<T>, then: &Value) {
    if let (Auto::Auto, Ok(choice)) = (&setting, Auto::deserialize(then)) {
        *setting = choice;
    }
}

/// Pins data sets of the hub to their current commits.
pub(super) fn pin_data_sets(plan: &mut Plan, tracker: &mut dyn Tracker) -> Result<(), TrainError> {
    for (key, path) in paths(&mut plan.data) {
        let pin = pinned(path)?;
        if pin != *path {
            tracker.note(&format!("data.{key} is pinned to {}", pin.display()));
            *path = pin;
        }
    }
    Ok(())
}

/// Loads the tokenizer of `model.path`, and pins the time that its chat template writes.
pub(super) fn load_tokenizer(
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
        "the chat template writes the current time; this run always uses {time} (data.template-time)"
    ));
    Ok(tokenizer.at_time(time)?)
}

/// The plan of rank 0, with what it pinned.
pub(super) fn of_first_rank(plan: Plan, ranks: &dyn Ranks) -> Result<Plan, TrainError> {
    let first = ranks.of_first(|| Ok::<_, TrainError>(plan.to_toml()))?;
    match ranks.is_first() {
        true => Ok(plan),
        false => toml::from_str(&first).map_err(|error| {
            TrainError::Ranks(RanksError::Message {
                rank: 0,
                message: error.to_string(),
            })
        }),
    }
}

/// The paths of the data sets of a plan.
fn paths(data: &mut DataPlan) -> impl Iterator<Item = (&'static str, &mut PathBuf)> {
    let optional = [
        ("eval", &mut data.eval),
        ("empty", &mut data.empty),
        ("empty-eval", &mut data.empty_eval),
    ];
    let optional = optional.into_iter();
    let given = optional.filter_map(|(key, path)| Some((key, path.as_mut()?)));
    std::iter::once(("train", &mut data.train)).chain(given)
}
