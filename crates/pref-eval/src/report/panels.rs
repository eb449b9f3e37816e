//! Which metrics are drawn together. In: the names of the metrics of all runs. Out: the charts of the page, in order.

use std::collections::BTreeSet;

use super::contents::Run;

/// A chart: metrics with one axis.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Panel {
    pub(super) title: String,
    /// What the numbers are.
    pub(super) unit: String,
    /// The metrics, and what each is called in the chart.
    pub(super) metrics: Vec<(String, String)>,
    pub(super) range: Range,
    /// Whether running means are drawn. A value that the plan sets has none.
    pub(super) is_smoothed: bool,
}

/// The ends of the vertical axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Range {
    /// As the values need it.
    Values,
    /// As the values need it, and 0.
    Zero,
    /// A share, 0 to 1.
    Share,
}

/// Metrics that say where in the run a line is.
const POSITIONS: [&str; 2] = ["epoch", "num_tokens"];

/// The panels of known metrics: title, unit, metrics with their labels, range.
type Known = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
    Range,
);

const KNOWN: [Known; 14] = [
    ("Loss", "nats", &[("loss", "")], Range::Values),
    (
        "Reward accuracy",
        "share of pairs",
        &[("rewards/accuracies", "")],
        Range::Share,
    ),
    (
        "Reward margin",
        "chosen minus rejected",
        &[("rewards/margins", "")],
        Range::Zero,
    ),
    (
        "Rewards",
        "mean of the answers",
        &[
            ("rewards/chosen", "chosen"),
            ("rewards/rejected", "rejected"),
        ],
        Range::Zero,
    ),
    (
        "Log-probs",
        "nats, sum over an answer",
        &[("logps/chosen", "chosen"), ("logps/rejected", "rejected")],
        Range::Values,
    ),
    (
        "KL to the reference",
        "nats, estimated from the answers",
        &[
            ("kl/chosen", "chosen"),
            ("kl/rejected", "rejected"),
            ("kl", "point"),
        ],
        Range::Zero,
    ),
    (
        "Granule accuracy",
        "share of granules",
        &[("rewards/granule_accuracies", "")],
        Range::Share,
    ),
    (
        "Token accuracy",
        "share of tokens",
        &[("mean_token_accuracy", "")],
        Range::Share,
    ),
    ("Accuracy", "share", &[("accuracy", "")], Range::Share),
    (
        "Accuracy by aspect",
        "share of segments",
        &[
            ("accuracy/helpfulness", "helpfulness"),
            ("accuracy/correctness", "correctness"),
            ("accuracy/safety", "safety"),
            ("accuracy/completeness", "completeness"),
            ("accuracy/clarity", "clarity"),
        ],
        Range::Share,
    ),
    (
        "Score margin",
        "chosen minus rejected",
        &[("margin", "")],
        Range::Zero,
    ),
    (
        "Scores",
        "of all answers",
        &[
            ("max_reward", "largest"),
            ("mean_reward", "mean"),
            ("min_reward", "least"),
        ],
        Range::Zero,
    ),
    (
        "Entropy",
        "nats, mean over tokens",
        &[("entropy", "")],
        Range::Values,
    ),
    (
        "Gradient norm",
        "before clipping",
        &[("grad_norm", "")],
        Range::Zero,
    ),
];

/// These are drawn last.
const LAST: [Known; 2] = [
    (
        "Learning rate",
        "of the last step of a line",
        &[("learning_rate", "")],
        Range::Zero,
    ),
    (
        "Throughput",
        "tokens a second",
        &[("tokens_per_second", "")],
        Range::Zero,
    ),
];

/// The charts of these runs. Several metrics share a chart if there is one run.
pub(super) fn panels(runs: &[Run]) -> Vec<Panel> {
    let rows = || {
        runs.iter()
            .flat_map(|run| run.steps.iter().chain(&run.evaluations))
    };
    let mut names: BTreeSet<&str> = rows()
        .flat_map(|row| row.values.keys().map(String::as_str))
        .filter(|name| !POSITIONS.contains(name))
        .collect();
    let mut panels = Vec::new();
    let mut add = |known: &[Known], panels: &mut Vec<Panel>| {
        for (title_of, unit, metrics, range) in known {
            let found: Vec<(String, String)> = metrics
                .iter()
                .filter(|(name, _)| names.remove(name))
                .map(|(name, label)| ((*name).to_owned(), (*label).to_owned()))
                .collect();
            let mut push = |title: String, metrics| {
                panels.push(Panel {
                    is_smoothed: *title_of != "Learning rate",
                    title,
                    unit: (*unit).to_owned(),
                    metrics,
                    range: *range,
                });
            };
            match (runs.len(), found.len()) {
                (_, 0) => {}
                (0 | 1, _) | (_, 1) => push((*title_of).to_owned(), found),
                _ => {
                    for (name, label) in found {
                        push(format!("{title_of}: {label}"), vec![(name, String::new())]);
                    }
                }
            }
        }
    };
    let mut last = Vec::new();
    add(&KNOWN, &mut panels);
    add(&LAST, &mut last);
    panels.extend(names.into_iter().map(|name| Panel {
        title: name.to_owned(),
        unit: String::new(),
        metrics: vec![(name.to_owned(), String::new())],
        range: Range::Values,
        is_smoothed: true,
    }));
    panels.extend(last);
    panels
}
