//! Folders that are no model, or not the one they say: each a typed error, no panic, nothing
//! allocated for a header that lies. And folders that are: what is saved is what was loaded.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use burn::backend::Flex;
use pref_model::{Decoder, SaveDtype};
use safetensors::SafeTensors;
use serde_json::{Value, json};

const MODELS: [&str; 6] = [
    "llama",
    "llama3-scaled",
    "mistral",
    "qwen2",
    "qwen3",
    "gemma3",
];

fn fixture(name: &str) -> PathBuf {
    Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../fixtures/models"
    ))
    .join(name)
}

fn load(folder: &Path) -> Result<Decoder<Flex>, pref_model::LoadError> {
    Decoder::load(folder, &Default::default())
}

/// A copy of a fixture that may be broken.
fn copy(name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(fixture(name)).unwrap() {
        let path = entry.unwrap().path();
        let target = folder.path().join(path.file_name().unwrap());
        fs::write(target, fs::read(&path).unwrap()).unwrap();
    }
    folder
}

/// What loading says after a change to a copy of a fixture.
#[track_caller]
fn refusal(name: &str, change: impl FnOnce(&Path)) -> String {
    let folder = copy(name);
    change(folder.path());
    let error = load(folder.path()).expect_err("the change must be noticed");
    let text = error.to_string();
    text.replace(&folder.path().display().to_string(), "[folder]")
}

fn edit_json(path: &Path, change: impl FnOnce(&mut Value)) {
    let mut value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    change(&mut value);
    fs::write(path, value.to_string()).unwrap();
}

/// Rewrites the header of a safetensors file, the data as it was.
fn edit_header(path: &Path, change: impl FnOnce(&mut Value)) {
    let bytes = fs::read(path).unwrap();
    let n = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut header: Value = serde_json::from_slice(&bytes[8..8 + n]).unwrap();
    change(&mut header);
    let header = header.to_string();
    let mut out = (header.len() as u64).to_le_bytes().to_vec();
    out.extend(header.as_bytes());
    out.extend(&bytes[8 + n..]);
    fs::write(path, out).unwrap();
}

#[test]
fn configurations_that_are_not_implemented_are_refused_by_name() {
    let set = |key: &'static str, value: Value| {
        refusal("llama", move |folder| {
            edit_json(&folder.join("config.json"), |c| c[key] = value);
        })
    };
    let messages = [
        refusal("llama", |f| fs::remove_file(f.join("config.json")).unwrap()),
        refusal("llama", |f| {
            fs::write(f.join("config.json"), "{\"a\": ").unwrap()
        }),
        refusal("llama", |f| fs::write(f.join("config.json"), "[]").unwrap()),
        set("model_type", json!("mamba")),
        set("model_type", Value::Null),
        set("hidden_act", json!("relu")),
        set("quantization_config", json!({"bits": 4})),
        set("num_local_experts", json!(8)),
        set("attention_dropout", json!(0.1)),
        set(
            "rope_parameters",
            json!({"rope_type": "yarn", "factor": 4.0}),
        ),
        set(
            "rope_parameters",
            json!({"rope_type": "llama3", "factor": 4.0}),
        ),
        set("layer_types", json!(["sliding_attention"])),
        set("num_key_value_heads", json!(3)),
        set("hidden_size", json!(-64)),
        set("hidden_size", json!("64")),
        set("vocab_size", json!(1u64 << 60)),
        set("head_dim", json!(15)),
        refusal("gemma3", |f| {
            edit_json(&f.join("config.json"), |c| {
                c["layer_types"] = json!(["full_attention"])
            });
        }),
        refusal("gemma3", |f| {
            edit_json(&f.join("config.json"), |c| {
                c["use_bidirectional_attention"] = json!(true)
            });
        }),
    ];
    insta::assert_snapshot!(messages.join("\n"));
}

#[test]
fn weights_that_lie_are_refused() {
    let file = "model.safetensors";
    let header = |change: fn(&mut Value)| {
        refusal("llama", move |folder| {
            edit_header(&folder.join(file), change)
        })
    };
    let messages = [
        refusal("llama", |f| fs::remove_file(f.join(file)).unwrap()),
        refusal("llama", |f| fs::write(f.join(file), b"").unwrap()),
        refusal("llama", |f| {
            fs::write(f.join(file), b"not weights at all").unwrap()
        }),
        refusal("llama", |f| {
            let bytes = fs::read(f.join(file)).unwrap();
            fs::write(f.join(file), &bytes[..bytes.len() - 1000]).unwrap();
        }),
        refusal("llama", |f| {
            let mut bytes = fs::read(f.join(file)).unwrap();
            bytes[..8].copy_from_slice(&(1u64 << 40).to_le_bytes());
            fs::write(f.join(file), bytes).unwrap();
        }),
        header(|h| h["model.norm.weight"]["data_offsets"] = json!([0, 1u64 << 50])),
        header(|h| h["model.norm.weight"]["data_offsets"] = json!([0, 256])),
        header(|h| h["model.norm.weight"]["shape"] = json!([1u64 << 40])),
        header(|h| h["model.norm.weight"]["dtype"] = json!("I32")),
        header(|h| h["model.norm.weight"]["shape"] = json!([8, 8])),
        header(|h| {
            let norm = h
                .as_object_mut()
                .unwrap()
                .remove("model.norm.weight")
                .unwrap();
            h["model.norms.weight"] = norm;
        }),
        refusal("llama", |f| {
            edit_json(&f.join("config.json"), |c| {
                c["tie_word_embeddings"] = json!(true)
            });
            edit_header(&f.join(file), |h| {
                let head = h.as_object_mut().unwrap().remove("lm_head.weight").unwrap();
                h["lm_head.extra"] = head;
            });
        }),
    ];
    insta::assert_snapshot!(messages.join("\n"));
}

#[test]
fn shards_that_are_not_as_their_index_says_are_refused() {
    let index = "model.safetensors.index.json";
    let shard = "model-00002-of-00003.safetensors";
    let messages = [
        refusal("llama3-scaled", |f| fs::remove_file(f.join(shard)).unwrap()),
        refusal("llama3-scaled", |f| fs::write(f.join(index), "{}").unwrap()),
        refusal("llama3-scaled", |f| {
            edit_json(&f.join(index), |i| {
                i["weight_map"]["model.norm.weight"] = json!("../outside.safetensors");
            });
        }),
        refusal("llama3-scaled", |f| {
            edit_json(&f.join(index), |i| {
                i["weight_map"]["model.norm.weight"] = json!("model-00001-of-00003.safetensors");
            });
        }),
    ];
    insta::assert_snapshot!(messages.join("\n"));
}

/// Every tensor of a folder: dtype, shape, bytes.
fn tensors(folder: &Path) -> BTreeMap<String, (String, Vec<usize>, Vec<u8>)> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "safetensors") {
            let bytes = fs::read(&path).unwrap();
            for (name, view) in SafeTensors::deserialize(&bytes).unwrap().tensors() {
                let dtype = format!("{:?}", view.dtype());
                all.insert(name, (dtype, view.shape().to_vec(), view.data().to_vec()));
            }
        }
    }
    all
}

#[test]
fn what_is_saved_is_what_was_loaded() {
    for name in MODELS {
        let folder = tempfile::tempdir().unwrap();
        load(&fixture(name))
            .unwrap()
            .save(folder.path(), SaveDtype::Source)
            .unwrap();
        assert_eq!(tensors(folder.path()), tensors(&fixture(name)), "{name}");
        let config = |folder: &Path| -> Value {
            serde_json::from_str(&fs::read_to_string(folder.join("config.json")).unwrap()).unwrap()
        };
        assert_eq!(config(folder.path()), config(&fixture(name)), "{name}");
    }
}

#[test]
fn other_formats_and_shards_load_back() {
    let model = load(&fixture("qwen3")).unwrap(); // stored in bfloat16
    let stored = tensors(&fixture("qwen3"));
    for dtype in [SaveDtype::F32, SaveDtype::Bf16, SaveDtype::F16] {
        let folder = tempfile::tempdir().unwrap();
        model.save_sharded(folder.path(), dtype, 100_000).unwrap();
        let index = fs::read_to_string(folder.path().join("model.safetensors.index.json"));
        let index: Value = serde_json::from_str(&index.unwrap()).unwrap();
        assert_eq!(index["weight_map"].as_object().unwrap().len(), stored.len());
        let again = load(folder.path()).unwrap();

        // a single file takes the place of the shards, and their index goes
        again.save(folder.path(), SaveDtype::Bf16).unwrap();
        assert!(!folder.path().join("model.safetensors.index.json").exists());
        assert!(load(folder.path()).is_ok());
        if dtype != SaveDtype::F16 {
            // bfloat16 fits into f32, not into f16
            assert_eq!(tensors(folder.path()), stored);
        }
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = load(&fixture("llama"))
        .unwrap()
        .save(&file.join("model"), SaveDtype::F32);
    let error = error.unwrap_err().to_string();
    assert!(error.contains("file/model"), "{error}");
}
