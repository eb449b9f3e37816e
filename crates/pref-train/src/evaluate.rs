//! Evaluation. In: a policy, rows and an objective, but no optimiser. Out: loss and rewards.

use std::ops::ControlFlow;

use burn::tensor::{Tensor, backend::Backend};
use pref_core::BatchError;
use pref_model::Policy;

use crate::batch::{TokenValues, head_values, responses, token_tensor};
use crate::metrics::{Means, Measured, PairMeans, RowValues, Sums};
use crate::sets::DataSet;
use crate::step::{LossInputs, RunObjective, StepFailure, mixed_means};

/// What an evaluation measures.
#[derive(Debug)]
pub(crate) struct Evaluation {
    /// Means over the evaluation rows.
    pub(crate) means: Means,
    /// Means over the evaluation rows with emptied traces, if there are any.
    pub(crate) empty: Option<PairMeans>,
    /// The values of each evaluation row, if the rows are pairs.
    pub(crate) pairs: Vec<EvaluatedPair>,
}

/// The values of an evaluated pair.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct EvaluatedPair {
    /// Index of the row.
    pub(crate) index: usize,
    /// Loss of the pair.
    pub(crate) loss: f32,
    /// Rewards, or scores of a reward model, of the chosen and of the rejected answer.
    pub(crate) rewards: [f32; 2],
}

/// Loss and rewards of a policy on the evaluation rows.
///
/// Ranks divide the batches among them. After each batch, or after one batch of each rank, `continues` gets the
/// number of rows, and returns whether to continue. If it returns false on a rank, the result is `Break`.
///
/// # Errors
/// [`StepFailure`] names the rows whose loss is not finite, or an input that is missing.
pub(crate) fn evaluate<B: Backend, P: Policy<B>>(
    policy: &P,
    inputs: &LossInputs<B, P>,
    objective: &RunObjective<B>,
    mut continues: impl FnMut(usize) -> bool,
) -> Result<ControlFlow<(), Evaluation>, StepFailure> {
    let (layout, ranks) = (inputs.layout, &*inputs.ranks);
    let mut sums = [Sums::default(); 2];
    let mut pairs = Vec::new();
    for (sums, set) in sums.iter_mut().zip([DataSet::Eval, DataSet::EmptyEval]) {
        let examples = inputs.sets.of(set);
        let mut all = layout.length_sorted(examples.entries()).concat();
        all.retain(|i| !inputs.skipped.of(set).contains(i));
        let point = inputs.reference_point(policy, objective, set, &all)?;
        for round in layout.divide(examples.entries(), &all).chunks(ranks.size()) {
            let own = match round.get(ranks.rank()) {
                Some(&indices) => {
                    let rows = (set, indices);
                    let measured = measure(policy, inputs, objective, rows, point.as_ref())?;
                    Some(RowValues::read(measured))
                }
                None => None,
            };
            let is_stopped = !continues(round.iter().map(|indices| indices.len()).sum());
            let all = ranks.share((own, is_stopped))?;
            for (indices, (measured, _)) in round.iter().zip(&all) {
                let Some(measured) = measured else { continue };
                let not_finite = measured.not_finite();
                if !not_finite.is_empty() {
                    let rows = not_finite.iter().map(|&k| indices[k]).collect();
                    return Err(StepFailure::Loss(set, rows));
                }
                sums.add(measured);
                if set == DataSet::Eval {
                    let values = indices.iter().zip(measured.pairs());
                    pairs.extend(
                        values.map(|(&index, [loss, chosen, rejected])| EvaluatedPair {
                            index,
                            loss,
                            rewards: [chosen, rejected],
                        }),
                    );
                }
            }
            if all.iter().any(|(_, is_stopped)| *is_stopped) {
                return Ok(ControlFlow::Break(()));
            }
        }
    }
    let (means, empty) = mixed_means(&sums, inputs.alpha);
    Ok(ControlFlow::Continue(Evaluation {
        means,
        empty,
        pairs,
    }))
}

/// What is measured of the rows `indices` of a data set. `point` is the reference point of kto.
fn measure<B: Backend, P: Policy<B>>(
    policy: &P,
    inputs: &LossInputs<B, P>,
    objective: &RunObjective<B>,
    (set, indices): (DataSet, &[usize]),
    point: Option<&Tensor<B, 1>>,
) -> Result<Measured<B>, BatchError> {
    let examples = inputs.sets.of(set);
    let rows = examples.rows(indices);
    let answers = rows.answers_of_loss(inputs.layout);
    let batch = &answers.batch;
    if let RunObjective::Scores(scores) = objective {
        let tokens = token_tensor(batch, &inputs.device);
        let hidden = policy.hidden(tokens, &batch.branches);
        let (_, measured) = scores.loss(policy, hidden, &rows, batch, inputs.layout.pad_id);
        return Ok(measured);
    }
    let distributions = inputs.distributions(batch);
    let distributions = distributions.as_ref();
    let tokens = responses::<B>(batch, &inputs.device);
    let hidden = tokens.hidden(policy);
    let wanted = objective.head_metrics(inputs.logs_entropy);
    let of_head = head_values(policy, &tokens, &hidden, inputs.vocab_chunk, wanted);
    let values = TokenValues {
        policy: tokens.to_rows(policy.log_probs(hidden, tokens.targets())),
        reference: inputs.reference_log_probs(set, indices, &answers, distributions),
        kl: distributions.map(|d| inputs.divergence(policy, batch, d)),
        of_head,
    };
    let (_, measured) = objective.loss(examples, &rows, &values, batch, point)?;
    Ok(measured)
}
