//! The values of the metrics. In: random batches. Out: log-probs, KL estimates and accuracies that
//! equal their closed forms.

use proptest::prelude::*;
use serde_json::json;

use super::batches::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn metrics_have_their_closed_forms(pairs in pairs()) {
        let batch = batch(&pairs, 2, f32::NAN);
        let sum = |t: &[Token], of: fn(&Token) -> f32| t.iter().map(of).sum::<f32>();
        for config in methods() {
            let output = loss(&config, &batch);
            let name = config.method().name();
            let logps: Vec<f32> = pairs.iter().map(|p| sum(&p.0, |t| t.policy)).collect();
            assert_near(name, &[values(output.chosen_logps)], &[logps]);
            // reference-free methods have the estimate too, since the batch has a reference
            let kl: Vec<f32> = pairs.iter().map(|p| sum(&p.1, |t| t.policy - t.reference)).collect();
            assert_near(name, &[values(output.rejected_kl.unwrap())], &[kl]);
            let accuracies = values(output.granule_accuracies);
            prop_assert_eq!(accuracies.len(), pairs.len());
            prop_assert!(accuracies.iter().all(|a| (0.0..=1.0).contains(a)));
        }
        // one token per granule: the fraction of positions at which the chosen token has the higher
        // reward
        let tokens = config(json!({"method": "adpo", "granularity": {"static": 1}}));
        let found = values(loss(&tokens, &batch).granule_accuracies);
        let reward = |t: Option<&Token>| t.map_or(0.0, |t| 0.1 * (t.policy - t.reference));
        prop_assert_eq!(found.len(), pairs.len());
        for (pair, found) in pairs.iter().zip(found) {
            let n = pair.0.len().max(pair.1.len());
            let right = (0..n).filter(|&t| reward(pair.0.get(t)) > reward(pair.1.get(t))).count();
            prop_assert!((found - right as f32 / n as f32).abs() < 1e-6);
        }
        // one granule: 1 if the chosen answer has the higher reward
        let whole = loss(&config(json!({"method": "dpo"})), &batch);
        let right = values(whole.chosen_rewards - whole.rejected_rewards);
        prop_assert_eq!(right.len(), pairs.len());
        for (accuracy, margin) in values(whole.granule_accuracies).iter().zip(right) {
            prop_assert_eq!(*accuracy, f32::from(u8::from(margin > 0.0)));
        }
    }
}
