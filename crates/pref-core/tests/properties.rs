//! What holds for random batches: padding and order change nothing, special cases are what they
//! specialise, gradients are those of differences, nothing overflows.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use burn::backend::{Autodiff, Flex};
use burn::tensor::{Tensor, TensorData};
use pref_core::{LossOutput, Method, ObjectiveConfig, PairBatch, Segments, Side};
use proptest::prelude::*;
use serde_json::json;

type B = Autodiff<Flex>;

/// One answer: log-probs under policy and reference, varied, importance.
type Token = (f32, f32, bool, f32);
type Pair = (Vec<Token>, Vec<Token>);

fn tokens(range: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Token>> {
    let token = (-6.0f32..0.0, -6.0f32..0.0, any::<bool>(), 0.0f32..1.0);
    prop::collection::vec(token, range)
}

fn pairs() -> impl Strategy<Value = Vec<Pair>> {
    prop::collection::vec((tokens(1..9), tokens(1..9)), 1..5)
}

fn tensor(values: Vec<f32>, dims: [usize; 2]) -> Tensor<B, 2> {
    Tensor::from_data(TensorData::new(values, dims), &Default::default())
}

/// A side padded to `width`; the padding holds `filler`.
fn side(answers: &[&Vec<Token>], width: usize, filler: f32) -> Side<B> {
    let dims = [answers.len(), width];
    let column = |of: fn(&Token) -> f32, filler: f32| {
        let rows = answers.iter().flat_map(|answer| {
            let padding = std::iter::repeat_n(filler, width - answer.len());
            answer.iter().map(of).chain(padding).collect::<Vec<f32>>()
        });
        tensor(rows.collect(), dims)
    };
    let mut side = Side::new(column(|t| t.0, filler).require_grad(), column(|_| 1.0, 0.0))
        .with_reference(column(|t| t.1, filler));
    side.varied = Some(column(|t| f32::from(u8::from(t.2)), 0.0));
    side.importance = Some(column(|t| t.3, 0.0));
    side.given = Some(column(|t| 1.0 + t.3, 0.0));
    side.kl = Some(column(|t| t.3, 0.0));
    side.parts = Some(column(|t| f32::from(u8::from(t.2)), 0.0).int());
    side
}

fn batch(pairs: &[Pair], extra: usize, filler: f32) -> PairBatch<B> {
    let width = |of: fn(&Pair) -> &Vec<Token>| pairs.iter().map(|p| of(p).len()).max().unwrap();
    let chosen: Vec<&Vec<Token>> = pairs.iter().map(|p| &p.0).collect();
    let rejected: Vec<&Vec<Token>> = pairs.iter().map(|p| &p.1).collect();
    let mut batch = PairBatch::new(
        side(&chosen, width(|p| &p.0) + extra, filler),
        side(&rejected, width(|p| &p.1) + extra, filler),
    );
    batch.part_labels = vec!["context".to_owned(), "answer".to_owned()];
    let segments = |answer: &Vec<Token>| {
        let n = answer.len();
        let middle = n.div_ceil(2);
        let mut ranges = vec![0..middle];
        let mut scores = vec![[1.0, 2.0, 4.0, 0.0, 3.0]];
        if middle < n {
            ranges.push(middle..n);
            scores.push([3.0, 1.0, 0.0, 2.0, 2.0]);
        }
        Segments::new(n, ranges, scores).unwrap()
    };
    batch.segments = pairs
        .iter()
        .map(|p| (segments(&p.0), segments(&p.1)))
        .collect();
    batch
}

/// Every pairwise method, with settings where it has no defaults.
fn methods() -> Vec<ObjectiveConfig> {
    let all = Method::ALL.into_iter().map(|method| match method {
        Method::Hipo => ObjectiveConfig::from_value(&json!({
            "method": "hipo", "part_weights": {"context": 0.4, "answer": 0.6},
            "response_weight": 0.2,
        })),
        Method::Bvpo => ObjectiveConfig::from_value(&json!({
            "method": "bvpo", "inner": {"method": "dpo"},
        })),
        Method::Sum => ObjectiveConfig::from_value(&json!({
            "method": "sum", "terms": [{"method": "dpo", "weight": 0.8}, {"method": "simpo"}],
        })),
        other => ObjectiveConfig::preset(other.name()),
    });
    let divergent = ["forward_kl", "js_divergence", "alpha_divergence"].map(|divergence| {
        let config = json!({"method": "dpo", "f_divergence_type": divergence});
        ObjectiveConfig::from_value(&config)
    });
    let all = all.chain(divergent).map(Result::unwrap);
    let over_pairs: Vec<_> = all
        .filter(|config| config.over_pairs::<B>().is_some())
        .collect();
    // all but kto and bvpo
    assert_eq!(over_pairs.len(), Method::ALL.len() - 2 + 3);
    over_pairs
}

fn config(value: serde_json::Value) -> ObjectiveConfig {
    ObjectiveConfig::from_value(&value).unwrap()
}

fn loss(config: &ObjectiveConfig, batch: &PairBatch<B>) -> LossOutput<B> {
    config.over_pairs().unwrap().loss(batch).unwrap()
}

fn values(tensor: Tensor<B, 1>) -> Vec<f32> {
    tensor.into_data().iter().collect()
}

/// Per-pair losses and the gradients of both sides' log-probs, by pair, without padding.
fn all(config: &ObjectiveConfig, batch: &PairBatch<B>, pairs: &[Pair]) -> Vec<Vec<f32>> {
    let output = loss(config, batch);
    let gradients = output.loss.backward();
    let mut found = vec![values(output.per_pair)];
    for (side, of) in [
        (&batch.chosen, (|p: &Pair| p.0.len()) as fn(&Pair) -> usize),
        (&batch.rejected, |p: &Pair| p.1.len()),
    ] {
        let [_, width] = side.policy.dims();
        let gradient: Vec<f32> = match side.policy.grad(&gradients) {
            Some(gradient) => gradient.into_data().iter().collect(),
            None => vec![0.0; pairs.len() * width],
        };
        assert_eq!(gradient.len(), pairs.len() * width);
        for (row, pair) in gradient.chunks(width).zip(pairs) {
            found.push(row[..of(pair)].to_vec());
        }
    }
    found
}

#[track_caller]
fn assert_near(name: &str, a: &[Vec<f32>], b: &[Vec<f32>]) {
    let lengths = |lists: &[Vec<f32>]| lists.iter().map(Vec::len).collect::<Vec<_>>();
    assert_eq!(lengths(a), lengths(b), "{name}");
    assert!(a.iter().all(|list| !list.is_empty()), "{name}: nothing");
    for (a, b) in a.iter().flatten().zip(b.iter().flatten()) {
        let allowed = 1e-5 + 1e-4 * a.abs().max(b.abs());
        assert!((a - b).abs() <= allowed, "{name}: {a} {b}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn padding_changes_nothing_whatever_it_holds(pairs in pairs(), extra in 1usize..5) {
        for config in methods() {
            let plain = all(&config, &batch(&pairs, 0, 0.0), &pairs);
            for filler in [-3.0, f32::NEG_INFINITY, f32::NAN] {
                let padded = all(&config, &batch(&pairs, extra, filler), &pairs);
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

    #[test]
    fn equal_shifts_of_policy_and_reference_cancel(pairs in pairs(), shift in -3.0f32..0.0) {
        let moved = |tokens: &Vec<Token>| -> Vec<Token> {
            tokens.iter().map(|t| (t.0 + shift, t.1 + shift, t.2, t.3)).collect()
        };
        let shifted: Vec<Pair> = pairs.iter().map(|p| (moved(&p.0), moved(&p.1))).collect();
        for config in methods() {
            let needs = config.needs();
            // confidence looks at the policy alone, and so does a reference-free term
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
    fn special_cases_are_what_they_specialise(pairs in pairs(), beta in 0.05f64..2.0) {
        let plain = json!({"method": "dpo", "beta": beta});
        let batch = batch(&pairs, 2, 0.0);
        let dpo = all(&config(plain), &batch, &pairs);
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
            assert_near(&same.to_string(), &dpo, &all(&config(same.clone()), &batch, &pairs));
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
        assert_near("2d-dpo", &dpo, &all(&config(ranked), &whole, &pairs));
    }

    #[test]
    fn the_coefficient_is_the_analytic_one(pairs in pairs(), beta in 0.05f64..2.0) {
        let batch = batch(&pairs, 0, 0.0);
        let found = all(&config(json!({"method": "dpo", "beta": beta})), &batch, &pairs);
        let sum = |t: &[Token]| t.iter().map(|t| f64::from(t.0) - f64::from(t.1)).sum::<f64>();
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
        // away from probability 1, where odds are infinite and a step leads beyond it
        let [w, l] = [w, l].map(|answer: Vec<Token>| -> Vec<Token> {
            answer.iter().map(|t| (t.0 - 0.5, t.1, t.2, t.3)).collect()
        });
        for (side, answer) in [(0, &w), (1, &l)] {
            let at = at.min(answer.len() - 1);
            let moved = |by: f32| {
                let mut pair = (w.clone(), l.clone());
                let answer = if side == 0 { &mut pair.0 } else { &mut pair.1 };
                answer[at].0 += by;
                vec![pair]
            };
            for config in methods() {
                // the weights of BMC have no gradient, so differences are not the derivative;
                // a hinge has a kink, adaptive and the rest are smooth
                let is_smooth = config.method() != Method::Hinge && !config.needs().varied;
                if is_smooth || config.method() == Method::Figa {
                    let value = |by: f32| {
                        f64::from(values(loss(&config, &batch(&moved(by), 0, 0.0)).per_pair)[0])
                    };
                    // a divergence may be e^12, whose rounding drowns the difference
                    if value(0.0).abs() > 100.0 {
                        continue;
                    }
                    let pairs = moved(0.0);
                    let all = all(&config, &batch(&pairs, 0, 0.0), &pairs);
                    prop_assert_eq!(all.len(), 3);
                    let found = f64::from(all[1 + side][at]);
                    let expected = (value(step) - value(-step)) / f64::from(2.0 * step);
                    let allowed = 5e-3 + 2e-2 * expected.abs();
                    prop_assert!(
                        (found - expected).abs() <= allowed,
                        "{}, side {side}: {found}, by differences {expected}",
                        config.method().name()
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
        let answer: Vec<Token> = policy.iter().map(|&p| (p, reference, p < -1.0, 0.5)).collect();
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
            for found in all(&config, &batch(&pairs, 1, 0.0), &pairs).concat() {
                prop_assert!(found.is_finite(), "{value}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Raising the margin lowers the loss: chosen tokens are pushed up, rejected ones down,
    /// whatever the margin's sign, and less the larger it is.
    #[test]
    fn the_gradient_pushes_the_margin_up(pairs in pairs(), beta in 0.05f64..1.0) {
        for name in ["dpo", "adpo", "cdpo", "dpo-bmc", "2d-dpo", "simpo", "rdpo", "d2po", "tdpo1"] {
            let value = json!({"method": name, "beta": beta});
            let config = config(value);
            let batch = batch(&pairs, 1, 0.0);
            let found = all(&config, &batch, &pairs);
            let (w, l) = found[1..].split_at(pairs.len());
            prop_assert_eq!([w.len(), l.len()], [pairs.len(); 2]);
            prop_assert!(w.iter().flatten().all(|&g| g <= 0.0), "{name} {w:?}");
            prop_assert!(l.iter().flatten().all(|&g| g >= 0.0), "{name} {l:?}");
        }
        // a pair that is right by the policy pays less than ln 2, a pair that is wrong more
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

    /// No gradient reaches the reference, the weights, or a stopped KL.
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
            let expected = match config.method() {
                Method::Tdpo1 => (true, true),
                Method::Tdpo2 => (false, true),
                _ => (false, false),
            };
            prop_assert_eq!(flows, expected, "{}", config.method().name());
        }
    }

    /// The confidence of BMC is a constant: the gradient is the weight times DPO's coefficient.
    #[test]
    fn the_confidence_has_no_gradient(pairs in pairs(), beta in 0.05f64..1.0) {
        let config = config(json!({"method": "dpo-bmc", "beta": beta}));
        let found = all(&config, &batch(&pairs, 0, 0.0), &pairs);
        let weight = |t: &Token| 1.0 + f64::from(u8::from(t.2)) * f64::from(-t.0).exp().min(3.0);
        let sum = |side: &[Token]| side.iter().map(|t| weight(t) * f64::from(t.0 - t.1)).sum::<f64>();
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

    #[test]
    fn metrics_are_what_they_say(pairs in pairs()) {
        let batch = batch(&pairs, 2, f32::NAN);
        let sum = |t: &[Token], of: fn(&Token) -> f32| t.iter().map(of).sum::<f32>();
        for config in methods() {
            let output = loss(&config, &batch);
            let name = config.method().name();
            let logps: Vec<f32> = pairs.iter().map(|p| sum(&p.0, |t| t.0)).collect();
            assert_near(name, &[values(output.chosen_logps)], &[logps]);
            // the estimate is there for reference-free methods too, as the batch has a reference
            let kl: Vec<f32> = pairs.iter().map(|p| sum(&p.1, |t| t.0 - t.1)).collect();
            assert_near(name, &[values(output.rejected_kl.unwrap())], &[kl]);
            let accuracies = values(output.granule_accuracies);
            prop_assert_eq!(accuracies.len(), pairs.len());
            prop_assert!(accuracies.iter().all(|a| (0.0..=1.0).contains(a)));
        }
        // a granule a token: the share of tokens of the shared length that the policy prefers
        let tokens = config(json!({"method": "adpo", "granularity": {"static": 1}}));
        let found = values(loss(&tokens, &batch).granule_accuracies);
        let reward = |t: Option<&Token>| t.map_or(0.0, |t| 0.1 * (t.0 - t.1));
        prop_assert_eq!(found.len(), pairs.len());
        for (pair, found) in pairs.iter().zip(found) {
            let n = pair.0.len().max(pair.1.len());
            let right = (0..n).filter(|&t| reward(pair.0.get(t)) > reward(pair.1.get(t))).count();
            prop_assert!((found - right as f32 / n as f32).abs() < 1e-6);
        }
        // one granule: the accuracy of the pair
        let whole = loss(&config(json!({"method": "dpo"})), &batch);
        let right = values(whole.chosen_rewards - whole.rejected_rewards);
        prop_assert_eq!(right.len(), pairs.len());
        for (accuracy, margin) in values(whole.granule_accuracies).iter().zip(right) {
            prop_assert_eq!(*accuracy, f32::from(u8::from(margin > 0.0)));
        }
    }

    /// Lengths say the same as a mask, wherever the answers begin.
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

/// Beyond 2²⁰ tokens times granules the assignment is computed in integers.
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
fn a_configuration_reads_back_as_itself() {
    for config in methods() {
        let again = ObjectiveConfig::from_value(&config.to_value()).unwrap();
        assert_eq!(again, config);
    }
}
