//! Measurements of each pair or single answer. In: the output of a loss. Out: values on the host.

use burn::tensor::{Tensor, backend::Backend};
use pref_core::{Kto, KtoOutput, LossOutput, Side};

/// The values of each pair of a batch on the device, `[6, pairs]`, or `[8, pairs]` with estimates of the
/// KL. They are one tensor, so that one copy brings them to the host.
///
/// Rows: loss, reward of chosen and of rejected, log-prob of chosen and of rejected, granule accuracy, and
/// the estimate of the KL from chosen and from rejected.
pub(crate) fn of_pairs<B: Backend>(output: &LossOutput<B>) -> Tensor<B, 2> {
    let mut rows = vec![
        output.per_pair.clone().detach(),
        output.chosen_rewards.clone(),
        output.rejected_rewards.clone(),
        output.chosen_logps.clone(),
        output.rejected_logps.clone(),
        output.granule_accuracies.clone(),
    ];
    rows.extend(
        [&output.chosen_kl, &output.rejected_kl]
            .into_iter()
            .flatten()
            .cloned(),
    );
    Tensor::stack(rows, 0)
}

/// The values of each single answer of a batch on the device, `[7, answers]`.
///
/// Rows: loss, reward, log-prob, log-ratio, 1 if desirable, reference point, and the reward at the
/// reference point.
pub(crate) fn of_answers<B: Backend>(
    kto: &Kto,
    output: &KtoOutput<B>,
    answers: &Side<B>,
    desirable: Tensor<B, 1>,
) -> Tensor<B, 2> {
    let n = desirable.dims();
    let log_probs = answers.policy.clone().detach() * answers.mask.clone();
    let point = output.kl.clone().expand(n);
    Tensor::stack(
        vec![
            output.per_example.clone().detach(),
            output.rewards.clone(),
            log_probs.sum_dim(1).reshape(n),
            output.rewards.clone() / kto.beta,
            desirable,
            point.clone(),
            point * kto.beta,
        ],
        0,
    )
}

/// The values of [`of_pairs`] or [`of_answers`] on the host.
#[derive(Clone, Debug)]
pub(crate) struct PairValues {
    values: Vec<f32>,
    n: usize,
    kind: ValueKind,
}

/// Whether the values belong to pairs or to single answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ValueKind {
    Pairs { has_kl: bool },
    Answers,
}

impl PairValues {
    /// Number of pairs or single answers.
    pub(super) fn n(&self) -> usize {
        self.n
    }

    pub(super) fn kind(&self) -> ValueKind {
        self.kind
    }

    /// Copies the values to the host.
    pub(crate) fn read<B: Backend>(tensor: Tensor<B, 2>) -> Self {
        let [rows, n] = tensor.dims();
        let values = tensor.into_data().iter::<f32>().collect();
        let kind = match rows {
            7 => ValueKind::Answers,
            rows => ValueKind::Pairs { has_kl: rows == 8 },
        };
        Self { values, n, kind }
    }

    /// One value of each pair or single answer: a row of [`of_pairs`] or [`of_answers`].
    pub(super) fn row(&self, index: usize) -> &[f32] {
        &self.values[index * self.n..(index + 1) * self.n]
    }

    /// Indices of the pairs whose loss is NaN or infinite.
    pub(crate) fn not_finite(&self) -> Vec<usize> {
        let losses = self.row(0).iter().enumerate();
        losses
            .filter(|(_, loss)| !loss.is_finite())
            .map(|(i, _)| i)
            .collect()
    }
}
