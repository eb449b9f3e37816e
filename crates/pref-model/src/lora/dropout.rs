//! Dropout on the input of an adapter. In: the place of a forward pass in a run, and the name of a layer. Out:
//! the values that are dropped. They depend on nothing else, so a resumed run drops the same values.

use burn::tensor::{Bool, Tensor, TensorData, backend::Backend};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::random::stream;

/// The place of a forward pass in a run of training. Random choices of the pass, such as dropout, are a
/// function of it and of the name of a layer. So passes in any order make the same choices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrainingPass {
    /// Seed of the run.
    pub seed: u64,
    /// Number of optimiser steps before this one.
    pub step: u64,
    /// Number of the micro-batch within the step, from 0.
    pub micro_batch: u64,
}

/// The random numbers of one layer in one forward pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Noise([u8; 32]);

impl Noise {
    /// The random numbers of the layer `name`.
    pub(super) fn of(pass: TrainingPass, name: &str) -> Self {
        Self(stream(pass.seed, [pass.step, pass.micro_batch], name))
    }

    /// True for each value that is dropped, with the probability `rate`, from 0 to below 1. The numbers are
    /// drawn on the host, so that a seed drops the same values on every backend.
    pub(super) fn dropped<B: Backend>(
        self,
        rate: f64,
        shape: [usize; 2],
        device: &B::Device,
    ) -> Tensor<B, 2, Bool> {
        let limit = (rate * 2f64.powi(32)) as u32;
        let mut rng = <ChaCha8Rng as rand::SeedableRng>::from_seed(self.0);
        let n = shape[0] * shape[1];
        let dropped: Vec<bool> = (0..n).map(|_| rng.next_u32() < limit).collect();
        Tensor::from_data(TensorData::new(dropped, shape), device)
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Flex;

    use super::*;

    fn mask(pass: TrainingPass, name: &str) -> Vec<bool> {
        let shape = [100, 100];
        let mask = Noise::of(pass, name).dropped::<Flex>(0.1, shape, &Default::default());
        mask.into_data().iter::<bool>().collect()
    }

    #[test]
    fn every_pass_and_layer_drops_other_values_at_the_same_rate() {
        let pass = TrainingPass {
            seed: 7,
            step: 3,
            micro_batch: 1,
        };
        let masks = [
            mask(pass, "a"),
            mask(pass, "b"),
            mask(TrainingPass { seed: 8, ..pass }, "a"),
            mask(TrainingPass { step: 4, ..pass }, "a"),
            mask(
                TrainingPass {
                    micro_batch: 2,
                    ..pass
                },
                "a",
            ),
        ];
        assert_eq!(masks[0], mask(pass, "a"));
        for (i, one) in masks.iter().enumerate() {
            let n = one.iter().filter(|&&dropped| dropped).count();
            // five standard errors of 10,000 draws
            assert!((850..=1150).contains(&n), "{n} dropped");
            for other in &masks[..i] {
                // Independent masks differ at 18 % of the places.
                let n = one.iter().zip(other).filter(|(a, b)| a != b).count();
                assert!((1600..=2000).contains(&n), "{n} differ");
            }
        }
    }
}
