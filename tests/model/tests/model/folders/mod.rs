//! Model folders. A folder that is not a model gives a typed error, no panic, and no allocation for a wrong
//! header. What is saved is what was loaded.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod configurations;
mod saving;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use burn::backend::Flex;
use pref_model::{Decoder, Policy, SaveDtype};
use safetensors::SafeTensors;
use serde_json::{Value, json};

use crate::common::{MODELS, fixture};

fn load(folder: &Path) -> Result<Decoder<Flex>, pref_model::LoadError> {
    Decoder::load(folder, &Default::default())
}

/// A copy of a fixture that a test may change.
fn copy(name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(fixture(name)).unwrap() {
        let path = entry.unwrap().path();
        let target = folder.path().join(path.file_name().unwrap());
        fs::write(target, fs::read(&path).unwrap()).unwrap();
    }
    folder
}

/// The error of loading a changed copy of a fixture.
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

/// Changes the header of a safetensors file, but not the data.
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

/// Every tensor of a folder: number format, shape, bytes.
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
        // The lowest bit of a weight, and white space at the end of the index.
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
        // As the message proposes.
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
