//! LoRA adapters. In: adapters that PEFT wrote. Compared: the log-probs and gradients of PEFT, the merged model,
//! files that are written and read again, and settings that are refused.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use burn::backend::{Autodiff, Flex, NdArray};
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Int, Tensor, TensorData, backend::Backend};
use pref_model::{
    Decoder, Kernels, LoraConfig, LoraTargets, Policy, SaveDtype, TrainingPass, generate,
    response_log_probs, verify_checksums,
};
use serde_json::{Value, json};

use crate::common::fixture;

/// Largest allowed error of a log-prob, nats.
const TOLERANCE: f32 = 2e-4;

const ADAPTERS: [&str; 4] = ["lora", "rslora-all", "dora", "start"];

fn adapter(name: &str) -> PathBuf {
    fixture("../adapters").join(name)
}

fn base<B: Backend>() -> Decoder<B> {
    Decoder::load(&fixture("llama"), &B::Device::default()).unwrap()
}

fn adapted<B: Backend>(name: &str) -> Decoder<B> {
    base().load_lora(&adapter(name)).unwrap()
}

fn sequences() -> Vec<Vec<i32>> {
    let expected = json_of(&fixture("llama").join("expected.json"));
    let cases = expected["cases"].as_array().unwrap().iter();
    let sequences = cases.map(|case| serde_json::from_value(case["input_ids"].clone()).unwrap());
    sequences.collect()
}

fn json_of(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn log_probs<B: Backend>(model: &impl Policy<B>, ids: &[i32]) -> Tensor<B, 2> {
    let data = TensorData::new(ids.to_vec(), [1, ids.len()]);
    let tokens: Tensor<B, 2, Int> = Tensor::from_data(data, &B::Device::default());
    response_log_probs(model, tokens, &[1..ids.len()])
}

fn scores<B: Backend>(model: &impl Policy<B>, ids: &[i32]) -> Vec<f32> {
    log_probs(model, ids).into_data().iter().collect()
}

/// The largest difference of two lists.
#[track_caller]
fn distance(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let differences = a.iter().zip(b).map(|(a, b)| (a - b).abs());
    differences.fold(0.0, f32::max)
}

#[track_caller]
fn check<B: Kernels>() {
    for name in ADAPTERS {
        let expected = json_of(&adapter(name).join("expected.json"));
        let expected: Vec<Vec<f32>> =
            serde_json::from_value(expected["log_probs"].clone()).unwrap();
        let model = adapted::<B>(name);
        let merged = model.clone().merge_lora();
        assert!(merged.lora().is_none());
        assert_eq!(expected.len(), 3);
        for (ids, expected) in sequences().iter().zip(&expected) {
            let found = scores(&model, ids);
            let error = distance(&found, expected);
            assert!(error <= TOLERANCE, "{name}: off by {error}");
            let error = distance(&found, &scores(&merged, ids));
            assert!(error <= 1e-4, "{name}: merging changes {error}");
            let without = scores(&model.without_lora(), ids);
            assert_eq!(without, scores(&base::<B>(), ids), "{name}");
            let change = distance(&found, &without);
            // The update of `start` is 0.
            assert_eq!(change > 0.1, name != "start", "{name} changes {change}");
        }
    }
}

#[test]
fn adapters_of_peft_give_the_log_probs_of_peft_on_flex() {
    check::<Flex>();
}

#[test]
fn adapters_of_peft_give_the_log_probs_of_peft_on_ndarray() {
    check::<NdArray>();
}

/// The gradients of an adapter by PEFT's names: the norm, and the inner product with `cos i`.
struct Gradients<'a, AB: burn::tensor::backend::AutodiffBackend> {
    path: Vec<String>,
    gradients: &'a AB::Gradients,
    found: BTreeMap<String, [f64; 2]>,
}

impl<AB: burn::tensor::backend::AutodiffBackend> ModuleVisitor<AB> for Gradients<'_, AB> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<AB, D>>) {
        let value = param.val();
        assert_eq!(value.is_require_grad(), self.path.contains(&"lora".into()));
        let Some(gradient) = value.grad(self.gradients) else {
            return;
        };
        let data = gradient.into_data();
        let values: Vec<f64> = data.iter::<f32>().map(f64::from).collect();
        let norm = values.iter().map(|g| g * g).sum::<f64>().sqrt();
        let wave = values.iter().enumerate().map(|(i, g)| g * (i as f64).cos());
        let name = format!("base_model.model.{}", self.path.join("."))
            .replace("lora.a", "lora_A.weight")
            .replace("lora.b", "lora_B.weight")
            .replace("lora.magnitude", "lora_magnitude_vector");
        self.found.insert(name, [norm, wave.sum()]);
    }
}

#[track_caller]
fn check_gradients<B: Kernels>() {
    let expected = json_of(&adapter("gradients.json"));
    for name in ["lora", "rslora-all", "dora"] {
        let model = adapted::<Autodiff<B>>(name);
        let gradients = log_probs(&model, &sequences()[0]).sum().backward();
        let mut visitor = Gradients::<Autodiff<B>> {
            path: Vec::new(),
            gradients: &gradients,
            found: BTreeMap::new(),
        };
        model.visit(&mut visitor);
        let expected: BTreeMap<String, [f64; 2]> =
            serde_json::from_value(expected[name].clone()).unwrap();
        assert!(visitor.found.keys().eq(expected.keys()), "{name}");
        for (tensor, [norm, wave]) in &expected {
            let found = visitor.found[tensor];
            let allowed = 1e-4 * norm;
            assert!(
                (found[0] - norm).abs() <= allowed,
                "{tensor}: {found:?} {norm}"
            );
            assert!(
                (found[1] - wave).abs() <= 10.0 * allowed,
                "{tensor}: {found:?} {wave}"
            );
        }
    }
}

#[test]
fn only_adapters_get_gradients_and_they_are_those_of_peft_on_flex() {
    check_gradients::<Flex>();
}

#[test]
fn only_adapters_get_gradients_and_they_are_those_of_peft_on_ndarray() {
    check_gradients::<NdArray>();
}

#[test]
fn what_is_written_is_read_again() {
    for name in ADAPTERS {
        let folder = tempfile::tempdir().unwrap();
        let model = adapted::<Flex>(name);
        model.save(folder.path(), SaveDtype::Source).unwrap();
        verify_checksums(folder.path()).unwrap();
        // The values are bit for bit those of PEFT's file.
        let read = |path: &Path| fs::read(path.join("adapter_model.safetensors")).unwrap();
        let [ours, theirs] = [read(folder.path()), read(&adapter(name))];
        let [ours, theirs] =
            [&ours, &theirs].map(|b| safetensors::SafeTensors::deserialize(b).unwrap());
        assert_eq!(ours.len(), theirs.len());
        for (tensor, theirs) in theirs.tensors() {
            let ours = ours.tensor(&tensor).unwrap();
            assert_eq!([ours.shape()], [theirs.shape()], "{tensor}");
            assert_eq!(ours.data(), theirs.data(), "{tensor}");
        }
        // So are the settings, as far as both have them.
        let settings = |path: &Path| json_of(&path.join("adapter_config.json"));
        let theirs = settings(&adapter(name));
        for (key, ours) in settings(folder.path()).as_object().unwrap() {
            assert_eq!(*ours, theirs[key], "{name}: {key}");
        }
        let again = base::<Flex>().load_lora(folder.path()).unwrap();
        assert_eq!(again.lora(), model.lora());
    }
}

fn config(targets: Value) -> LoraConfig {
    LoraConfig {
        rank: 4,
        targets: serde_json::from_value(targets).unwrap(),
        dropout: 0.0,
        ..LoraConfig::default()
    }
}

#[test]
fn a_new_adapter_changes_nothing_and_is_drawn_from_the_seed() {
    let ids = &sequences()[0];
    let before = scores(&base::<Flex>(), ids);
    let folder = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for (i, seed) in [1, 1, 2].into_iter().enumerate() {
        let model = base::<Flex>()
            .add_lora(config(json!("all-linear")), seed)
            .unwrap();
        assert_eq!(scores(&model, ids), before);
        let path = folder.path().join(i.to_string());
        model.save(&path, SaveDtype::Source).unwrap();
        files.push(fs::read(path.join("adapter_model.safetensors")).unwrap());
    }
    assert_eq!(files[0], files[1]);
    assert_ne!(files[0], files[2]);
    let tensors = safetensors::SafeTensors::deserialize(&files[0]).unwrap();
    // three layers with seven projections each
    assert_eq!(tensors.len(), 3 * 7 * 2);
    for (name, tensor) in tensors.tensors() {
        let (words, _) = tensor.data().as_chunks();
        let values: Vec<f32> = words.iter().map(|&word| f32::from_le_bytes(word)).collect();
        if name.contains("lora_B") {
            assert!(values.iter().all(|&v| v == 0.0), "{name}");
            continue;
        }
        let limit = (tensor.shape()[1] as f32).powf(-0.5);
        let largest = values.iter().fold(0.0f32, |most, v| most.max(v.abs()));
        assert!(
            largest <= limit && largest > 0.9 * limit,
            "{name} {largest}"
        );
    }
}

#[test]
fn a_pattern_is_written_as_the_names_of_the_layers() {
    let folder = tempfile::tempdir().unwrap();
    let config = LoraConfig {
        exclude: Some(LoraTargets::Names(vec!["up_proj".into()])),
        ..config(json!(r".*[01]\.mlp.*|lm_head"))
    };
    let model = base::<Flex>().add_lora(config, 0).unwrap();
    model.save(folder.path(), SaveDtype::Source).unwrap();
    let names = [
        "model.layers.0.mlp.gate_proj",
        "model.layers.0.mlp.down_proj",
        "model.layers.1.mlp.gate_proj",
        "model.layers.1.mlp.down_proj",
        "lm_head",
    ];
    let stored = LoraConfig::from_folder(folder.path()).unwrap();
    let names = names.map(str::to_owned).to_vec();
    assert_eq!(stored.targets, LoraTargets::Names(names));
    assert_eq!(stored.exclude, None);
    base::<Flex>().load_lora(folder.path()).unwrap();
}

#[test]
fn a_head_can_have_an_adapter() {
    // The head of this model is a weight of its own.
    let load = base::<Flex>;
    let ids = &sequences()[0];
    let mut model = load().add_lora(config(json!(["lm_head"])), 3).unwrap();
    let names = ["lora_A.weight", "lora_B.weight"].map(|t| format!("base_model.model.lm_head.{t}"));
    let folder = tempfile::tempdir().unwrap();
    model.save(folder.path(), SaveDtype::F32).unwrap();
    let path = folder.path().join("adapter_model.safetensors");
    let bytes = fs::read(&path).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut found = tensors.names();
    found.sort();
    assert_eq!(found, names.each_ref());
    // another B, so that the update is not 0
    let of = |name: &String| tensors.tensor(name).unwrap();
    let (a, b) = (of(&names[0]), of(&names[1]));
    let ones: Vec<u8> = (0..b.data().len() / 4)
        .flat_map(|i| (i as f32 * 1e-3).sin().to_le_bytes())
        .collect();
    let b = safetensors::tensor::TensorView::new(b.dtype(), b.shape().to_vec(), &ones).unwrap();
    let all = [(names[0].clone(), a), (names[1].clone(), b)];
    let changed = safetensors::serialize(all, None).unwrap();
    fs::remove_file(folder.path().join("XXH128SUMS")).unwrap();
    fs::write(&path, &changed).unwrap();
    let base = model.without_lora();
    model = base.clone().load_lora(folder.path()).unwrap();
    let found = scores(&model, ids);
    // PEFT also stores the weight of the head, which must be that of the model.
    let all: Vec<_> = safetensors::SafeTensors::deserialize(&changed)
        .unwrap()
        .tensors();
    let weights = fs::read(fixture("llama").join("model.safetensors")).unwrap();
    let weights = safetensors::SafeTensors::deserialize(&weights).unwrap();
    let head = weights.tensor("lm_head.weight").unwrap();
    let copy = "base_model.model.lm_head.base_layer.weight";
    let with_copy = |bytes: &[u8]| {
        let view = safetensors::tensor::TensorView::new(head.dtype(), head.shape().to_vec(), bytes);
        let all = all.iter().map(|(name, view)| (name.as_str(), view.clone()));
        let all = all.chain([(copy, view.unwrap())]);
        fs::write(&path, safetensors::serialize(all, None).unwrap()).unwrap();
        base.clone().load_lora(folder.path())
    };
    assert_eq!(scores(&with_copy(head.data()).unwrap(), ids), found);
    let mut other = head.data().to_vec();
    other[3] ^= 1;
    let error = with_copy(&other).unwrap_err().to_string();
    assert!(
        error.contains(&format!("copy `{copy}` of a weight")),
        "{error}"
    );
    assert!(distance(&found, &scores(&load(), ids)) > 0.1);
    let merged = model.clone().merge_lora();
    assert!(distance(&found, &scores(&merged, ids)) <= 2e-5);
    let greedy = |model| generate(model, &[5, 6], &Default::default()).unwrap();
    assert_eq!(greedy(&model), greedy(&merged));
}

#[test]
fn dropout_belongs_to_the_pass() {
    let ids = &sequences()[0];
    for dora in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let name = if dora { "dora" } else { "lora" };
        for file in ["adapter_model.safetensors", "adapter_config.json"] {
            fs::write(
                folder.path().join(file),
                fs::read(adapter(name).join(file)).unwrap(),
            )
            .unwrap();
        }
        edit(folder.path(), "lora_dropout", json!(0.3));
        let model = base::<Flex>().load_lora(folder.path()).unwrap();
        let plain = scores(&model, ids);
        assert_eq!(plain, scores(&adapted::<Flex>(name), ids));
        let pass = |step, micro_batch| TrainingPass {
            seed: 1,
            step,
            micro_batch,
        };
        let one = scores(&model.in_training(pass(0, 0)), ids);
        assert_eq!(one, scores(&model.in_training(pass(0, 0)), ids));
        for other in [pass(0, 1), pass(1, 0)] {
            assert!(distance(&one, &scores(&model.in_training(other), ids)) > 0.01);
        }
        // Its mean over many passes is near the value without dropout.
        let n = 200;
        let mut mean = vec![0.0f32; plain.len()];
        for step in 0..n {
            let values = scores(&model.in_training(pass(step, 0)), ids);
            mean.iter_mut()
                .zip(values)
                .for_each(|(m, v)| *m += v / n as f32);
        }
        let bias = mean.iter().zip(&plain).map(|(m, p)| m - p).sum::<f32>() / plain.len() as f32;
        assert!(bias.abs() < 0.05, "{bias}");
    }
}

fn edit(folder: &Path, key: &str, value: Value) {
    let path = folder.join("adapter_config.json");
    let mut settings = json_of(&path);
    settings[key] = value;
    fs::write(path, settings.to_string()).unwrap();
}

/// The error of loading PEFT's adapter `lora` with a setting changed.
fn refusal(key: &str, value: Value) -> String {
    let folder = tempfile::tempdir().unwrap();
    for file in ["adapter_model.safetensors", "adapter_config.json"] {
        fs::write(
            folder.path().join(file),
            fs::read(adapter("lora").join(file)).unwrap(),
        )
        .unwrap();
    }
    edit(folder.path(), key, value);
    let error = base::<Flex>().load_lora(folder.path()).unwrap_err();
    error
        .to_string()
        .replace(&folder.path().display().to_string(), "[folder]")
}

#[test]
fn settings_that_change_the_numbers_are_refused_by_name() {
    let changes = [
        ("peft_type", json!("IA3")),
        ("task_type", json!("SEQ_CLS")),
        ("bias", json!("all")),
        ("init_lora_weights", json!("pissa")),
        ("modules_to_save", json!(["lm_head"])),
        ("layer_replication", json!([[0, 2]])),
        ("lora_bias", json!(true)),
        ("something_new", json!(3)),
        ("r", json!("four")),
        ("r", json!(0)),
        ("lora_alpha", json!(-1)),
        ("lora_dropout", json!(1)),
        ("target_modules", json!(3)),
        ("target_modules", json!(["c_attn"])),
        ("target_modules", json!("q_proj")),
        ("target_modules", json!(["embed_tokens"])),
        ("target_modules", json!("(")),
        ("exclude_modules", json!(["q_proj", "v_proj"])),
        ("rank_pattern", json!({"q_proj": "two"})),
        // The weights do not fit the settings.
        ("rank_pattern", json!({"q_proj": 2})),
        ("layers_to_transform", json!([0])),
        ("target_modules", json!(["q_proj", "k_proj", "v_proj"])),
        ("use_dora", json!(true)),
    ];
    let lines = changes.map(|(key, value)| refusal(key, value));
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn what_cannot_have_an_adapter_is_refused() {
    let error =
        |model: Decoder<Flex>, targets: Value| model.add_lora(config(targets), 0).unwrap_err();
    let tied = || Decoder::<Flex>::load(&fixture("gemma3"), &Default::default()).unwrap();
    let empty = tempfile::tempdir().unwrap();
    let absent = base::<Flex>()
        .load_lora(empty.path())
        .unwrap_err()
        .to_string();
    let lines = [
        error(tied(), json!(["lm_head"])).to_string(),
        error(tied(), json!(".*")).to_string(),
        error(adapted("lora"), json!("all-linear")).to_string(),
        absent.replace(&empty.path().display().to_string(), "[folder]"),
    ];
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn ranks_and_factors_follow_the_patterns_of_peft() {
    let folder = tempfile::tempdir().unwrap();
    let config = LoraConfig {
        rank_pattern: vec![("self_attn.q_proj".into(), 2), ("1.*".into(), 3)],
        alpha_pattern: vec![("v_proj".into(), 64.0)],
        layers: Some(vec![1]),
        exclude: Some(LoraTargets::Names(vec!["k_proj".into()])),
        ..config(json!(["q_proj", "k_proj", "v_proj"]))
    };
    let model = base::<Flex>().add_lora(config.clone(), 0).unwrap();
    model.save(folder.path(), SaveDtype::Source).unwrap();
    assert_eq!(LoraConfig::from_folder(folder.path()).unwrap(), config);
    let bytes = fs::read(folder.path().join("adapter_model.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut shapes: Vec<String> = tensors
        .tensors()
        .iter()
        .map(|(name, tensor)| format!("{name} {:?}", tensor.shape()))
        .collect();
    shapes.sort();
    insta::assert_snapshot!(shapes.join("\n"));
}
