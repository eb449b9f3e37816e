//! Measurements of each pair, single answer or segment. In: the output of a loss. Out: values on the host.

use std::collections::BTreeSet;

use burn::tensor::{
    Tensor,
    backend::{AutodiffBackend, Backend},
};
use pref_core::{Kto, KtoOutput, LossOutput, SftOutput, Side};
use serde::{Deserialize, Serialize};

/// The values of each pair of a batch on the device, `[6, pairs]`, or `[8, pairs]` with estimates of the
/// KL.
///
/// Rows: loss, reward of chosen and of rejected, log-prob of chosen and of rejected, granule accuracy, and
/// the estimate of the KL from chosen and from rejected.
pub(crate) fn of_pairs<B: Backend>(output: &LossOutput<B>) -> Measured<B> {
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
    Measured {
        kind: ValueKind::Pairs {
            has_kl: rows.len() == 8,
        },
        tensor: Tensor::stack(rows, 0),
        rows: None,
        entropy: None,
    }
}

/// The values of each single answer of kto on the device, `[7, answers]`.
///
/// Rows: loss, reward, log-prob, log-ratio, 1 if desirable, reference point, and the reward at the
/// reference point.
pub(crate) fn of_answers<B: Backend>(
    kto: &Kto,
    output: &KtoOutput<B>,
    answers: &Side<B>,
    desirable: Tensor<B, 1>,
) -> Measured<B> {
    let n = desirable.dims();
    let log_probs = answers.policy.clone().detach() * answers.mask.clone();
    let point = output.kl.clone().expand(n);
    let rows = vec![
        output.per_example.clone().detach(),
        output.rewards.clone(),
        log_probs.sum_dim(1).reshape(n),
        output.rewards.clone() / kto.beta,
        desirable,
        point.clone(),
        point * kto.beta,
    ];
    Measured {
        tensor: Tensor::stack(rows, 0),
        kind: ValueKind::Answers,
        rows: None,
        entropy: None,
    }
}

/// The values of each single answer of a batch, `[3, answers]`.
///
/// Rows: negative log-prob summed over the answer's tokens, number of tokens, and number of tokens that have
/// the largest probability. `is_top` is 1 for such a token, `[answers, tokens]`.
pub(crate) fn of_tokens<B: Backend>(
    output: &SftOutput<B>,
    answers: &Side<B>,
    is_top: Tensor<B, 2>,
) -> Measured<B> {
    let n = output.n_tokens.dims();
    let n_correct = (is_top * answers.mask.clone()).sum_dim(1).reshape(n);
    Measured {
        tensor: Tensor::stack(
            vec![
                output.per_answer.clone().detach(),
                output.n_tokens.clone(),
                n_correct,
            ],
            0,
        ),
        kind: ValueKind::Tokens,
        rows: None,
        entropy: None,
    }
}

/// The values of each pair that a reward model scores, `[3, pairs]`.
///
/// Rows: loss, score of the chosen and of the rejected answer.
pub(crate) fn of_rewards<B: Backend>(
    per_pair: &Tensor<B, 1>,
    [chosen, rejected]: [Tensor<B, 1>; 2],
) -> Measured<B> {
    let rows = vec![per_pair.clone(), chosen, rejected];
    Measured {
        tensor: Tensor::stack(rows.into_iter().map(Tensor::detach).collect(), 0),
        kind: ValueKind::Rewards,
        rows: None,
        entropy: None,
    }
}

/// The values of each segment that a reward model scores, `[1 + 2 * aspects, segments]`.
///
/// Rows: loss, predicted score in each aspect, and given score in each aspect. `rows` is the index of each
/// segment's row in the batch.
pub(crate) fn of_segments<B: Backend>(
    per_segment: &Tensor<B, 1>,
    predicted: Tensor<B, 2>,
    given: Tensor<B, 2>,
    rows: Vec<usize>,
) -> Measured<B> {
    let loss: Tensor<B, 2> = per_segment.clone().unsqueeze();
    let all = vec![loss, predicted.transpose(), given.transpose()];
    Measured {
        tensor: Tensor::cat(all.into_iter().map(Tensor::detach).collect(), 0),
        kind: ValueKind::Segments,
        rows: Some(rows),
        entropy: None,
    }
}

/// Measurements on the device. They are one tensor, so that one copy brings them to the host.
#[derive(Clone, Debug)]
pub(crate) struct Measured<B: Backend> {
    /// `[values, items]`; the items are pairs, single answers or segments.
    tensor: Tensor<B, 2>,
    kind: ValueKind,
    /// The row of the batch that each item belongs to. By default each row is one item.
    rows: Option<Vec<usize>>,
    /// The sum of the entropies of the policy's next-token distributions, nats, and the number of tokens, `[2]`.
    entropy: Option<Tensor<B, 1>>,
}

impl<B: Backend> Measured<B> {
    /// The same measurements with the sum of the entropies, nats, and the number of tokens, `[2]`.
    pub(crate) fn with_entropy(self, entropy: Option<Tensor<B, 1>>) -> Self {
        Self { entropy, ..self }
    }
}

impl<B: AutodiffBackend> Measured<B> {
    /// The same on the backend without gradients.
    pub(crate) fn inner(self) -> Measured<B::InnerBackend> {
        Measured {
            tensor: self.tensor.inner(),
            kind: self.kind,
            rows: self.rows,
            entropy: self.entropy.map(Tensor::inner),
        }
    }
}

/// [`Measured`] values on the host, which ranks send each other.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RowValues {
    values: Vec<f32>,
    n: usize,
    kind: ValueKind,
    rows: Option<Vec<usize>>,
    entropy: Option<[f64; 2]>,
}

/// What the values belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum ValueKind {
    Pairs { has_kl: bool },
    Answers,
    Tokens,
    Rewards,
    Segments,
}

impl RowValues {
    /// Number of items: pairs, single answers or segments.
    pub(super) fn n(&self) -> usize {
        self.n
    }

    /// The sum of the entropies of the policy's next-token distributions, nats, and the number of tokens.
    pub(super) fn entropy(&self) -> Option<[f64; 2]> {
        self.entropy
    }

    pub(super) fn kind(&self) -> ValueKind {
        self.kind
    }

    /// Copies the values to the host.
    pub(crate) fn read<B: Backend>(measured: Measured<B>) -> Self {
        let [_, n] = measured.tensor.dims();
        Self {
            values: measured.tensor.into_data().iter::<f32>().collect(),
            n,
            kind: measured.kind,
            rows: measured.rows,
            entropy: measured.entropy.map(|entropy| {
                let values: Vec<f64> = entropy.into_data().iter().collect();
                [values[0], values[1]]
            }),
        }
    }

    /// Loss, and reward or score of the chosen and of the rejected answer, of each pair. Nothing if the items are not
    /// pairs.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = [f32; 3]> {
        let n = match self.kind {
            ValueKind::Pairs { .. } | ValueKind::Rewards => self.n,
            ValueKind::Answers | ValueKind::Tokens | ValueKind::Segments => 0,
        };
        (0..n).map(|i| [0, 1, 2].map(|row| self.row(row)[i]))
    }

    /// One value of each item: a row of [`of_pairs`] or of another function of this file.
    pub(super) fn row(&self, index: usize) -> &[f32] {
        &self.values[index * self.n..(index + 1) * self.n]
    }

    /// Indices of the rows of the batch whose loss is NaN or infinite.
    pub(crate) fn not_finite(&self) -> Vec<usize> {
        let losses = self.row(0).iter().enumerate();
        let items = losses.filter(|(_, loss)| !loss.is_finite()).map(|(i, _)| i);
        match &self.rows {
            None => items.collect(),
            Some(rows) => {
                let rows: BTreeSet<usize> = items.map(|i| rows[i]).collect();
                rows.into_iter().collect()
            }
        }
    }
}
