//! Plans: layers, aliases, defaults, and every way to get one wrong.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use pref_train::{Plan, PlanError, Settings};

fn minimal() -> Settings {
    let mut settings = Settings::default();
    settings.put("model.path", "models/llama").unwrap();
    settings.put("data.train", "pairs.jsonl").unwrap();
    settings.put("output.folder", "runs/a").unwrap();
    settings
}

#[track_caller]
fn error_of(pairs: &[&str]) -> String {
    let mut settings = minimal();
    for pair in pairs {
        if let Err(error) = settings.set(pair) {
            return error.to_string();
        }
    }
    Plan::from_settings(settings).unwrap_err().to_string()
}

#[test]
fn every_default_is_spelled_out() {
    insta::assert_snapshot!(Plan::from_settings(minimal()).unwrap().to_toml());
}

#[test]
fn a_plan_reads_back_as_itself() {
    let mut settings = minimal();
    settings.set("objective.method=adpo").unwrap();
    settings.set("data.rows=[3, 9]").unwrap();
    let plan = Plan::from_settings(settings).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), plan.to_toml()).unwrap();
    let again = Settings::from_file(file.path()).unwrap();
    assert_eq!(Plan::from_settings(again).unwrap(), plan);
}

#[test]
fn trl_names_are_accepted() {
    let mut settings = minimal();
    for pair in [
        "per_device_train_batch_size=4",
        "learning_rate=5e-7",
        "beta=0.3",
        "lr_scheduler_type=cosine",
    ] {
        settings.set(pair).unwrap();
    }
    let plan = Plan::from_settings(settings).unwrap();
    assert_eq!(plan.train.batch_size, 4);
    assert_eq!(plan.train.learning_rate, 5e-7);
    assert_eq!(plan.objective.to_value()["beta"], 0.3);
}

#[test]
fn a_later_method_replaces_the_objective_whole() {
    let mut settings = minimal();
    settings.set("objective.method=ipo").unwrap();
    settings.set("objective.tau=0.2").unwrap();
    settings.set("objective.method=dpo").unwrap();
    let plan = Plan::from_settings(settings).unwrap();
    assert_eq!(plan.objective.method().name(), "dpo");
}

#[test]
fn reference_free_objectives_take_no_reference() {
    let mut settings = minimal();
    settings.set("objective.method=simpo").unwrap();
    let plan = Plan::from_settings(settings).unwrap();
    assert_eq!(plan.model.reference, pref_train::ReferenceKind::None);
}

#[test]
fn mistakes_are_named_with_a_way_out() {
    let cases: [&[&str]; 17] = [
        &["train.learnin-rate=1"],
        &["lerning_rate=1"],
        &["train.learning-rate=fast"],
        &["train.learning-rate=0"],
        &["train.batch-size=0"],
        &["train.schedule=linaer"],
        &["objective.betta=0.1"],
        &["objective.method=dpoo"],
        &[
            "objective.method=bvpo",
            "objective.inner={method = \"dpo\"}",
        ],
        &["data.empty=empty.jsonl"],
        &[
            "objective.method=bvpo",
            "objective.inner={method = \"dpo\"}",
            "objective.alpha=optimal",
            "data.empty=empty.jsonl",
        ],
        &[
            "objective.method=bvpo",
            "objective.inner={method = \"dpo\"}",
            "data.empty=empty.jsonl",
            "data.eval=eval.jsonl",
        ],
        &["objective.method=simpo", "model.reference=precomputed"],
        &["model.reference=none"],
        &["objective.method=tdpo2", "model.reference=precomputed"],
        &["data.rows=[5, 5]"],
        &["no pair"],
    ];
    let messages: Vec<String> = cases.iter().map(|pairs| error_of(pairs)).collect();
    insta::assert_snapshot!(messages.join("\n"));
}

#[test]
fn a_file_is_named_in_its_errors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan.toml");
    let message = |text: &str| {
        std::fs::write(&path, text).unwrap();
        let error = Settings::from_file(&path).unwrap_err().to_string();
        error.replace(&folder.path().display().to_string(), "[folder]")
    };
    insta::assert_snapshot!(
        [
            message("[train]\nlearning-rate = \n"),
            message("[train]\nstep = 5\n"),
            message("[trian]\nsteps = 5\n"),
            message("learning_rate = 1.0\n[train]\nlearning-rate = 2.0\n"),
        ]
        .join("\n")
    );
    let absent = Settings::from_file(&folder.path().join("absent.toml")).unwrap_err();
    assert!(matches!(absent, PlanError::Read { .. }));
}

#[test]
fn what_has_no_default_is_asked_for() {
    let error = Plan::from_settings(Settings::default()).unwrap_err();
    insta::assert_snapshot!(error, @"`model.path` is not set: a model's folder in Hugging Face's layout; give --model FOLDER or set it in the plan");
}
