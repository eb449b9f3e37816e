//! Labelled parts: context, reasoning and answer, each compared with its like (HiPO).

use std::collections::BTreeMap;

use burn::tensor::{Tensor, TensorData, backend::Backend};

use super::{Granularity, Whole};
use crate::batch::{PairBatch, Role};
use crate::error::BatchError;
use crate::granules::{Assignment, Granules};

/// All tokens with one label form a granule, whose loss counts `weights[label]`; a part empty on
/// both sides is skipped. With `response_weight > 0` the whole answer adds a term of its own
/// (HiPO's full-response weight).
#[derive(Clone, Debug, PartialEq)]
pub struct Parts {
    /// Weight of each part's loss, `≥ 0`.
    pub weights: BTreeMap<String, f64>,
    /// Weight of the whole answer's loss, `≥ 0`.
    pub response_weight: f64,
}

impl<B: Backend> Granularity<B> for Parts {
    fn granules(&self, batch: &PairBatch<B>) -> Result<Vec<Granules<B>>, BatchError> {
        let n_granules = batch.part_labels.len();
        let ids = |role: Role| {
            let parts = batch.side(role).parts.clone();
            parts.filter(|_| n_granules > 0).ok_or(BatchError::Missing {
                user: "granularity by parts",
                input: "`parts` (one label a token)",
                side: role.name(),
                remedy: "label the tokens of both answers in the data",
            })
        };
        let (chosen, rejected) = (ids(Role::Chosen)?, ids(Role::Rejected)?);

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
        granules.weight = granules.present(batch).float() * weights;

        let mut all = vec![granules];
        if self.response_weight > 0.0 {
            for mut whole in Whole.granules(batch)? {
                whole.weight = whole.weight * self.response_weight;
                all.push(whole);
            }
        }
        Ok(all)
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
