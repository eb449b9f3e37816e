//! Plans: layers of settings, aliases, defaults, and errors.

use pref_data::Truncation;
use pref_train::{Plan, PlanError, Settings};
use serde_json::{Map, Value, json};

use crate::common;

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
    settings.set("optim=muon").unwrap();
    let groups = r#"train.groups=[{match = "a.*", weight-decay = 0.1}, {match = "b", learning-rate-factor = 0.5}]"#;
    settings.set(groups).unwrap();
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

fn objective_of(pairs: &[&str]) -> serde_json::Value {
    let mut settings = minimal();
    for pair in pairs {
        settings.set(pair).unwrap();
    }
    Plan::from_settings(settings).unwrap().objective.to_value()
}

#[test]
fn settings_that_fit_the_method_are_kept_in_any_order() {
    for pairs in [
        ["objective.beta=0.3", "objective.method=dpo"],
        ["objective.method=dpo", "objective.beta=0.3"],
        ["beta=0.3", "loss_type=sigmoid"],
        ["loss_type=sigmoid", "beta=0.3"],
    ] {
        let objective = objective_of(&pairs);
        assert_eq!(objective["method"], "dpo", "{pairs:?}");
        assert_eq!(objective["beta"], 0.3, "{pairs:?}");
    }
    for pairs in [
        ["beta=0.3", "loss_type=ipo"],
        ["loss_type=ipo", "beta=0.3"],
        ["objective.tau=0.3", "objective.method=ipo"],
    ] {
        assert_eq!(objective_of(&pairs)["tau"], 0.3, "{pairs:?}");
    }
    let inner = objective_of(&[
        "objective.inner.beta=0.3",
        "objective.inner={method = \"simpo\", gamma = 1.0}",
        "objective.method=bvpo",
        "data.empty=empty.jsonl",
    ]);
    assert_eq!(inner["inner"]["beta"], 0.3);
    assert_eq!(inner["inner"]["gamma"], 1.0);
}

#[test]
fn settings_of_a_file_stay_when_the_method_changes() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "[objective]\nbeta = 0.3\n").unwrap();
    let mut settings = Settings::from_file(file.path()).unwrap();
    for pair in ["model.path=m", "data.train=p.jsonl", "output.folder=r"] {
        settings.set(pair).unwrap();
    }
    settings.put("objective.method", "dpo").unwrap();
    let plan = Plan::from_settings(settings.clone()).unwrap();
    assert_eq!(plan.objective.to_value()["beta"], 0.3);
    settings.put("objective.method", "hinge").unwrap();
    let plan = Plan::from_settings(settings.clone()).unwrap();
    assert_eq!(plan.objective.to_value()["beta"], 0.3);
    // Settings that do not fit the method are refused, and the error names the place where they are set.
    settings.put("objective.method", "orpo").unwrap();
    let error = Plan::from_settings(settings).unwrap_err().to_string();
    let error = error.replace(&file.path().display().to_string(), "[file]");
    insta::assert_snapshot!(error, @"`objective`: `beta` is not a setting of orpo; its settings are method, lambda, token_weights, granularity, sft_coefficient, f_divergence_type, f_alpha_divergence_coef; `objective.beta` is set in [file]");
}

#[test]
fn a_later_table_replaces_the_settings_within_it() {
    let set = ["objective.granularity.adaptive=4"];
    let again = [set[0], "objective.granularity={static = 2}"];
    assert_eq!(objective_of(&again)["granularity"]["static"], 2);
    let back = [
        again[1],
        "objective.granularity=whole",
        "objective.granularity.adaptive=4",
    ];
    assert_eq!(objective_of(&back)["granularity"]["adaptive"], 4);
}

#[test]
fn every_loss_type_of_trl_is_a_method_or_refused_with_a_reason() {
    let method = |word: &str| {
        let objective = objective_of(&[&format!("loss_type={word}")]);
        objective["method"].as_str().unwrap().to_owned()
    };
    for (word, ours) in [
        ("sigmoid", "dpo"),
        ("[\"sigmoid\"]", "dpo"),
        ("hinge", "hinge"),
        ("ipo", "ipo"),
        ("exo_pair", "exo"),
        ("nca_pair", "nca"),
        ("robust", "robust"),
        ("sppo_hard", "sppo"),
        ("apo_zero", "apo-zero"),
        ("apo_down", "apo-down"),
        ("discopop", "discopop"),
        ("sft", "sft"),
        ("kto", "kto"),
        ("simpo", "simpo"),
        // Our own names are accepted as well.
        ("adpo", "adpo"),
    ] {
        assert_eq!(method(word), ours);
    }
    // TRL's ipo averages over tokens. Ours does so if `length_average` is set.
    assert_eq!(objective_of(&["loss_type=ipo"])["length_average"], true);
    assert_eq!(
        objective_of(&["objective.method=ipo"])["length_average"],
        false
    );
    let explicit = ["loss_type=ipo", "objective.length_average=false"];
    assert_eq!(objective_of(&explicit)["length_average"], false);
    let ours = ["loss_type=ipo", "objective.method=ipo"];
    assert_eq!(objective_of(&ours)["length_average"], false);

    let refused = [
        "loss_type=bco_pair",
        "loss_type=aot",
        "loss_type=aot_unpaired",
        "loss_type=sigmoid_norm",
        "loss_type=apo_zero_unpaired",
        "loss_type=alphapo",
        "loss_type=sigmiod",
        "loss_type=[\"sigmoid\", \"sft\"]",
        "loss_type=3",
        "objective.method=sigmoid",
        "objective.method=aot",
    ];
    let messages: Vec<String> = refused.iter().map(|pair| error_of(&[pair])).collect();
    insta::assert_snapshot!(messages.join("\n"));
}

/// JSON has no NaN and no infinity, and writes null instead. Such a null must not mean "not set".
#[test]
fn nan_and_infinity_are_refused() {
    for pair in [
        "objective.beta=nan",
        "train.learning-rate=-inf",
        "objective.part_weights={answer = nan}",
        "train.steps=inf",
    ] {
        let error = minimal().set(pair).unwrap_err();
        assert!(
            matches!(error, PlanError::NotFinite { .. }),
            "{pair}: {error}"
        );
    }
    let error = minimal().put("objective.beta", f64::NAN).unwrap_err();
    insta::assert_snapshot!(error, @"`objective.beta` from the command line must be a finite number, found nan or inf");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "[objective]\nbeta = nan\n").unwrap();
    let error = Settings::from_file(file.path()).unwrap_err();
    assert!(matches!(error, PlanError::NotFinite { .. }), "{error}");
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
    let cases: [&[&str]; 27] = [
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
            "train.batch-size=1",
            "train.gradient-accumulation=1",
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
        &["data.eval=eval.jsonl", "data.eval-fraction=0.1"],
        &["train.warmup-steps=11", "train.steps=10"],
        &["train.warmup-steps=1", "train.warmup-ratio=0.1"],
        &["train.warmup-ratio=1.5"],
        &["train.decay-ratio=0.2"],
        &["train.schedule=wsd", "train.decay-ratio=0"],
        &[
            "train.schedule=wsd",
            "train.decay-ratio=0.6",
            "train.warmup-ratio=0.5",
            "train.steps=10",
        ],
        &["data.empty-eval=empty.jsonl"],
        &[
            "objective.method=simpo",
            "model.reference-path=models/other",
        ],
        &["objective.tau=0.1", "objective.method=dpo"],
    ];
    let messages: Vec<String> = cases.iter().map(|pairs| error_of(pairs)).collect();
    insta::assert_snapshot!(messages.join("\n"));
}

#[test]
fn wrong_settings_of_optimisers_schedules_and_groups_are_named() {
    let cases: [&[&str]; 14] = [
        &["optim=adafactor"],
        &["train.momentum=0.9"],
        &["train.optimizer=sgd", "train.momentum=1"],
        &["train.optimizer=sgd", "train.nesterov=true"],
        &["train.optimizer=sgd", "train.muon-steps=5"],
        &["train.optimizer=muon", "train.muon-steps=0"],
        &["train.min-learning-rate=1e-8"],
        &["train.schedule=cosine", "train.min-learning-rate=1e-6"],
        &["lr_scheduler_type=polynomial", "train.learning-rate=1e-8"],
        &["train.schedule=cosine", "train.schedule-power=2"],
        &["train.schedule=polynomial", "train.schedule-power=0"],
        &["train.groups=[{match = \"*\"}]"],
        &["train.groups=[{match = \"*\", learning-rate = 1e-5, learning-rate-factor = 2.0}]"],
        &[
            "train.groups=[{match = \"*\", weight-decay = 0.1}, {match = \"[a\", learning-rate = 1}]",
        ],
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
fn a_missing_required_setting_is_named() {
    let error = Plan::from_settings(Settings::default()).unwrap_err();
    insta::assert_snapshot!(error, @"`model.path` is not set: a model folder in Hugging Face's layout; give --model FOLDER or set it in the plan");
}

#[test]
fn trls_name_of_the_truncation_is_accepted() {
    let plan = |settings: &[&str]| {
        let mut all = minimal();
        for setting in settings {
            all.set(setting)?;
        }
        Plan::from_settings(all)
    };
    for name in ["truncation_mode=keep_start", "data.truncation=keep-start"] {
        let plan = plan(&[name]).unwrap();
        assert_eq!(plan.data.truncation, Truncation::KeepStart);
    }
    // TRL's other mode cuts the start of the whole sequence, which Pref does not implement.
    let error = plan(&["truncation_mode=keep_end"]).unwrap_err().to_string();
    assert!(
        error.contains("`cut-prompt-start`, `cut-prompt-end`"),
        "{error}"
    );
}

#[test]
fn settings_of_the_template_reach_the_plan() {
    let mut settings = minimal();
    let given = "chat_template_kwargs = { enable_thinking = false }";
    let table: Map<String, Value> = toml::from_str(given).unwrap();
    settings.layer(&table, "a file").unwrap();
    let plan = Plan::from_settings(settings).unwrap();
    let kwargs: Vec<_> = plan.data.chat_template_kwargs.iter().collect();
    assert_eq!(kwargs, [("enable_thinking", &json!(false))]);
    let again: Plan = toml::from_str(&plan.to_toml()).unwrap();
    assert_eq!(again, plan);
    let mut settings = minimal();
    settings
        .set("data.chat-template-kwargs={ messages = [] }")
        .unwrap();
    let error = Plan::from_settings(settings).unwrap_err().to_string();
    assert!(error.contains("`messages` cannot be set"), "{error}");
}

#[test]
fn the_page_of_settings_has_every_setting() {
    let page = std::fs::read_to_string(common::workspace("docs/settings.md")).unwrap();
    // this error lists all settings
    let error = Settings::default()
        .set("zzzzzzzz=1")
        .unwrap_err()
        .to_string();
    let (_, list) = error.split_once("the settings are ").unwrap();
    let settings: Vec<&str> = list
        .split(", ")
        .filter(|name| *name != "objective.*")
        .collect();
    assert!(settings.len() > 40, "{settings:?}");
    for setting in settings {
        let (section, name) = setting.split_once('.').unwrap();
        let start = page.find(&format!("## `{section}`")).unwrap();
        let of_section = page[start + 3..].split("\n## ").next().unwrap();
        assert!(of_section.contains(&format!("| `{name}` |")), "{setting}");
    }
}
