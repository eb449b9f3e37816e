//! What a run optimises, on one backend. In: log-probs of a batch. Out: its loss, and what is
//! measured of each pair or answer.

use burn::tensor::{Tensor, backend::Backend};
use pref_core::{BatchError, Kto, Objective, ObjectiveConfig, ObjectiveKind};
use pref_data::Batch;

use crate::batch::Columns;
use crate::examples::{Examples, Rows};
use crate::features::desirable;
use crate::metrics;

/// An objective over pairs, or over single answers.
#[derive(Debug)]
pub(crate) enum Goal<B: Backend> {
    /// Pairs; of a mixture of two sets, the objective of both.
    Pairs(Box<dyn Objective<B>>),
    /// Single answers.
    Single(Kto),
}

impl<B: Backend> Goal<B> {
    pub(crate) fn new(config: &ObjectiveConfig) -> Self {
        match config.kind() {
            ObjectiveKind::Kto(kto) => Goal::Single(*kto),
            ObjectiveKind::Bvpo(bvpo) => Goal::Pairs(Box::new(bvpo.inner.build())),
            ObjectiveKind::Pairwise(_) | ObjectiveKind::Sum(_) => {
                let objective = config.over_pairs();
                Goal::Pairs(objective.expect("these two kinds are over pairs"))
            }
        }
    }

    /// Mean loss of a batch, `[1]`, and the columns of [`metrics::PairValues`]. Single answers are
    /// measured against `reference_point`, `[1]`.
    pub(crate) fn loss(
        &self,
        examples: &Examples,
        rows: &Rows,
        columns: &Columns<B>,
        batch: &Batch,
        reference_point: Option<&Tensor<B, 1>>,
    ) -> Result<(Tensor<B, 1>, Tensor<B, 2>), BatchError> {
        match (self, rows) {
            (Goal::Pairs(objective), Rows::Pairs(rows)) => {
                let mut pairs = columns.pairs(batch);
                examples.attach(rows, &mut pairs);
                let output = objective.loss(&pairs)?;
                let values = metrics::per_pair(&output);
                Ok((output.loss, values))
            }
            (Goal::Single(kto), Rows::Single(rows)) => {
                let answers = columns.side(batch, 0..batch.answers.len());
                let device = answers.mask.device();
                let desirable = desirable(rows, &device);
                let n = rows.len();
                let point = reference_point.ok_or(BatchError::NoMismatch { n })?;
                let output = kto.loss_from(&answers, &desirable, point.clone())?;
                let values = metrics::per_example(kto, &output, &answers, desirable);
                Ok((output.loss, values))
            }
            (Goal::Pairs(_), Rows::Single(_)) | (Goal::Single(_), Rows::Pairs(_)) => {
                unreachable!("sets are read as the objective needs them")
            }
        }
    }
}
