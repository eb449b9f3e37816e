//! The programs that a run writes its metrics for. In: a name or a list of names, as `transformers` has it. Out: a closed
//! enum.

use serde::{Deserialize, Serialize};

/// The program that the metrics are also written for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", try_from = "Names")]
pub enum ReportTo {
    /// None: the metrics are in `metrics.jsonl` only.
    #[default]
    None,
    /// TensorBoard: the metrics are in an event file as well.
    TensorBoard,
}

/// `report_to` of `transformers`.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected `none` or `tensorboard`")]
enum Names {
    One(String),
    Several(Vec<String>),
}

impl TryFrom<Names> for ReportTo {
    type Error = String;

    fn try_from(names: Names) -> Result<Self, String> {
        let names = match names {
            Names::One(name) => vec![name],
            Names::Several(names) => names,
        };
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        match names[..] {
            [] | ["none"] => Ok(ReportTo::None),
            ["tensorboard"] => Ok(ReportTo::TensorBoard),
            _ => {
                let found = names.join("`, `");
                Err(format!("found `{found}`, expected `none` or `tensorboard`"))
            }
        }
    }
}
