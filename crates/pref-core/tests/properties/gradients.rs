//! Gradients: they equal closed forms and finite differences, do not overflow, and reach only the
//! tensors that should receive them. In: random batches. Out: nothing, or a batch that fails.

use burn::tensor::Tensor;
use pref_core::{Method, ObjectiveConfig, Side};
use proptest::prelude::*;
use serde_json::json;

use super::batches::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn gradients_of_dpo_are_those_of_its_closed_form(pairs in pairs(), beta in 0.05f64..2.0) {
        let batch = batch(&pairs, 0, 0.0);
        let found = losses_and_gradients(&config(json!({"method": "dpo", "beta": beta})), &batch, &pairs);
        let sum = |t: &[Token]| t.iter().map(|t| f64::from(t.policy) - f64::from(t.reference)).sum::<f64>();
        for (i, (w, l)) in pairs.iter().enumerate() {
            let margin = beta * (sum(w) - sum(l));
            let expected = -beta / (1.0 + margin.exp()) / pairs.len() as f64;
            let sides = [(&found[1 + i], w, 1.0), (&found[1 + pairs.len() + i], l, -1.0)];
            for (found, tokens, sign) in sides {
                prop_assert_eq!(found.len(), tokens.len());
                for &found in found {
                    prop_assert!((f64::from(found) - sign * expected).abs() < 1e-5);
                }
            }
        }
    }

    #[test]
    fn gradients_are_those_of_finite_differences(
        w in tokens(1..5), l in tokens(1..5), at in 0usize..4,
    ) {
        let step = 2e-2f32;
        // keep away from probability 1, where odds are infinite and a step would exceed 1
        let [w, l] = [w, l].map(|answer: Vec<Token>| -> Vec<Token> {
            answer.iter().map(|t| Token { policy: t.policy - 0.5, ..*t }).collect()
        });
        for (side, answer) in [(0, &w), (1, &l)] {
            let at = at.min(answer.len() - 1);
            let moved = |by: f32| {
                let mut pair = (w.clone(), l.clone());
                let answer = if side == 0 { &mut pair.0 } else { &mut pair.1 };
                answer[at].policy += by;
                vec![pair]
            };
            for config in methods() {
                // the hinge has a kink; BMC's weights change with the log-probs but count as
                // constants, so differences are not the derivative
                let is_smooth = config.method() != Method::Hinge && !config.needs().varied;
                if is_smooth || config.method() == Method::Figa {
                    let value = |by: f32| {
                        f64::from(values(loss(&config, &batch(&moved(by), 0, 0.0)).per_pair)[0])
                    };
                    // With an f-divergence a reward may be e^12. The step then changes it by more than a
                    // difference can measure, or rounding hides the change.
                    let output = loss(&config, &batch(&moved(0.0), 0, 0.0));
                    let exceeds = |limit: f32, sizes| values(sizes).iter().any(|v| v.abs() > limit);
                    if exceeds(100.0, output.per_pair)
                        || exceeds(10.0, output.chosen_rewards)
                        || exceeds(10.0, output.rejected_rewards)
                    {
                        continue;
                    }
                    let pairs = moved(0.0);
                    let found = losses_and_gradients(&config, &batch(&pairs, 0, 0.0), &pairs);
                    prop_assert_eq!(found.len(), 3);
                    let found = f64::from(found[1 + side][at]);
                    let expected = (value(step) - value(-step)) / f64::from(2.0 * step);
                    let allowed = 5e-3 + 2e-2 * expected.abs();
                    prop_assert!(
                        (found - expected).abs() <= allowed,
                        "{}, side {side}: {found}, by differences {expected}",
                        config.to_value()
                    );
                }
            }
        }
    }

    #[test]
    fn nothing_overflows(
        policy in prop::collection::vec(prop_oneof![
            Just(0.0f32), Just(-1e-7), Just(-1.0), Just(-100.0), Just(-1e4), -1e4f32..0.0
        ], 2..7),
        reference in prop_oneof![Just(0.0f32), Just(-1.0), Just(-1e4)],
        exponent in -4.0f64..2.0,
    ) {
        let answer: Vec<Token> = policy.iter().map(|&p| Token { policy: p, reference, is_varied: p < -1.0, importance: 0.5 }).collect();
        let reversed: Vec<Token> = answer.iter().rev().skip(1).copied().collect();
        let pairs = vec![(answer.clone(), reversed.clone()), (reversed, answer)];
        let beta = 10f64.powf(exponent);
        for config in methods() {
            let mut value = config.to_value();
            for key in ["beta", "tau", "lambda"] {
                let is_discopop_tau = key == "tau" && config.method() == Method::DiscoPop;
                if value.get(key).is_some() && !is_discopop_tau {
                    value[key] = json!(beta);
                }
            }
            let config = ObjectiveConfig::from_value(&value).unwrap();
            for found in losses_and_gradients(&config, &batch(&pairs, 1, 0.0), &pairs).concat() {
                prop_assert!(found.is_finite(), "{value}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// A larger margin has a lower loss: the gradient raises chosen tokens and lowers rejected
    /// ones, whatever the sign of the margin.
    #[test]
    fn the_gradient_raises_the_margin(pairs in pairs(), beta in 0.05f64..1.0) {
        for name in ["dpo", "adpo", "cdpo", "dpo-bmc", "2d-dpo", "simpo", "rdpo", "d2po", "tdpo1"] {
            let value = json!({"method": name, "beta": beta});
            let config = config(value);
            let batch = batch(&pairs, 1, 0.0);
            let found = losses_and_gradients(&config, &batch, &pairs);
            let (w, l) = found[1..].split_at(pairs.len());
            prop_assert_eq!([w.len(), l.len()], [pairs.len(); 2]);
            prop_assert!(w.iter().flatten().all(|&g| g <= 0.0), "{name} {w:?}");
            prop_assert!(l.iter().flatten().all(|&g| g >= 0.0), "{name} {l:?}");
        }
        // the loss is below ln 2 exactly where the margin is above 0
        let dpo = config(json!({"method": "dpo", "beta": beta}));
        let output = loss(&dpo, &batch(&pairs, 0, 0.0));
        let margin = values(output.chosen_rewards - output.rejected_rewards);
        prop_assert_eq!(margin.len(), pairs.len());
        for (loss, margin) in values(output.per_pair).iter().zip(margin) {
            if margin.abs() > 1e-4 {
                prop_assert_eq!(*loss < std::f32::consts::LN_2, margin > 0.0);
            }
        }
    }

    /// The reference and a stopped KL receive no gradient.
    #[test]
    fn stopped_gradients_stay_stopped(pairs in pairs()) {
        for config in methods() {
            let mut batch = batch(&pairs, 0, 0.0);
            for side in [&mut batch.chosen, &mut batch.rejected] {
                side.reference = side.reference.clone().map(Tensor::require_grad);
                side.kl = side.kl.clone().map(Tensor::require_grad);
            }
            let gradients = loss(&config, &batch).loss.backward();
            let reference = [&batch.chosen, &batch.rejected].map(|s| s.reference.as_ref().unwrap());
            for reference in reference {
                prop_assert!(reference.grad(&gradients).is_none(), "{}", config.method().name());
            }
            let kl = |side: &Side<B>| side.kl.as_ref().unwrap().grad(&gradients).is_some();
            let flows = (kl(&batch.chosen), kl(&batch.rejected));
            let is_tdpo1 = config.method() == Method::Tdpo1;
            let is_tdpo2 = config.method() == Method::Tdpo2;
            let expected = (is_tdpo1, is_tdpo1 || is_tdpo2);
            prop_assert_eq!(flows, expected, "{}", config.method().name());
        }
    }

    /// BMC's confidence counts as a constant: the gradient is the weight times DPO's coefficient.
    #[test]
    fn the_confidence_has_no_gradient(pairs in pairs(), beta in 0.05f64..1.0) {
        let config = config(json!({"method": "dpo-bmc", "beta": beta}));
        let found = losses_and_gradients(&config, &batch(&pairs, 0, 0.0), &pairs);
        let weight = |t: &Token| 1.0 + f64::from(u8::from(t.is_varied)) * f64::from(-t.policy).exp().min(3.0);
        let sum = |side: &[Token]| side.iter().map(|t| weight(t) * f64::from(t.policy - t.reference)).sum::<f64>();
        for (i, (w, l)) in pairs.iter().enumerate() {
            let margin = beta * (sum(w) - sum(l));
            let coefficient = -beta / (1.0 + margin.exp()) / pairs.len() as f64;
            prop_assert_eq!(found[1 + i].len(), w.len());
            for (token, found) in w.iter().zip(&found[1 + i]) {
                let expected = coefficient * weight(token);
                prop_assert!((f64::from(*found) - expected).abs() < 1e-5 + 1e-4 * expected.abs());
            }
        }
    }
}
