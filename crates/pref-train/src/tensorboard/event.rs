//! The messages of an event file, as far as Pref uses them. In: a line of the metrics and its wall time. Out: a
//! protocol buffer, with the field numbers of TensorBoard's `event.proto` and `summary.proto`.

use prost::Message;

use super::line::Line;

/// One event. TensorBoard has it with one of `file_version`, `summary` and `session_log`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Event {
    /// Seconds since 1970.
    #[prost(double, tag = "1")]
    pub(super) wall_time: f64,
    /// Number of optimiser steps so far.
    #[prost(int64, tag = "2")]
    pub(super) step: i64,
    #[prost(string, optional, tag = "3")]
    pub(super) file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    pub(super) summary: Option<Summary>,
    #[prost(message, optional, tag = "7")]
    pub(super) session_log: Option<SessionLog>,
}

/// The values of a step.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Summary {
    #[prost(message, repeated, tag = "1")]
    pub(super) values: Vec<Scalar>,
}

/// A point of a curve.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Scalar {
    /// The name of the curve.
    #[prost(string, tag = "1")]
    pub(super) tag: String,
    #[prost(float, optional, tag = "2")]
    pub(super) simple_value: Option<f32>,
}

/// The beginning or the end of a process.
#[derive(Clone, PartialEq, Message)]
pub(super) struct SessionLog {
    #[prost(int32, tag = "1")]
    pub(super) status: i32,
}

/// `SessionLog.START`.
const START: i32 = 1;

impl Event {
    /// The first event of a file: the version of the format.
    pub(super) fn version(wall_time: f64) -> Self {
        Self {
            wall_time,
            file_version: Some("brain.Event:2".to_owned()),
            ..Self::default()
        }
    }

    /// The second event of a file. TensorBoard drops every point that it has read from an older file of the folder,
    /// because the file begins at step 0.
    pub(super) fn start(wall_time: f64) -> Self {
        Self {
            wall_time,
            session_log: Some(SessionLog { status: START }),
            ..Self::default()
        }
    }

    /// The points of a line.
    pub(super) fn of(line: &Line, wall_time: f64) -> Self {
        let scalar = |(tag, value): &(String, f32)| Scalar {
            tag: tag.clone(),
            simple_value: Some(*value),
        };
        Self {
            wall_time,
            step: line.step,
            summary: Some(Summary {
                values: line.values.iter().map(scalar).collect(),
            }),
            ..Self::default()
        }
    }
}
