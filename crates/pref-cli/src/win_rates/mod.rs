//! Win rates of models through a judge. In: annotations in AlpacaEval's format. Out: win rates with intervals.

mod annotation;
mod calibration;
mod standing;

pub(crate) use annotation::{Annotation, read};
pub(crate) use calibration::Calibration;
pub(crate) use standing::{Standing, correct};
