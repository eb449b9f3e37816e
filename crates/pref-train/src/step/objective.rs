//! The objective of a run on one backend. In: log-probs of a batch. Out: its loss, and what is measured of
//! each pair or single answer.

use burn::tensor::{Tensor, backend::Backend};
use pref_core::{BatchError, Kto, Objective, ObjectiveConfig, ObjectiveKind, Sft};
use pref_data::Batch;

use super::features::{attach, counted, desirable};
use super::scores::ScoreObjective;
use crate::batch::{HeadMetrics, TokenValues};
use crate::metrics::{Measured, of_answers, of_pairs, of_tokens};
use crate::sets::{Examples, RowBatch};

/// An objective over pairs, over single answers, or over scores.
#[derive(Debug)]
pub(crate) enum RunObjective<B: Backend> {
    /// An objective over pairs. For a mixture of two sets, it is the objective of each set.
    Pairs(Box<dyn Objective<B>>),
    /// KTO, over single answers with a reference point.
    Answers(Kto),
    /// SFT, over single answers.
    Wanted(Sft),
    /// An objective over the scores of a reward model.
    Scores(ScoreObjective),
}

impl<B: Backend> RunObjective<B> {
    /// Builds a configured objective.
    pub(crate) fn new(config: &ObjectiveConfig) -> Self {
        match config.kind() {
            ObjectiveKind::Kto(kto) => RunObjective::Answers(*kto),
            ObjectiveKind::Sft(sft) => RunObjective::Wanted(*sft),
            ObjectiveKind::BradleyTerry(objective) => {
                RunObjective::Scores(ScoreObjective::Answers(*objective))
            }
            ObjectiveKind::Segments(objective) => {
                RunObjective::Scores(ScoreObjective::Segments(*objective))
            }
            ObjectiveKind::Bvpo(bvpo) => RunObjective::Pairs(Box::new(bvpo.inner.build())),
            ObjectiveKind::Pairwise(_) | ObjectiveKind::Sum(_) => {
                let objective = config.over_pairs();
                RunObjective::Pairs(objective.expect("both kinds compare pairs"))
            }
        }
    }

    /// What the metrics need of the next-token distributions: for sft, how many tokens have the largest
    /// probability, and for every objective the entropy, if the plan asks for it.
    pub(crate) fn head_metrics(&self, logs_entropy: bool) -> HeadMetrics {
        HeadMetrics {
            is_top: matches!(self, RunObjective::Wanted(_)),
            entropy: logs_entropy,
        }
    }

    /// Mean loss of a batch, `[1]`, and what is measured. Single answers of kto are compared with
    /// `reference_point`, `[1]`. The objectives of reward models have
    /// [`a loss of their own`](ScoreObjective::loss).
    pub(crate) fn loss(
        &self,
        examples: &Examples,
        rows: &RowBatch,
        values: &TokenValues<B>,
        batch: &Batch,
        reference_point: Option<&Tensor<B, 1>>,
    ) -> Result<(Tensor<B, 1>, Measured<B>), BatchError> {
        match (self, rows) {
            (RunObjective::Pairs(objective), RowBatch::Pairs(rows)) => {
                let entropy = values.entropy(&values.side(batch, 0..batch.answers.len()).mask);
                let mut pairs = values.pairs(batch);
                attach(examples, rows, &mut pairs);
                let output = objective.loss(&pairs)?;
                let measured = of_pairs(&output);
                Ok((output.loss, measured.with_entropy(entropy)))
            }
            (RunObjective::Answers(kto), RowBatch::Single(rows)) => {
                let answers = values.side(batch, 0..batch.answers.len());
                let entropy = values.entropy(&answers.mask);
                let device = answers.mask.device();
                let desirable = desirable(rows, &device);
                let n = rows.len();
                let point = reference_point.ok_or(BatchError::NoMismatch { n })?;
                let output = kto.loss_from(&answers, &desirable, point.clone())?;
                let measured = of_answers(kto, &output, &answers, desirable);
                Ok((output.loss, measured.with_entropy(entropy)))
            }
            (RunObjective::Wanted(sft), RowBatch::Wanted(rows)) => {
                let mut answers = values.side(batch, 0..batch.answers.len());
                answers.mask = answers.mask.clone()
                    * counted(rows, answers.mask.dims(), &answers.mask.device());
                let output = sft.loss(&answers);
                let is_top = values.of_head.is_top.clone();
                let is_top = is_top.expect("the top tokens are computed for this objective");
                let entropy = values.entropy(&answers.mask);
                let measured = of_tokens(&output, &answers, is_top);
                Ok((output.loss, measured.with_entropy(entropy)))
            }
            (
                RunObjective::Pairs(_)
                | RunObjective::Answers(_)
                | RunObjective::Wanted(_)
                | RunObjective::Scores(_),
                RowBatch::Pairs(_) | RowBatch::Single(_) | RowBatch::Wanted(_),
            ) => {
                unreachable!("rows are read in the form that the objective needs")
            }
        }
    }
}
