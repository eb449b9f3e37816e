//! A reference that follows the policy (TR-DPO), compared step by step with TRL, and what it is refused with.

use burn::backend::{Autodiff, Flex, NdArray};
use pref_train::{Plan, Settings, TrainBackend};
use serde_json::Value;

use crate::common;

/// Largest allowed error of a loss, and of an entropy relative to its size.
const TOLERANCE: f64 = 1e-5;

fn check<B: TrainBackend>() {
    let file = common::workspace("fixtures/reference-sync/dpo-llama.json");
    let peer: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let pairs = common::workspace("fixtures/gsm8k/dpo-llama.jsonl");
    let plan = common::plan(&[
        format!("model.path={}", common::model("llama")),
        format!("data.train={}", pairs.display()),
        format!("output.folder={}", folder.path().join("run").display()),
        format!("max_length={}", peer["max_length"]),
        format!("per_device_train_batch_size={}", peer["per_device_batch"]),
        format!("learning_rate={}", peer["learning_rate"]),
        format!("max_steps={}", peer["steps"]),
        format!("ref_model_mixup_alpha={}", peer["ref_model_mixup_alpha"]),
        format!("ref_model_sync_steps={}", peer["ref_model_sync_steps"]),
        format!("optim={}", peer["optim"]),
        "sync_ref_model=true".to_owned(),
        "lr_scheduler_type=constant".to_owned(),
        "data.shuffle=false".to_owned(),
        "train.log-entropy=true".to_owned(),
    ]);
    let (_, memory) = common::run::<B>(&plan, false).unwrap();
    let theirs = peer["trajectory"].as_array().unwrap();
    assert_eq!([memory.steps.len(), theirs.len()], [8, 8]);
    for (ours, theirs) in memory.steps.iter().zip(theirs) {
        let near = |key: &str, ours: f64, allowed: f64| {
            let theirs = theirs[key].as_f64().unwrap();
            let error = (ours - theirs).abs();
            assert!(
                error <= allowed,
                "{key}: {ours} is {error:.1e} from {theirs}"
            );
        };
        let means = ours.means.pairs().unwrap();
        near("loss", means.loss, TOLERANCE);
        near("entropy", means.entropy.unwrap(), TOLERANCE * 6.5);
        near("rewards/chosen", means.chosen_rewards, 1e-4);
        near("rewards/rejected", means.rejected_rewards, 1e-4);
    }
}

#[test]
fn tr_dpo_follows_trl_on_flex() {
    check::<Autodiff<Flex>>();
}

#[test]
fn tr_dpo_follows_trl_on_ndarray() {
    check::<Autodiff<NdArray>>();
}

#[test]
fn a_reference_that_cannot_follow_is_explained() {
    let error = |pairs: &[&str]| {
        let mut settings = Settings::default();
        for pair in ["model.path=m", "data.train=p.jsonl", "sync_ref_model=true"] {
            settings.set(pair).unwrap();
        }
        for pair in pairs {
            settings.set(pair).unwrap();
        }
        Plan::from_settings(settings).unwrap_err().to_string()
    };
    insta::assert_snapshot!(
        [
            error(&["model.reference=precomputed"]),
            error(&["model.reference=adapter-off", "train.lora=true"]),
            error(&["train.lora=true"]),
            error(&["objective.method=simpo"]),
            error(&["ref_model_mixup_alpha=0"]),
            error(&["ref_model_sync_steps=0"]),
        ]
        .join("\n")
    );

    let folder = tempfile::tempdir().unwrap();
    let data = common::write_pairs(folder.path(), 4);
    let plan = common::plan(&[
        format!("model.path={}", common::model("llama")),
        format!("model.reference-path={}", common::model("qwen2")),
        format!("data.train={}", data.display()),
        format!("output.folder={}", folder.path().join("run").display()),
        "model.sync-reference=true".to_owned(),
    ]);
    let error = common::run::<Autodiff<Flex>>(&plan, false).unwrap_err();
    insta::assert_snapshot!(error);
}
