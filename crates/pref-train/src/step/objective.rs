//! The objective of a run on one backend. In: log-probs of a batch. Out: its loss, and what is measured of
//! each pair or single answer.

use burn::tensor::{Tensor, backend::Backend};
use pref_core::{BatchError, Kto, Objective, ObjectiveConfig, ObjectiveKind};
use pref_data::Batch;

use super::features::{attach, desirable};
use crate::batch::TokenValues;
use crate::metrics::{of_answers, of_pairs};
use crate::sets::{Examples, RowBatch};

/// An objective over pairs, or over single answers.
#[derive(Debug)]
pub(crate) enum RunObjective<B: Backend> {
    /// An objective over pairs. For a mixture of two sets, it is the objective of each set.
    Pairs(Box<dyn Objective<B>>),
    /// An objective over single answers.
    Answers(Kto),
}

impl<B: Backend> RunObjective<B> {
    /// Builds a configured objective.
    pub(crate) fn new(config: &ObjectiveConfig) -> Self {
        match config.kind() {
            ObjectiveKind::Kto(kto) => RunObjective::Answers(*kto),
            ObjectiveKind::Bvpo(bvpo) => RunObjective::Pairs(Box::new(bvpo.inner.build())),
            ObjectiveKind::Pairwise(_) | ObjectiveKind::Sum(_) => {
                let objective = config.over_pairs();
                RunObjective::Pairs(objective.expect("both kinds compare pairs"))
            }
        }
    }

    /// Mean loss of a batch, `[1]`, and the values that [`PairValues`](crate::metrics::PairValues) reads.
    /// Single answers are compared with `reference_point`, `[1]`.
    pub(crate) fn loss(
        &self,
        examples: &Examples,
        rows: &RowBatch,
        values: &TokenValues<B>,
        batch: &Batch,
        reference_point: Option<&Tensor<B, 1>>,
    ) -> Result<(Tensor<B, 1>, Tensor<B, 2>), BatchError> {
        match (self, rows) {
            (RunObjective::Pairs(objective), RowBatch::Pairs(rows)) => {
                let mut pairs = values.pairs(batch);
                attach(examples, rows, &mut pairs);
                let output = objective.loss(&pairs)?;
                let measured = of_pairs(&output);
                Ok((output.loss, measured))
            }
            (RunObjective::Answers(kto), RowBatch::Single(rows)) => {
                let answers = values.side(batch, 0..batch.answers.len());
                let device = answers.mask.device();
                let desirable = desirable(rows, &device);
                let n = rows.len();
                let point = reference_point.ok_or(BatchError::NoMismatch { n })?;
                let output = kto.loss_from(&answers, &desirable, point.clone())?;
                let measured = of_answers(kto, &output, &answers, desirable);
                Ok((output.loss, measured))
            }
            (RunObjective::Pairs(_), RowBatch::Single(_))
            | (RunObjective::Answers(_), RowBatch::Pairs(_)) => {
                unreachable!("rows are read in the form that the objective needs")
            }
        }
    }
}
