//! The file of an evaluation. In: the values of each pair. Out: a file of JSON Lines, from which intervals of the means
//! can be computed.

use pref_data::Placed;
use serde_json::json;

use crate::evaluate::EvaluatedPair;
use crate::sets::Examples;

/// The file of an evaluation in the run's folder.
pub(super) fn name_of(step: usize) -> String {
    format!("{FOLDER}/step-{step:06}.jsonl")
}

/// The folder of these files in the run's folder.
pub(super) const FOLDER: &str = "evaluations";

/// A line for each pair, in the order of the rows: its place in the data, its loss, and the rewards of its answers.
pub(super) fn lines(examples: &Examples, mut pairs: Vec<EvaluatedPair>) -> String {
    pairs.sort_by_key(|pair| pair.index);
    let line = |pair: &EvaluatedPair| {
        let [chosen, rejected] = pair.rewards;
        let line = json!({
            "row": examples.entries()[pair.index].place().to_string(),
            "loss": pair.loss,
            "rewards/chosen": chosen,
            "rewards/rejected": rejected,
        });
        format!("{line}\n")
    };
    pairs.iter().map(line).collect()
}
