//! Padding, the order of the pairs, and the column where answers begin do not change the loss. In:
//! random batches. Out: equal losses and gradients.

use burn::tensor::Tensor;
use pref_core::Side;
use proptest::prelude::*;
use serde_json::json;

use super::batches::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn padding_changes_nothing_whatever_it_holds(pairs in pairs(), extra in 1usize..5) {
        for config in methods() {
            let plain = losses_and_gradients(&config, &batch(&pairs, 0, 0.0), &pairs);
            for filler in [-3.0, f32::NEG_INFINITY, f32::NAN] {
                let padded = losses_and_gradients(&config, &batch(&pairs, extra, filler), &pairs);
                assert_near(config.method().name(), &plain, &padded);
            }
        }
    }

    #[test]
    fn the_order_of_the_pairs_changes_nothing(pairs in pairs()) {
        let reversed: Vec<Pair> = pairs.iter().rev().cloned().collect();
        for config in methods() {
            let forwards = values(loss(&config, &batch(&pairs, 0, 0.0)).per_pair);
            let mut backwards = values(loss(&config, &batch(&reversed, 0, 0.0)).per_pair);
            backwards.reverse();
            assert_near(config.method().name(), &[forwards], &[backwards]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// A side made from lengths gives the same loss as one with a mask, also if the answers of the
    /// mask begin in a later column.
    #[test]
    fn lengths_and_masks_agree(pairs in pairs(), before in 0usize..4) {
        let by_mask = batch(&pairs, 2, 0.0);
        let mut by_length = by_mask.clone();
        let mut shifted = by_mask.clone();
        for (side, moved, of) in [
            (&mut by_length.chosen, &mut shifted.chosen, (|p: &Pair| p.0.len()) as fn(&Pair) -> usize),
            (&mut by_length.rejected, &mut shifted.rejected, |p: &Pair| p.1.len()),
        ] {
            let lengths: Vec<usize> = pairs.iter().map(of).collect();
            let from = side.clone();
            *side = Side::from_lengths(from.policy.clone(), &lengths);
            side.reference = from.reference.clone();
            let wide = |t: Tensor<B, 2>| {
                let [rows, _] = t.dims();
                Tensor::cat(vec![Tensor::zeros([rows, before], &t.device()), t], 1)
            };
            *moved = Side::new(wide(from.policy), wide(from.mask))
                .with_reference(wide(from.reference.unwrap()));
        }
        for value in [
            json!({"method": "adpo", "granularity": {"adaptive": 3}}),
            json!({"method": "adpo", "granularity": {"static": 2}}),
            json!({"method": "2d-dpo"}),
            json!({"method": "d2po"}),
            json!({"method": "ld-dpo"}),
            json!({"method": "simpo"}),
        ] {
            let config = config(value.clone());
            let expected = values(loss(&config, &by_mask).per_pair);
            for other in [&by_length, &shifted] {
                let found = values(loss(&config, other).per_pair);
                assert_near(&value.to_string(), std::slice::from_ref(&expected), &[found]);
            }
        }
    }
}
