//! Losses of reward models. In: the scores that a model gives to answers or to segments. Out: a loss
//! for each pair or segment.

use burn::tensor::{Tensor, backend::Backend};

use crate::math::log_sigmoid;

/// `−log σ(r_w − r_l) + c (r_w + r_l)²`, where `r` is the score of a whole answer.
///
/// The first term is the likelihood of the preference in the model of Bradley and Terry (1952), as
/// reward models are trained (Ouyang et al. 2022, eq. 1). The second keeps scores near 0 (Eisenstein
/// et al. 2023, sec. 4.2).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BradleyTerry {
    /// Factor `c` of the second term, `≥ 0`. Default of the configuration: 0.
    pub center_rewards_coefficient: f64,
}

impl BradleyTerry {
    /// The loss of each pair, nats, `[pairs]`.
    ///
    /// # Shapes
    /// Both `[pairs]`.
    pub fn per_pair<B: Backend>(
        &self,
        chosen: Tensor<B, 1>,
        rejected: Tensor<B, 1>,
    ) -> Tensor<B, 1> {
        let n = chosen.dims();
        let margin: Tensor<B, 2> = (chosen.clone() - rejected.clone()).unsqueeze();
        let loss = log_sigmoid(margin).neg().reshape(n);
        match self.center_rewards_coefficient {
            0.0 => loss,
            c => {
                let sum = chosen + rejected;
                loss + sum.clone() * sum * c
            }
        }
    }
}

/// `Σ_a (ŝ_a − s_a)² / A`, where `ŝ` are the scores that the model gives to a segment in `A` aspects,
/// and `s` are the scores of the data (2D-DPO, Li et al. 2024).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SegmentScores;

impl SegmentScores {
    /// The loss of each segment, `[segments]`.
    ///
    /// # Shapes
    /// Both `[segments, aspects]`.
    ///
    /// # Panics
    /// If the shapes differ.
    pub fn per_segment<B: Backend>(
        &self,
        predicted: Tensor<B, 2>,
        given: Tensor<B, 2>,
    ) -> Tensor<B, 1> {
        let [n, _] = predicted.dims();
        assert_eq!(
            predicted.dims(),
            given.dims(),
            "predicted and given scores must both be [segments, aspects]"
        );
        let error = predicted - given;
        (error.clone() * error).mean_dim(1).reshape([n])
    }
}
