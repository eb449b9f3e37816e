//! Saving: what is written, what is refused, and what is removed.

use super::*;

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

        // A single file replaces the shards and their index.
        again.save(folder.path(), SaveDtype::Bf16).unwrap();
        assert!(!folder.path().join("model.safetensors.index.json").exists());
        assert!(load(folder.path()).is_ok());
        if dtype != SaveDtype::F16 {
            // bfloat16 values fit into f32, but not all fit into f16.
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

/// A copy of the tiny Llama with this value as one weight of its last norm.
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
            param.map(|tensor| tensor.log()) // NaN for negative numbers
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

/// The sorted file names of a folder.
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
    // A temporary file that a killed save left.
    fs::write(
        folder
            .path()
            .join(".model-00007-of-00009.safetensors.Ab12Cd.tmp"),
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
    // A file that was saved by Pref is replaced.
    model.save(folder.path(), SaveDtype::F32).unwrap();
    save().unwrap();
    assert!(!folder.path().join("model.safetensors").exists());
    assert!(load(folder.path()).is_ok());
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

    // The format survives a checkpoint in f32, under both of its names.
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
