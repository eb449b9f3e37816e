//! The losses of reward models, beside values of PyTorch and closed forms.

use burn::tensor::Tensor;
use pref_core::{BradleyTerry, SegmentScores, Sft, Side};

use crate::batches::{B, values};

fn leaf(numbers: [f32; 2]) -> Tensor<B, 1> {
    Tensor::<B, 1>::from_data(numbers, &Default::default()).require_grad()
}

#[track_caller]
fn near(ours: &[f32], theirs: &[f64]) {
    assert_eq!(ours.len(), theirs.len());
    for (ours, theirs) in ours.iter().zip(theirs) {
        let error = (f64::from(*ours) - theirs).abs();
        assert!(error <= 1e-5 * theirs.abs().max(0.1), "{ours} {theirs}");
    }
}

/// The values are those of PyTorch 2.15 in float64.
#[test]
fn bradley_terry_and_its_gradients_equal_those_of_pytorch() {
    let (chosen, rejected) = (leaf([1.0, -0.5]), leaf([0.0, 30.0]));
    let objective = BradleyTerry {
        center_rewards_coefficient: 0.01,
    };
    let per_pair = objective.per_pair(chosen.clone(), rejected.clone());
    near(&values(per_pair.clone()), &[0.3232616875182229, 39.2025]);
    let gradients = per_pair.mean().backward();
    let gradient = |leaf: &Tensor<B, 1>| -> Vec<f32> {
        leaf.grad(&gradients).unwrap().into_data().iter().collect()
    };
    near(&gradient(&chosen), &[-0.12447071068499756, -0.205]);
    near(&gradient(&rejected), &[0.14447071068499756, 0.795]);
}

#[test]
fn an_undecided_reward_model_pays_ln_2() {
    let scores = leaf([3.0, -7.0]);
    let per_pair = BradleyTerry::default().per_pair(scores.clone(), scores);
    near(&values(per_pair), &[std::f64::consts::LN_2; 2]);
}

#[test]
fn the_error_of_a_segment_is_the_mean_of_its_squared_errors() {
    let tensor = |rows: [[f32; 2]; 2]| Tensor::<B, 2>::from_data(rows, &Default::default());
    let predicted = tensor([[1.0, 2.0], [4.0, 0.0]]);
    let given = tensor([[0.0, 4.0], [4.0, 0.0]]);
    near(
        &values(SegmentScores.per_segment(predicted, given)),
        &[2.5, 0.0],
    );
}

/// A token that does not count has no part in the sum nor in the number of tokens, and no gradient.
#[test]
fn sft_is_the_mean_over_the_tokens_that_count() {
    let device = Default::default();
    let log_probs = Tensor::<B, 2>::from_data([[-1.0, -9.0, -2.0], [-4.0, 0.0, 0.0]], &device);
    let log_probs = log_probs.require_grad();
    let mask = Tensor::from_data([[1.0, 0.0, 1.0], [1.0, 0.0, 0.0]], &device);
    let output = Sft.loss(&Side::new(log_probs.clone(), mask));
    near(&values(output.loss.clone()), &[7.0 / 3.0]);
    near(&values(output.per_answer), &[3.0, 4.0]);
    let gradient = log_probs.grad(&output.loss.backward()).unwrap();
    let third = -1.0 / 3.0;
    let gradient: Vec<f32> = gradient.into_data().iter().collect();
    near(&gradient, &[third, 0.0, third, third, 0.0, 0.0]);
}
