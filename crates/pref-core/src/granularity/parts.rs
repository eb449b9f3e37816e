//! Labelled parts such as context, reasoning and answer (HiPO). In: the label of each token. Out:
//! one granule for each label, so that each part is compared with the same part of the other
//! answer.

use std::collections::BTreeMap;

use burn::tensor::{Tensor, TensorData, backend::Backend};

use super::interface::Granularity;
use super::position::Whole;
use crate::batch::{PairBatch, Role};
use crate::error::BatchError;
use crate::granules::{Assignment, Granules};

/// All tokens with the same label form one granule, whose loss is multiplied by `weights[label]`
/// (Hierarchical Preference Optimization).
///
/// A part that both answers lack is skipped. With `response_weight > 0`, the whole answer is
/// compared as well, as an additional term (the paper's full-response weight).
#[derive(Clone, Debug, PartialEq)]
pub struct Parts {
    /// Weight of each part's loss by label, `≥ 0`.
    pub weights: BTreeMap<String, f64>,
    /// Weight of the whole answer's loss, `≥ 0`. Default of the configuration: 0.
    pub response_weight: f64,
}

impl<B: Backend> Granularity<B> for Parts {
    fn granules(&self, batch: &PairBatch<B>) -> Result<Vec<Granules<B>>, BatchError> {
        let n_granules = batch.part_labels.len();
        let part_of = |role: Role| {
            let parts = batch.side(role).parts.clone();
            parts.filter(|_| n_granules > 0).ok_or(BatchError::Missing {
                user: "granularity by parts",
                input: "`parts` (one label per token)",
                side: role.name(),
                remedy: "label the tokens of both answers in the data",
            })
        };
        let (chosen, rejected) = (part_of(Role::Chosen)?, part_of(Role::Rejected)?);

        let weights: Vec<f64> = batch
            .part_labels
            .iter()
            .map(|label| self.weight_of(label))
            .collect::<Result<_, _>>()?;
        let device = batch.chosen.policy.device();
        let weights = Tensor::<B, 2>::from_data(TensorData::new(weights, [1, n_granules]), &device);

        let mut granules = Granules {
            n_granules,
            chosen: Assignment::Tokens(chosen),
            rejected: Assignment::Tokens(rejected),
            weight: weights.clone(),
            chosen_scale: None,
            rejected_scale: None,
        };
        granules.weight = granules.has_tokens(batch).float() * weights;

        let mut divisions = vec![granules];
        if self.response_weight > 0.0 {
            for mut whole in Whole.granules(batch)? {
                whole.weight = whole.weight * self.response_weight;
                divisions.push(whole);
            }
        }
        Ok(divisions)
    }
}

impl Parts {
    fn weight_of(&self, label: &str) -> Result<f64, BatchError> {
        self.weights
            .get(label)
            .copied()
            .ok_or_else(|| BatchError::UnknownPart {
                label: label.to_owned(),
                known: self
                    .weights
                    .keys()
                    .map(String::as_str)
                    .collect::<Vec<_>>()
                    .join(", "),
            })
    }
}
