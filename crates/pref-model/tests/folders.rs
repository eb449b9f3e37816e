//! Folders that are no model, or not the one they say: each a typed error, no panic, nothing
//! allocated for a header that lies. And folders that are: what is saved is what was loaded.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use burn::backend::Flex;
use pref_model::{Decoder, Policy, SaveDtype};
use safetensors::SafeTensors;
use serde_json::{Value, json};

const MODELS: [&str; 9] = [
    "llama",
    "llama2",
    "llama3-scaled",
    "mistral",
    "qwen2",
    "qwen3",
    "qwen3-yarn",
    "qwen3-yarn-plain",
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
            json!({"rope_type": "dynamic", "factor": 4.0}),
        ),
        set(
            "rope_parameters",
            json!({"type": "longrope", "short_factor": [1.0], "long_factor": [1.0]}),
        ),
        set("rope_parameters", json!({"rope_type": "yarn"})),
        set(
            "rope_parameters",
            json!({"rope_type": "yarn", "factor": 4.0, "mrope_section": [1, 2]}),
        ),
        set(
            "rope_parameters",
            json!({"rope_type": "llama3", "factor": 4.0}),
        ),
        set("layer_types", json!(["sliding_attention"])),
        set(
            "layer_types",
            json!(["sliding_attention", "full_attention", "full_attention"]),
        ),
        set("partial_rotary_factor", json!(0.5)),
        set("rms_norm_eps", json!(-1e-6)),
        set("rope_parameters", json!({"rope_theta": -1e4})),
        set("rope_theta", json!(0)),
        set("num_hidden_layers", json!(1_000_000_000)),
        set("final_logit_softcapping", json!(0.0)),
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

#[test]
fn damaged_weights_are_named_by_their_checksum() {
    for (limit, file) in [
        (usize::MAX, "model.safetensors"),
        (300_000, "model-00002-of-00004.safetensors"),
        (300_000, "model.safetensors.index.json"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let model = load(&fixture("llama")).unwrap();
        model
            .save_sharded(folder.path(), SaveDtype::F32, limit)
            .unwrap();
        pref_model::verify_checksums(folder.path()).unwrap();
        let path = folder.path().join(file);
        let mut bytes = fs::read(&path).unwrap();
        // a weight's lowest bit; white space at the index's end
        let at = bytes.len() - 4;
        bytes[at] ^= 1;
        if file.ends_with("json") {
            bytes[at] ^= 1;
            bytes.push(b' ');
        }
        fs::write(&path, bytes).unwrap();
        let error = load(folder.path()).unwrap_err().to_string();
        assert!(
            error.contains(&format!("{file}: the file is not as it was saved")),
            "{error}"
        );
        // what the message says
        fs::remove_file(folder.path().join("XXH128SUMS")).unwrap();
        assert!(load(folder.path()).is_ok());
    }
}

#[test]
fn a_weight_that_is_not_finite_is_named_when_it_is_loaded() {
    let cut = |at_end: usize, bytes: &'static [u8]| {
        move |f: &Path| {
            let path = f.join("model.safetensors");
            let mut all = fs::read(&path).unwrap();
            let at = all.len() - at_end;
            all[at..at + bytes.len()].copy_from_slice(bytes);
            fs::write(&path, all).unwrap();
        }
    };
    let messages = [
        refusal("llama", cut(4, &[0, 0, 0xc0, 0x7f])),   // NaN
        refusal("llama", cut(260, &[0, 0, 0x80, 0xff])), // −∞
        refusal("qwen3", cut(2, &[0xc0, 0x7f])),         // NaN of bfloat16
    ];
    insta::assert_snapshot!(messages.join("\n"));
}

/// A copy of the tiny Llama, one bias-free weight of whose last norm is another.
fn with_norm(value: f32) -> Decoder<Flex> {
    let folder = copy("llama");
    let path = folder.path().join("model.safetensors");
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.len() - 4;
    bytes[at..].copy_from_slice(&value.to_le_bytes());
    fs::write(&path, bytes).unwrap();
    load(folder.path()).unwrap()
}

#[test]
fn a_weight_too_large_for_the_format_is_named_and_nothing_is_saved() {
    let model = with_norm(7e4);
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("model");
    let error = model.save(&target, SaveDtype::F16).unwrap_err().to_string();
    let error = error.replace(&folder.path().display().to_string(), "[folder]");
    insta::assert_snapshot!(error);
    assert!(!target.exists());
    model.save(&target, SaveDtype::Bf16).unwrap();
}

#[test]
fn a_weight_that_became_nan_is_named_and_nothing_is_saved() {
    use burn::module::{Module, ModuleMapper, Param};
    use burn::tensor::{Tensor, backend::Backend};

    struct Spoil;
    impl<B: Backend> ModuleMapper<B> for Spoil {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
            param.map(|tensor| tensor.log()) // of negative numbers too
        }
    }
    let model = load(&fixture("llama")).unwrap().map(&mut Spoil);
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("model");
    let error = model.save(&target, SaveDtype::F32).unwrap_err().to_string();
    assert!(
        error.contains("tensor `model.embed_tokens.weight` has "),
        "{error}"
    );
    assert!(
        error.contains("values that are not finite, the first at [0, "),
        "{error}"
    );
    assert!(!target.exists());
}

/// Names in a folder, in order.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn saving_removes_nothing_that_it_did_not_write() {
    let folder = tempfile::tempdir().unwrap();
    let model = load(&fixture("llama")).unwrap();
    let others = [
        "adapter_model.safetensors",
        "model-best.safetensors",
        "model-00001-of-00009.safetensors",
        "notes.txt",
    ];
    for name in others {
        fs::write(folder.path().join(name), "mine").unwrap();
    }
    // what a save left that was killed
    fs::write(
        folder.path().join(".model-00007-of-00009.safetensors.tmp"),
        "",
    )
    .unwrap();
    model
        .save_sharded(folder.path(), SaveDtype::F32, 300_000)
        .unwrap();
    model.save(folder.path(), SaveDtype::F32).unwrap();
    let mut expected: Vec<String> = ["XXH128SUMS", "config.json", "model.safetensors"]
        .iter()
        .chain(&others)
        .map(|&name| name.to_owned())
        .collect();
    expected.sort();
    assert_eq!(names(folder.path()), expected);
    for name in others {
        assert_eq!(fs::read(folder.path().join(name)).unwrap(), b"mine");
    }
    pref_model::verify_checksums(folder.path()).unwrap();
}

#[test]
fn shards_are_not_saved_beside_weights_that_would_be_loaded_in_their_place() {
    let folder = copy("llama");
    let model = load(folder.path()).unwrap();
    let before = names(folder.path());
    let save = || model.save_sharded(folder.path(), SaveDtype::F32, 300_000);
    let error = save().unwrap_err().to_string();
    assert!(error.contains("model.safetensors: not saved"), "{error}");
    assert_eq!(names(folder.path()), before);
    // one that was saved here is replaced
    model.save(folder.path(), SaveDtype::F32).unwrap();
    save().unwrap();
    assert!(!folder.path().join("model.safetensors").exists());
    assert!(load(folder.path()).is_ok());
}

#[test]
fn settings_without_effect_are_passed_over() {
    let folder = copy("llama");
    let settings = json!({
        "_attn_implementation_autoset": true,
        "_model_name_or_path": "somewhere",
        "_anything_a_program_notes": [1, {"a": 2}],
        "is_llama_config": true,
        "transformers.js_config": {"dtype": "q4"},
        "auto_map": {"AutoModelForCausalLM": "modeling.Model"},
        "model_max_length": 2048,
        "max_sequence_length": 2048,
        "max_new_tokens": 256,
        "no_repeat_ngram_size": 3,
        "typical_p": 0.9,
        "resid_pdrop": 0.0,
        "hidden_dropout": 0,
        "partial_rotary_factor": 1.0,
        "layer_types": ["full_attention", "full_attention", "full_attention"],
    });
    let settings = settings.as_object().unwrap();
    assert_eq!(settings.len(), 15);
    edit_json(&folder.path().join("config.json"), |config| {
        config.as_object_mut().unwrap().extend(settings.clone());
    });
    let model = load(folder.path()).unwrap();
    // and they are still there in what is saved
    let saved = tempfile::tempdir().unwrap();
    model.save(saved.path(), SaveDtype::Source).unwrap();
    let config = fs::read_to_string(saved.path().join("config.json")).unwrap();
    let config: Value = serde_json::from_str(&config).unwrap();
    for (key, value) in settings {
        assert_eq!(&config[key], value, "{key}");
    }
}

#[test]
fn a_setting_of_unknown_effect_can_be_ignored_and_one_that_decides_cannot() {
    let folder = copy("llama");
    edit_json(&folder.path().join("config.json"), |config| {
        config["loss_scale_note"] = json!(3);
        config["rope_parameters"]["note"] = json!("text");
    });
    let with = |ignored: &[&str]| {
        let ignored: Vec<String> = ignored.iter().map(|&key| key.to_owned()).collect();
        let loaded = Decoder::<Flex>::load_ignoring(folder.path(), &ignored, &Default::default());
        let error = |e: pref_model::LoadError| e.to_string();
        loaded.map(|_| ()).map_err(error)
    };
    let errors = [
        with(&[]).unwrap_err(),
        with(&["loss_scale_note"]).unwrap_err(),
        with(&["loss_scale_note", "rope_parameters.note", "hidden_size"]).unwrap_err(),
    ];
    let errors = errors.join("\n");
    insta::assert_snapshot!(errors.replace(&folder.path().display().to_string(), "[folder]"));
    assert_eq!(with(&["loss_scale_note", "rope_parameters.note"]), Ok(()));
}

#[test]
fn a_base_beside_rope_parameters_without_one_counts() {
    let config = |change: fn(&mut Value)| {
        let folder = copy("llama");
        edit_json(&folder.path().join("config.json"), change);
        pref_model::Config::from_folder(folder.path()).unwrap()
    };
    let inside = config(|c| c["rope_parameters"] = json!({"rope_theta": 5e5}));
    let outside = config(|c| {
        c["rope_parameters"] = json!({"rope_type": "default"});
        c["rope_theta"] = json!(5e5);
    });
    let theta = |config: &pref_model::Config| -> Vec<f64> {
        config.ropes().map(|rope| rope.theta).collect()
    };
    assert_eq!(theta(&inside), [5e5; 3]);
    assert_eq!(theta(&outside), [5e5; 3]);
}

#[test]
fn the_source_format_is_that_of_the_weights_where_config_json_has_none() {
    let folder = copy("qwen3"); // stored in bfloat16
    let json = |folder: &Path| -> Value {
        serde_json::from_str(&fs::read_to_string(folder.join("config.json")).unwrap()).unwrap()
    };
    edit_json(&folder.path().join("config.json"), |config| {
        let config = config.as_object_mut().unwrap();
        assert!(
            config
                .remove("dtype")
                .or(config.remove("torch_dtype"))
                .is_some()
        );
    });
    let saved = tempfile::tempdir().unwrap();
    let model = load(folder.path()).unwrap();
    model.save(saved.path(), SaveDtype::Source).unwrap();
    assert_eq!(tensors(saved.path()), tensors(&fixture("qwen3")));
    assert_eq!(json(saved.path())["dtype"], "bfloat16");

    // through a copy in f32, as a checkpoint is, both names of the format in step
    edit_json(&folder.path().join("config.json"), |config| {
        config["dtype"] = json!("bfloat16");
        config["torch_dtype"] = json!("bfloat16");
    });
    let model = load(folder.path()).unwrap();
    let checkpoint = tempfile::tempdir().unwrap();
    model.save(checkpoint.path(), SaveDtype::F32).unwrap();
    let config = json(checkpoint.path());
    assert_eq!(
        [&config["dtype"], &config["torch_dtype"]],
        ["float32", "float32"]
    );
    let restored = model.restore(checkpoint.path()).unwrap();
    restored.save(saved.path(), SaveDtype::Source).unwrap();
    assert_eq!(tensors(saved.path()), tensors(&fixture("qwen3")));
    let config = json(saved.path());
    assert_eq!(
        [&config["dtype"], &config["torch_dtype"]],
        ["bfloat16", "bfloat16"]
    );
}
