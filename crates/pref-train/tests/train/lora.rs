//! Runs that train an adapter: where it starts, what its reference is, and what is refused.

use std::fs;
use std::path::Path;

use burn::backend::{Autodiff, Flex};
use pref_model::{Decoder, LoraConfig, LoraTargets};
use pref_train::{Plan, PlanError, ReferenceKind, Settings};
use serde_json::json;

use crate::common::{self, Memory};

type Cpu = Autodiff<Flex>;

fn settings(folder: &Path, more: &[&str]) -> Vec<String> {
    let data = folder.join("pairs.jsonl");
    if !data.exists() {
        common::write_pairs(folder, 8);
    }
    let mut all = vec![
        format!("model.path={}", common::model("llama")),
        format!("data.train={}", data.display()),
        format!("output.folder={}", folder.join("run").display()),
    ];
    let fixed = [
        "data.max-length=96",
        "train.batch-size=4",
        "train.learning-rate=1e-3",
        "train.steps=3",
        "output.last-checkpoint=false",
    ];
    all.extend(fixed.iter().chain(more).map(|&s| s.to_owned()));
    all
}

/// A run, with its final adapter.
fn run(more: &[&str]) -> (tempfile::TempDir, Memory) {
    let folder = tempfile::tempdir().unwrap();
    let plan = common::plan(&settings(folder.path(), more));
    let (_, memory) = common::run::<Cpu>(&plan, false).unwrap();
    (folder, memory)
}

fn losses(memory: &Memory) -> Vec<f64> {
    memory.steps.iter().map(|step| step.means.loss()).collect()
}

fn start(name: &str) -> String {
    let path = common::workspace("fixtures/adapters").join(name);
    format!("train.lora.adapter={}", path.display())
}

#[track_caller]
fn near(a: &[f64], b: &[f64]) {
    assert_eq!(a.len(), b.len());
    let is_near = a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5);
    assert!(is_near, "{a:?} {b:?}");
}

#[test]
fn one_setting_trains_an_adapter() {
    let (folder, memory) = run(&["train.lora.rank=2"]);
    let losses = losses(&memory);
    assert!((losses[0] - std::f64::consts::LN_2).abs() < 1e-6);
    assert!(losses[2] < losses[0] - 1e-4, "{losses:?}");
    let note = &memory.notes.join("\n");
    assert!(note.contains("parameters are trained ("), "{note}");
    assert!(!note.contains("warning"), "{note}");
    let model = folder.path().join("run/model");
    let config = LoraConfig::from_folder(&model).unwrap();
    let expected = LoraConfig {
        rank: 2,
        base: Some(common::model("llama")),
        ..LoraConfig::default()
    };
    assert_eq!(config, expected);
    assert!(model.join("tokenizer.json").is_file());
    let base = Decoder::<Flex>::load(Path::new(&common::model("llama")), &Default::default());
    base.unwrap().load_lora(&model).unwrap();
}

#[test]
fn every_reference_of_a_new_adapter_is_the_base() {
    let with = |kind: &str| {
        let kind = format!("model.reference={kind}");
        losses(&run(&["train.lora.rank=4", "train.lora.dropout=0", &kind]).1)
    };
    let precomputed = with("precomputed");
    near(&precomputed, &with("adapter-off"));
    near(&precomputed, &with("frozen-copy"));
}

#[test]
fn a_stored_adapter_is_compared_with_itself_or_with_the_base() {
    let adapter = start("lora");
    let of = |kind: &str| {
        let kind = format!("model.reference={kind}");
        run(&[&adapter, &kind]).1
    };
    let [precomputed, copy, off] = ["precomputed", "frozen-copy", "adapter-off"].map(of);
    near(&losses(&precomputed), &losses(&copy));
    assert!((losses(&copy)[0] - std::f64::consts::LN_2).abs() < 1e-6);
    let first = off.steps[0].means.pairs().unwrap();
    assert!(first.chosen_rewards.abs() > 0.01, "{first:?}");
    assert!(!off.notes.join("").contains("warning"), "{:?}", off.notes);
}

#[test]
fn methods_that_compare_distributions_switch_the_adapter_off() {
    let kl = [
        "objective.method=tdpo2",
        "train.lora.rank=4",
        "train.lora.dropout=0",
    ];
    let folder = tempfile::tempdir().unwrap();
    let plan = common::plan(&settings(folder.path(), &kl));
    assert_eq!(plan.model.reference, ReferenceKind::AdapterOff);
    let (_, off) = common::run::<Cpu>(&plan, false).unwrap();
    let (_, copy) = run(&[kl[0], kl[1], kl[2], "model.reference=frozen-copy"]);
    near(&losses(&off), &losses(&copy));
}

#[test]
fn dropout_depends_on_the_seed_and_not_on_the_number_of_lines() {
    let with = |more: &str| losses(&run(&["train.lora.rank=4", "train.lora.dropout=0.3", more]).1);
    let losses = with("train.log-every=1");
    assert_eq!(losses, with("train.save-every=1"));
    assert_ne!(losses, with("train.lora.dropout=0"));
}

fn plan_of(pairs: &[&str]) -> Result<Plan, PlanError> {
    let mut settings = Settings::default();
    settings.put("model.path", "models/llama").unwrap();
    settings.put("data.train", "pairs.jsonl").unwrap();
    for pair in pairs {
        settings.set(pair)?;
    }
    Plan::from_settings(settings)
}

#[test]
fn the_names_of_trl_and_peft_are_accepted() {
    let names = [
        "use_peft=true",
        "lora_r=8",
        "lora_alpha=12",
        "lora_dropout=0.1",
        r#"lora_target_modules=["k_proj"]"#,
        "exclude_modules=.*1.*",
        "use_rslora=true",
        "use_dora=true",
    ];
    let plan = plan_of(&names).unwrap();
    let lora = plan.train.lora.clone().unwrap();
    assert_eq!(
        (lora.rank, lora.alpha, lora.dropout),
        (Some(8), Some(12.0), Some(0.1))
    );
    assert_eq!(
        lora.targets,
        Some(LoraTargets::Names(vec!["k_proj".into()]))
    );
    assert_eq!(lora.exclude, Some(LoraTargets::Pattern(".*1.*".into())));
    assert_eq!((lora.rslora, lora.dora), (Some(true), Some(true)));
    let again: Plan = toml::from_str(&plan.to_toml()).unwrap();
    assert_eq!(again, plan);
    // The switch counts, in any order.
    assert_eq!(
        plan_of(&["lora_r=8", "use_peft=false"]).unwrap().train.lora,
        None
    );
    assert_eq!(
        plan_of(&["use_peft=false", "lora_r=8"]).unwrap().train.lora,
        None
    );
    let on = plan_of(&["use_peft=true"]).unwrap();
    insta::assert_snapshot!(on.to_toml().split("[train.lora]").nth(1).unwrap());
}

#[test]
fn a_table_of_a_file_is_read_and_layers_replace_its_settings() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let text = "[train.lora]\nrank = 3\ntargets = \"all-linear\"\n";
    fs::write(file.path(), text).unwrap();
    let mut settings = Settings::from_file(file.path()).unwrap();
    settings.put("model.path", "models/llama").unwrap();
    settings.put("data.train", "pairs.jsonl").unwrap();
    settings.set("lora_r=5").unwrap();
    let plan = Plan::from_settings(settings).unwrap();
    let lora = plan.train.lora.unwrap();
    assert_eq!(lora.rank, Some(5));
    assert_eq!(json!(lora.targets), json!("all-linear"));
}

#[test]
fn wrong_settings_are_named() {
    let of_plan = |pairs: &[&str]| plan_of(pairs).unwrap_err().to_string();
    let of_run = |more: &[&str]| {
        let folder = tempfile::tempdir().unwrap();
        let plan = common::plan(&settings(folder.path(), more));
        let error = common::run::<Cpu>(&plan, false).unwrap_err().to_string();
        let error = error.replace(&folder.path().display().to_string(), "[folder]");
        error.replace(&common::workspace("").display().to_string(), "[workspace]/")
    };
    let adapter = start("lora");
    let lines = [
        of_plan(&["train.lora.rank=0"]),
        of_plan(&["train.lora.alpha=-1"]),
        of_plan(&["train.lora.dropout=1"]),
        of_plan(&["train.lora.ranks=4"]),
        of_plan(&["train.lora=4"]),
        of_plan(&["train.lora.targets=3"]),
        of_plan(&["train.lora=true", r#"train.freeze=["*"]"#]),
        of_plan(&[r#"train.freeze=["model.[0"]"#]),
        of_plan(&["model.reference=adapter-off", "model.reference-path=other"]),
        of_plan(&["objective.method=simpo", "model.reference=adapter-off"]),
        of_run(&["train.lora.targets=q_proj"]),
        of_run(&["model.reference=adapter-off"]),
        of_run(&[&adapter, "train.lora.rank=8"]),
        of_run(&["train.lora.adapter=/nowhere"]),
        of_run(&[r#"train.lora.targets=["lm_head"]"#, "train.vocab-chunk=4"]),
        of_run(&[r#"train.freeze=["*.q_porj.*"]"#]),
        of_run(&[r#"train.freeze=["*"]"#]),
    ];
    insta::assert_snapshot!(lines.join("\n"));
}
