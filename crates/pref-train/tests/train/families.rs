//! Runs that are stopped and resumed, for every kind of objective and every architecture in the number format
//! of its weights; and which checkpoints are kept.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use burn::backend::{Autodiff, Flex};
use pref_train::{Outcome, Plan};
use serde_json::{Value, json};

use crate::common;

type Cpu = Autodiff<Flex>;

fn plan(model: &str, data: &Path, run: &Path, more: &[&str]) -> Plan {
    let mut settings = vec![
        format!("model.path={}", common::model(model)),
        format!("data.train={}", data.display()),
        format!("output.folder={}", run.display()),
        "data.max-length=128".to_owned(),
        "data.eval-fraction=0.2".to_owned(),
        "train.batch-size=2".to_owned(),
        "train.learning-rate=1e-3".to_owned(),
        "train.weight-decay=0.1".to_owned(),
        "train.steps=4".to_owned(),
        "train.eval-every=2".to_owned(),
    ];
    settings.extend(more.iter().map(|&setting| setting.to_owned()));
    common::plan(&settings)
}

/// Runs without a stop, and with a stop after step 2. Both must end with the same bytes. The result is the
/// number format in the `config.json` of the final model.
#[track_caller]
fn check(model: &str, data: &Path, folder: &Path, more: &[&str]) -> String {
    let [whole, parts] = ["whole", "parts"].map(|name| folder.join(name));
    common::run::<Cpu>(&plan(model, data, &whole, more), false).unwrap();
    let stopped = plan(model, data, &parts, more);
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
    let lines = common::metrics(&whole);
    // Four steps, and evaluations before, between and after.
    assert_eq!(lines.len(), 7, "{more:?}");
    assert_eq!(common::metrics(&parts), lines, "{more:?}");
    let files = |run: &Path| {
        let read = |name: &str| std::fs::read(run.join("model").join(name)).unwrap();
        ["model.safetensors", "config.json"].map(read)
    };
    let [weights, config] = files(&whole);
    assert!(files(&parts)[0] == weights, "{model} {more:?}: weights");
    assert!(files(&parts)[1] == config, "{model} {more:?}: config.json");
    let config: Value = serde_json::from_slice(&config).unwrap();
    let dtype = config.get("dtype").or(config.get("torch_dtype"));
    dtype.and_then(Value::as_str).unwrap().to_owned()
}

#[test]
fn every_kind_of_objective_resumes_to_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let pairs = common::write_pairs(folder.path(), 10);
    let scored = folder.path().join("scored.jsonl");
    let row = |i: usize| {
        json!({
            "prompt": format!("What is {i} + 2?\n"),
            "chosen_segments": ["It is a sum.\n", format!("#### {}", i + 2)],
            "chosen_scores": [[4, 4, 4, 2, 3], [3, 4, 4, 4, 4]],
            "rejected_segments": ["It is a guess.\n", format!("#### {}", i + 3)],
            "rejected_scores": [[1, 2, 4, 1, 1], [0, 0, 4, 2, 2]],
            "chosen": format!("It is a sum.\n#### {}", i + 2),
            "rejected": format!("It is a guess.\n#### {}", i + 3),
        })
        .to_string()
    };
    let rows: Vec<String> = (0..10).map(row).collect();
    std::fs::write(&scored, rows.join("\n")).unwrap();
    let empty = format!("data.empty={}", pairs.display());
    for (name, data, more) in [
        ("dpo", &pairs, vec![]),
        ("simpo", &pairs, vec![]),
        ("kto", &pairs, vec![]),
        ("bvpo", &pairs, vec!["objective.inner.method=dpo", &empty]),
        ("dpo-bmc", &pairs, vec![]),
        ("adpo", &pairs, vec!["train.share-prompts=true"]),
        ("2d-dpo", &scored, vec![]),
        ("tdpo2", &pairs, vec!["train.vocab-chunk=16"]),
        ("sft", &pairs, vec!["train.log-every=1"]),
        ("bradley-terry", &pairs, vec!["train.share-prompts=true"]),
        ("segments", &scored, vec![]),
    ] {
        let method = format!("objective.method={name}");
        let more = [vec![method.as_str()], more].concat();
        check("llama", data, &folder.path().join(name), &more);
    }
}

#[test]
fn every_architecture_resumes_at_its_own_number_format() {
    let folder = tempfile::tempdir().unwrap();
    let data = common::write_pairs(folder.path(), 10);
    let source = |model: &str| {
        let path = Path::new(&common::model(model)).join("config.json");
        let config: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let dtype = config.get("dtype").or(config.get("torch_dtype"));
        dtype.and_then(Value::as_str).unwrap().to_owned()
    };
    let models = ["llama3-scaled", "mistral", "qwen2", "qwen3", "gemma3"];
    let mut formats = Vec::new();
    for model in models {
        let format = check(model, &data, &folder.path().join(model), &[]);
        assert_eq!(format, source(model), "{model}");
        formats.push(format);
    }
    assert!(formats.contains(&"bfloat16".to_owned()), "{formats:?}");
}

#[test]
fn as_many_checkpoints_are_kept_as_were_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let data = common::write_pairs(folder.path(), 10);
    let kept = |keep: usize| {
        let run = folder.path().join(format!("keep-{keep}"));
        let keep = format!("output.keep-checkpoints={keep}");
        let plan = plan("llama", &data, &run, &[&keep, "train.save-every=1"]);
        common::run::<Cpu>(&plan, false).unwrap();
        let entries = std::fs::read_dir(run.join("checkpoints")).unwrap();
        let name = |entry: std::io::Result<std::fs::DirEntry>| {
            entry.unwrap().file_name().into_string().unwrap()
        };
        let mut names: Vec<String> = entries.map(name).collect();
        names.sort();
        names
    };
    let step = |n: usize| format!("step-{n:06}");
    assert_eq!(kept(1), [step(4)]);
    assert_eq!(kept(2), [step(3), step(4)]);
    assert_eq!(kept(0), [0, 1, 2, 3, 4].map(step));
}
