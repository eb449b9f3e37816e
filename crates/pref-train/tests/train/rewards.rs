//! Reward models: runs compared step by step with TRL's `RewardTrainer`, scores of segments, fresh heads, and
//! resuming.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use burn::backend::{Autodiff, Flex, NdArray};
use common::Memory;
use pref_model::RewardModel;
use pref_train::{Means, Outcome, Plan, RewardMeans, SegmentMeans, TrainBackend};
use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value, json};

use crate::common;
use crate::trajectories::check_norms;

type Cpu = Autodiff<Flex>;

/// A folder of the tiny Llama with this head, `[labels, hidden]`, as `transformers` saves it.
fn with_head(folder: &Path, head: &[f32], n_labels: usize) -> PathBuf {
    let source = PathBuf::from(common::model("llama"));
    let target = folder.join("with-head");
    fs::create_dir_all(&target).unwrap();
    for entry in fs::read_dir(&source).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, target.join(path.file_name().unwrap())).unwrap();
    }
    let bytes = fs::read(source.join("model.safetensors")).unwrap();
    let stored = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut tensors = stored.tensors();
    tensors.retain(|(name, _)| name != "lm_head.weight");
    let head_bytes: Vec<u8> = head.iter().flat_map(|value| value.to_le_bytes()).collect();
    let shape = vec![n_labels, head.len() / n_labels];
    let head = TensorView::new(Dtype::F32, shape, &head_bytes).unwrap();
    tensors.push(("score.weight".to_owned(), head));
    safetensors::serialize_to_file(tensors, None, &target.join("model.safetensors")).unwrap();
    target
}

fn plan(data: &Path, run: &Path, more: &[&str]) -> Plan {
    let mut settings = vec![
        format!("model.path={}", common::model("llama")),
        format!("data.train={}", data.display()),
        format!("output.folder={}", run.display()),
        "data.max-length=128".to_owned(),
        "train.batch-size=4".to_owned(),
        "train.learning-rate=1e-3".to_owned(),
        "train.steps=4".to_owned(),
    ];
    settings.extend(more.iter().map(|&s| s.to_owned()));
    common::plan(&settings)
}

fn rewards(means: &Means) -> RewardMeans {
    match means {
        Means::Rewards(means) => *means,
        other => panic!("{other:?}"),
    }
}

fn segments(means: &Means) -> SegmentMeans {
    match means {
        Means::Segments(means) => *means,
        other => panic!("{other:?}"),
    }
}

fn check<B: TrainBackend>() {
    let folder = tempfile::tempdir().unwrap();
    let file = common::workspace("fixtures/rewards/bradley-terry.json");
    let peer: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    let head = peer["head"].as_array().unwrap().iter();
    let head: Vec<f32> = head.map(|value| value.as_f64().unwrap() as f32).collect();
    let model = with_head(folder.path(), &head, 1);
    let setting = |key: &str| peer[key].to_string();
    let run = folder.path().join("run");
    let coefficient = setting("center_rewards_coefficient");
    let plan = common::plan(&[
        format!("model.path={}", model.display()),
        format!(
            "data.train={}",
            common::workspace("fixtures/gsm8k/dpo-llama.jsonl").display()
        ),
        format!("data.max-length={}", setting("max_length")),
        "data.shuffle=false".to_owned(),
        format!("output.folder={}", run.display()),
        "objective.method=bradley-terry".to_owned(),
        format!("center_rewards_coefficient={coefficient}"),
        format!("train.steps={}", setting("steps")),
        format!("train.batch-size={}", setting("per_device_batch")),
        format!("train.learning-rate={}", setting("learning_rate")),
        format!("train.schedule={}", setting("scheduler")),
        format!("train.warmup-steps={}", setting("warmup_steps")),
        format!("train.weight-decay={}", setting("weight_decay")),
        format!("train.max-grad-norm={}", setting("max_grad_norm")),
    ]);
    let (_, memory) = common::run::<B>(&plan, false).unwrap();
    let theirs = peer["trajectory"].as_array().unwrap();
    assert_eq!([memory.steps.len(), theirs.len()], [8, 8]);
    for (ours, theirs) in memory.steps.iter().zip(theirs) {
        let means = rewards(&ours.means);
        for (key, ours, tolerance) in [
            ("loss", means.loss, 1e-4),
            ("accuracy", means.accuracy, 1e-9),
            ("margin", means.margin, 2e-4),
            ("min_reward", means.min_reward, 2e-4),
            ("mean_reward", means.mean_reward, 2e-4),
            ("max_reward", means.max_reward, 2e-4),
            ("grad_norm", ours.grad_norm, 1e-2),
            ("learning_rate", ours.learning_rate, 1e-12),
            ("num_tokens", ours.num_tokens as f64, 0.0),
        ] {
            let theirs = theirs[key].as_f64().unwrap();
            let error = (ours - theirs).abs();
            assert!(
                error <= tolerance * theirs.abs().max(1.0),
                "{key}: {ours} {theirs}"
            );
        }
    }
    let norms = peer["final_norms"].as_object().unwrap();
    check_norms(&run.join("model/model.safetensors"), "", norms);
}

#[test]
fn bradley_terry_follows_trl_on_flex() {
    check::<Cpu>();
}

#[test]
fn bradley_terry_follows_trl_on_ndarray() {
    check::<Autodiff<NdArray>>();
}

/// Pairs whose answers have two scored segments each.
fn scored(folder: &Path, n: usize) -> PathBuf {
    let row = |i: usize| {
        let [first, second] = ["It is a sum.\n".to_owned(), format!("#### {}", i + 2)];
        let wrong = format!("It is unknown, maybe {}.", i + 3);
        json!({
            "prompt": format!("What is {i} + 2?\n"),
            "chosen": format!("{first}{second}"), "rejected": format!("{first}{wrong}"),
            "chosen_segments": [first, second], "chosen_scores": [[2, 2, 4, 2, 3], [4, 4, 4, 4, 4]],
            "rejected_segments": [first, wrong], "rejected_scores": [[2, 2, 4, 2, 3], [0, 0, 4, 1, 2]],
        })
        .to_string()
    };
    let path = folder.join("scored.jsonl");
    let rows: Vec<String> = (0..n).map(row).collect();
    fs::write(&path, rows.join("\n")).unwrap();
    path
}

#[test]
fn scores_of_segments_are_learned() {
    let folder = tempfile::tempdir().unwrap();
    let data = scored(folder.path(), 12);
    let run = folder.path().join("run");
    let more = [
        "objective.method=segments",
        "train.learning-rate=1e-2",
        "train.schedule=constant",
        "train.steps=60",
        "train.batch-size=12",
        "data.eval-fraction=0.2",
    ];
    let (_, memory) = common::run::<Cpu>(&plan(&data, &run, &more), false).unwrap();
    let first = segments(&memory.steps[0].means);
    // Before training all scores are about 0, so the loss is the mean of the squared scores.
    let squares = [2 * (4 + 4 + 16 + 4 + 9), 5 * 16, 16 + 1 + 4]
        .iter()
        .sum::<i32>();
    assert!(
        (first.loss - f64::from(squares) / 20.0).abs() < 1.0,
        "{first:?}"
    );
    let last = segments(&memory.steps.last().unwrap().means);
    assert!(
        last.loss < 0.1 * first.loss && last.accuracy > 0.8,
        "{last:?}"
    );
    let mean = last.helpfulness + last.correctness + last.safety + last.completeness + last.clarity;
    assert!((last.accuracy - mean / 5.0).abs() < 1e-12);
    assert!(
        (last.safety - 1.0).abs() < 1e-9,
        "every segment has the same safety"
    );
    assert_eq!(memory.evals.len(), 2);
}

#[test]
fn the_loss_of_segments_is_their_mean_however_they_are_divided() {
    let folder = tempfile::tempdir().unwrap();
    let data = scored(folder.path(), 8);
    // The first answer of the last row has one segment, so micro-batches have different numbers of them.
    let text = fs::read_to_string(&data).unwrap();
    let mut rows: Vec<Value> = text
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    rows[7]["chosen_segments"] = json!([rows[7]["chosen"]]);
    rows[7]["chosen_scores"] = json!([[1, 1, 1, 1, 1]]);
    let rows: Vec<String> = rows.iter().map(Value::to_string).collect();
    fs::write(&data, rows.join("\n")).unwrap();
    let run = |name: &str, more: &[&str]| -> Vec<f64> {
        let more = [&["objective.method=segments"], more].concat();
        let plan = plan(&data, &folder.path().join(name), &more);
        let memory: Memory = common::run::<Cpu>(&plan, false).unwrap().1;
        let steps = memory.steps.iter();
        steps.flat_map(|s| [s.means.loss(), s.grad_norm]).collect()
    };
    let whole = run("whole", &["train.batch-size=8"]);
    for (name, more) in [
        (
            "parts",
            vec!["train.batch-size=2", "train.gradient-accumulation=4"],
        ),
        (
            "shared",
            vec!["train.batch-size=8", "train.share-prompts=true"],
        ),
    ] {
        for (a, b) in whole.iter().zip(run(name, &more)) {
            assert!((a - b).abs() < 2e-4 * a.abs().max(1.0), "{name}: {a} {b}");
        }
    }
}

#[test]
fn a_reward_model_resumes_to_the_same_bytes_with_its_decoder_frozen_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let pairs = common::write_pairs(folder.path(), 12);
    let scored = scored(folder.path(), 12);
    let base = PathBuf::from(common::model("llama"));
    let tensor = |folder: &Path, name: &str| -> Vec<u8> {
        let bytes = fs::read(folder.join("model.safetensors")).unwrap();
        let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        tensors.tensor(name).unwrap().data().to_vec()
    };
    for (method, data, is_frozen) in [
        ("bradley-terry", &pairs, false),
        ("bradley-terry", &pairs, true),
        ("segments", &scored, false),
    ] {
        let method = format!("objective.method={method}");
        let frozen = format!("train.head-only={is_frozen}");
        let more = [method.as_str(), frozen.as_str()];
        let [whole, parts] = ["whole", "parts"]
            .map(|name| folder.path().join(format!("{name} {method} {is_frozen}")));
        let outcome = common::run::<Cpu>(&plan(data, &whole, &more), false)
            .unwrap()
            .0;
        assert!(matches!(outcome, Outcome::Finished { steps: 4, .. }));
        let stopped = plan(data, &parts, &more);
        let stop = AtomicBool::new(false);
        let mut tracker = common::StopAfter {
            step: 2,
            stop: &stop,
        };
        let outcome =
            pref_train::train::<Cpu>(&stopped, false, &Default::default(), &mut tracker, &stop);
        assert!(matches!(
            outcome.unwrap(),
            Outcome::Interrupted { step: 2, .. }
        ));
        common::run::<Cpu>(&stopped, true).unwrap();
        assert_eq!(common::metrics(&parts), common::metrics(&whole));
        let [whole, parts] = [whole, parts].map(|run| run.join("model"));
        for name in ["model.safetensors", "config.json"] {
            assert!(fs::read(whole.join(name)).unwrap() == fs::read(parts.join(name)).unwrap());
        }
        let embedding = "model.embed_tokens.weight";
        assert_eq!(
            tensor(&whole, embedding) == tensor(&base, embedding),
            is_frozen
        );
        let model = RewardModel::<Flex>::load(&whole, &[], &Default::default()).unwrap();
        assert_eq!(model.labels().len(), if data == &pairs { 1 } else { 5 });
    }
}

#[test]
fn what_a_reward_model_cannot_use_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let pairs = common::write_pairs(folder.path(), 4);
    let run = folder.path().join("run");
    let model = with_head(folder.path(), &[0.0; 2 * 64], 2);
    let path = format!("model.path={}", model.display());
    let error = |more: &[&str]| {
        let error = common::run::<Cpu>(&plan(&pairs, &run, more), false).unwrap_err();
        error.to_string()
    };
    let errors = [
        error(&["objective.method=segments"]),
        error(&["objective.method=bradley-terry", &path]),
        error(&["objective.method=dpo", &path]),
    ];
    let errors = errors
        .join("\n")
        .replace(&folder.path().display().to_string(), "[folder]");
    insta::assert_snapshot!(errors);
}
