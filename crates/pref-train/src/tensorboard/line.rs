//! A line of `metrics.jsonl` as points of curves. In: the line. Out: its step, and a value for each curve.

use serde_json::{Map, Value};

use crate::metrics::MetricsLine;

/// The points of a line.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    /// Number of optimiser steps so far.
    pub(super) step: i64,
    /// Whether the line is an evaluation.
    pub(super) is_evaluation: bool,
    /// The names of curves with their values, rounded to float32, which is the format of event files.
    pub(super) values: Vec<(String, f32)>,
}

impl Line {
    /// The points of a line of text. `None` if the text is not a line of metrics.
    pub(super) fn read(text: &str) -> Option<Self> {
        Self::of_object(&serde_json::from_str(text).ok()?)
    }

    /// The points of a record.
    pub(crate) fn of(record: &MetricsLine) -> Option<Self> {
        Self::of_object(serde_json::to_value(record).ok()?.as_object()?)
    }

    fn of_object(object: &Map<String, Value>) -> Option<Self> {
        let step = object.get("step")?.as_i64()?;
        let values = object.iter().filter(|(key, _)| *key != "step");
        let values = values.filter_map(|(key, value)| Some((tag(key), value.as_f64()? as f32)));
        Some(Self {
            step,
            is_evaluation: object.keys().any(|key| key.starts_with(EVALUATION)),
            values: values.collect(),
        })
    }
}

/// The beginning of the names of an evaluation's metrics.
const EVALUATION: &str = "eval_";

/// The name of a curve, as the TensorBoard callback of `transformers` makes it from the name of a metric.
fn tag(key: &str) -> String {
    match key.strip_prefix(EVALUATION) {
        Some(metric) => format!("{EVALUATION_TAG}{metric}"),
        None => format!("train/{key}"),
    }
}

/// The beginning of the names of an evaluation's curves.
pub(super) const EVALUATION_TAG: &str = "eval/";
