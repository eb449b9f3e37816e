//! A resumed run keeps the number format of the model that it began with, and the settings of `config.json` that
//! it ignores.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use burn::backend::{Autodiff, Flex};
use pref_train::{Outcome, Plan};

use crate::common;

type Cpu = Autodiff<Flex>;

fn plan(data: &Path, run: &Path, more: &[&str]) -> Plan {
    let mut all = vec![
        format!("data.train={}", data.display()),
        format!("output.folder={}", run.display()),
        "data.max-length=128".to_owned(),
        "train.batch-size=2".to_owned(),
        "train.learning-rate=1e-3".to_owned(),
        "train.steps=6".to_owned(),
        "train.save-every=1".to_owned(),
    ];
    all.extend(more.iter().map(|&s| s.to_owned()));
    common::plan(&all)
}

fn stop_after_three_steps_and_resume(plan: &Plan) -> Outcome {
    let stop = AtomicBool::new(false);
    let mut tracker = common::StopAfter {
        step: 3,
        stop: &stop,
    };
    let outcome = pref_train::train::<Cpu>(plan, false, &Default::default(), &mut tracker, &stop);
    assert!(matches!(
        outcome.unwrap(),
        Outcome::Interrupted { step: 3, .. }
    ));
    common::run::<Cpu>(plan, true).unwrap().0
}

fn weights(run: &Path) -> Vec<u8> {
    std::fs::read(run.join("model/model.safetensors")).unwrap()
}

#[test]
fn the_final_model_of_a_resumed_run_is_bfloat16_if_the_first_model_was() {
    let folder = tempfile::tempdir().unwrap();
    let data = common::write_pairs(folder.path(), 10);
    let model = format!("model.path={}", common::model("qwen3"));
    let whole = folder.path().join("whole");
    common::run::<Cpu>(&plan(&data, &whole, &[&model]), false).unwrap();

    let parts = folder.path().join("parts");
    let plan = plan(&data, &parts, &[&model]);
    stop_after_three_steps_and_resume(&plan);

    assert_eq!(weights(&parts), weights(&whole));
    let config = |run: &Path| -> serde_json::Value {
        let text = std::fs::read_to_string(run.join("model/config.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    };
    assert_eq!(config(&parts)["dtype"], "bfloat16");
    assert_eq!(config(&parts), config(&whole));
}

#[test]
fn a_setting_that_is_ignored_is_ignored_in_checkpoints_too() {
    let folder = tempfile::tempdir().unwrap();
    let data = common::write_pairs(folder.path(), 10);
    let model = folder.path().join("model");
    std::fs::create_dir(&model).unwrap();
    for entry in std::fs::read_dir(common::model("llama")).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(model.join(path.file_name().unwrap()), bytes).unwrap();
    }
    let path = model.join("config.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut config: serde_json::Value = serde_json::from_str(&text).unwrap();
    config["unheard_of"] = serde_json::json!(3);
    std::fs::write(&path, config.to_string()).unwrap();

    let model = format!("model.path={}", model.display());
    let run = folder.path().join("run");
    let error = common::run::<Cpu>(&plan(&data, &run, &[&model]), false).unwrap_err();
    assert!(error.to_string().contains("model.ignore-config"), "{error}");
    let plan = plan(
        &data,
        &run,
        &[&model, "model.ignore-config=[\"unheard_of\"]"],
    );
    let outcome = stop_after_three_steps_and_resume(&plan);
    assert!(matches!(outcome, Outcome::Finished { steps: 6, .. }));
}
