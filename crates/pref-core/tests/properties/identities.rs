//! Objectives that must be equal, and closed forms. In: random batches. Out: equal losses and
//! gradients.

use burn::tensor::Tensor;
use pref_core::{Method, ObjectiveConfig, PairBatch, Segments, Side};
use proptest::prelude::*;
use serde_json::json;

use super::batches::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn equal_shifts_of_policy_and_reference_cancel(pairs in pairs(), shift in -3.0f32..0.0) {
        let moved = |tokens: &Vec<Token>| -> Vec<Token> {
            tokens.iter().map(|t| Token { policy: t.policy + shift, reference: t.reference + shift, ..*t }).collect()
        };
        let shifted: Vec<Pair> = pairs.iter().map(|p| (moved(&p.0), moved(&p.1))).collect();
        for config in methods() {
            let needs = config.needs();
            // confidence weights and reference-free terms depend on the policy alone
            let is_ratio = config.method() != Method::Sum && needs.reference;
            if is_ratio && !needs.varied {
                let a = values(loss(&config, &batch(&pairs, 0, 0.0)).per_pair);
                let b = values(loss(&config, &batch(&shifted, 0, 0.0)).per_pair);
                prop_assert_eq!([a.len(), b.len()], [pairs.len(); 2]);
                for (a, b) in a.iter().zip(&b) {
                    let allowed = 1e-3 + 1e-4 * a.abs();
                    prop_assert!((a - b).abs() <= allowed, "{} {a} {b}", config.method().name());
                }
            }
        }
    }

    #[test]
    fn special_cases_equal_dpo(pairs in pairs(), beta in 0.05f64..2.0) {
        let plain = json!({"method": "dpo", "beta": beta});
        let batch = batch(&pairs, 2, 0.0);
        let dpo = losses_and_gradients(&config(plain), &batch, &pairs);
        for same in [
            json!({"method": "adpo", "beta": beta, "granularity": {"adaptive": 1}}),
            json!({"method": "adpo", "beta": beta, "granularity": {"static": 8}}),
            json!({"method": "adpo", "beta": beta, "granularity": {"static": 1_000_000}}),
            json!({"method": "dpo", "beta": beta, "token_weights": {"kind": "temporal_decay", "gamma": 1.0}}),
            json!({"method": "dpo", "beta": beta, "token_weights": {"kind": "shared_length", "alpha": 1.0}}),
            json!({"method": "rdpo", "beta": beta, "alpha": 0.0}),
            json!({"method": "robust", "beta": beta, "label_smoothing": 0.0}),
            json!({"method": "dpo", "beta": beta, "f_divergence_type": "alpha_divergence", "f_alpha_divergence_coef": 1.0}),
            json!({"method": "sum", "terms": [{"method": "dpo", "beta": beta, "weight": 0.25}, {"method": "dpo", "beta": beta, "weight": 0.75}]}),
            json!({"method": "tdpo2", "beta": beta, "alpha": 0.0}),
            json!({"method": "hipo", "beta": beta, "part_weights": {"context": 0.0, "answer": 0.0}, "response_weight": 1.0}),
        ] {
            assert_near(&same.to_string(), &dpo, &losses_and_gradients(&config(same.clone()), &batch, &pairs));
        }
        // one segment with constant scores
        let mut whole = batch.clone();
        whole.segments = pairs
            .iter()
            .map(|(w, l)| {
                let one = |n: usize| Segments::new(n, vec![0..n], vec![[3.0; 5]]).unwrap();
                (one(w.len()), one(l.len()))
            })
            .collect();
        let ranked = json!({"method": "2d-dpo", "beta": beta});
        assert_near("2d-dpo", &dpo, &losses_and_gradients(&config(ranked), &whole, &pairs));
    }
}

/// Above 2²⁰ tokens times granules, the granule of a token is computed in integers.
#[test]
fn granules_of_very_long_answers_are_exact() {
    let n = 9000_usize;
    let ratio = |t: usize| -((t % 7) as f32);
    let policy = tensor((0..n).map(ratio).collect(), [1, n]);
    let side = |policy: Tensor<B, 2>, n| {
        let reference = policy.zeros_like().detach();
        Side::from_lengths(policy, &[n]).with_reference(reference)
    };
    let rejected = tensor(vec![0.0; 5000], [1, 5000]);
    let batch = PairBatch::new(side(policy, n), side(rejected, 5000));
    for m in [100, 116, 117, 3000] {
        let value = json!({"method": "adpo", "granularity": {"adaptive": m}});
        let found = values(loss(&config(value), &batch).per_pair)[0];
        let granule = |j: usize| (j * n / m..(j + 1) * n / m).map(ratio).sum::<f32>();
        let expected = (0..m)
            .map(|j| f64::from(0.1 * -granule(j)).exp().ln_1p())
            .sum::<f64>();
        assert!(
            (f64::from(found) / expected - 1.0).abs() < 1e-5,
            "{m}: {found} {expected}"
        );
    }
}

#[test]
fn a_configuration_with_its_defaults_reads_back_as_itself() {
    for config in methods() {
        let again = ObjectiveConfig::from_value(&config.to_value()).unwrap();
        assert_eq!(again, config);
    }
}
