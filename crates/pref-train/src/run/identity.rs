//! The inputs that a run began with. In: models, tokenizer files and rows. Out: a fingerprint of each, which
//! every checkpoint holds, so that a run continues only with the same inputs.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::tensor::backend::Backend;
use pref_model::try_for_each_parameter;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::digest::hex;
use crate::error::TrainError;
use crate::plan::Plan;
use crate::sets::{DataSet, Examples, PerSet};

/// A fingerprint for each input of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity(BTreeMap<String, Fingerprint>);

/// The size and the hash of an input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fingerprint {
    /// The size of the input, such as `10 rows`.
    size: String,
    /// SHA-256 of the content, in hexadecimal.
    sha256: String,
}

impl Identity {
    /// The fingerprints of all inputs; `policy` is the fingerprint of the policy's weights. Reads every row,
    /// and every byte of the weights of a separate reference.
    pub(super) fn of(
        plan: &Plan,
        policy: Fingerprint,
        sets: &PerSet<Examples>,
    ) -> Result<Self, TrainError> {
        let model = &plan.model.path;
        let mut inputs = BTreeMap::new();
        let mut add = |name: &str, fingerprint| inputs.insert(name.to_owned(), fingerprint);
        add(POLICY, policy);
        if let Some(path) = adapter(plan) {
            add(ADAPTER, adapter_fingerprint(path)?);
        }
        if let Some(path) = &plan.model.reference_path {
            add(REFERENCE, weight_fingerprint(path)?);
        }
        let is_tokenizer = |name: &str| TOKENIZER_FILES.contains(&name);
        add("the tokenizer of model.path", files(model, is_tokenizer)?);
        let is_template = |name: &str| TEMPLATE_FILES.contains(&name);
        let template = files(model, is_template)?;
        add("the tokenizer's settings and chat template", template);
        for set in DataSet::ALL {
            add(set.title(), rows(sets.of(set)));
        }
        Ok(Self(inputs))
    }

    /// The hashes of the reference's weights. Without a separate reference, these are the weights of
    /// the policy before training, with the adapter that it starts from.
    pub(super) fn reference_weights(&self) -> String {
        let hash = |name: &str| self.0.get(name).map(|f| f.sha256.as_str());
        match hash(REFERENCE) {
            Some(hash) => hash.to_owned(),
            None => [POLICY, ADAPTER].into_iter().filter_map(hash).collect(),
        }
    }

    /// A description of each input that differs: its name, and its size and hash in both. `labels` say where they
    /// are from, such as `then` and `now`.
    pub(super) fn differences(&self, other: &Self, labels: [&str; 2]) -> Vec<String> {
        let names: BTreeSet<_> = self.0.keys().chain(other.0.keys()).collect();
        let differing = names.into_iter().filter_map(|name| {
            let (one, two) = (self.0.get(name), other.0.get(name));
            let show = |fingerprint: Option<&Fingerprint>| {
                fingerprint.map_or("nothing".to_owned(), |Fingerprint { size, sha256 }| {
                    let start = sha256.get(..12).unwrap_or(sha256);
                    format!("{size} with sha256 {start}…")
                })
            };
            let [first, second] = labels;
            let text = || format!("{name} ({first} {}, {second} {})", show(one), show(two));
            (one != two).then(text)
        });
        differing.collect()
    }
}

const POLICY: &str = "the weights of model.path";
const ADAPTER: &str = "the adapter of train.lora.adapter";
const REFERENCE: &str = "the weights of model.reference-path";
const TOKENIZER_FILES: [&str; 2] = ["tokenizer.json", "tokenizer.model"];
const TEMPLATE_FILES: [&str; 5] = [
    "tokenizer_config.json",
    "chat_template.jinja",
    "chat_template.json",
    "special_tokens_map.json",
    "added_tokens.json",
];

/// A hash of everything that a model or an adapter computes from: the configuration, the weights, the tokenizer and
/// the chat template in its folder. It is the SHA-256 of their names and bytes, in hexadecimal.
///
/// # Errors
/// [`TrainError::File`] if the folder or a file in it cannot be read.
pub fn model_hash(folder: &Path) -> Result<String, TrainError> {
    let is_wanted = |name: &str| {
        let is_settings = ["config.json", "adapter_config.json"].contains(&name);
        is_settings
            || name.ends_with(".safetensors")
            || TOKENIZER_FILES.contains(&name)
            || TEMPLATE_FILES.contains(&name)
    };
    Ok(files(folder, is_wanted)?.sha256)
}

/// The fingerprint of the configuration and the weights in a model folder.
pub(super) fn weight_fingerprint(model: &Path) -> Result<Fingerprint, TrainError> {
    files(model, |name| {
        name == "config.json" || name.ends_with(".safetensors")
    })
}

/// The folder of the adapter that a run starts from.
fn adapter(plan: &Plan) -> Option<&Path> {
    plan.train.lora.as_ref()?.adapter.as_deref()
}

/// The fingerprint of the settings and the weights of an adapter.
fn adapter_fingerprint(folder: &Path) -> Result<Fingerprint, TrainError> {
    files(folder, |name| {
        ["adapter_config.json", "adapter_model.safetensors"].contains(&name)
    })
}

/// The fingerprint of some files of a folder: their names and bytes.
fn files(folder: &Path, is_wanted: impl Fn(&str) -> bool) -> Result<Fingerprint, TrainError> {
    let wanted = |entry: io::Result<fs::DirEntry>| -> Option<PathBuf> {
        let path = entry.ok()?.path();
        let name = path.file_name()?.to_str()?;
        is_wanted(name).then(|| path.clone())
    };
    let entries = fs::read_dir(folder).map_err(TrainError::file(folder))?;
    let mut paths: Vec<PathBuf> = entries.filter_map(wanted).collect();
    paths.sort();
    let mut hash = Sha256::new();
    for path in &paths {
        let mut file = File::open(path).map_err(TrainError::file(path))?;
        let n_bytes = file.metadata().map_err(TrainError::file(path))?.len();
        hash.update(path.file_name().unwrap_or_default().as_encoded_bytes());
        hash.update(n_bytes.to_le_bytes());
        add_bytes(&mut hash, &mut file).map_err(TrainError::file(path))?;
    }
    Ok(Fingerprint {
        size: counted(paths.len(), "file"),
        sha256: hex(hash),
    })
}

/// Hashes the rest of a file.
fn add_bytes(hash: &mut Sha256, file: &mut File) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => hash.update(&buffer[..n]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The fingerprint of the stored rows of a data set, in order.
fn rows(examples: &Examples) -> Fingerprint {
    let mut hash = Sha256::new();
    for index in 0..examples.len() {
        let bytes = examples.bytes_of(index);
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    }
    Fingerprint {
        size: counted(examples.len(), "row"),
        sha256: hex(hash),
    }
}

fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// The fingerprint of the parameters of a module: their names and values.
pub(super) fn parameter_fingerprint<B: Backend, M: Module<B>>(module: &M) -> Fingerprint {
    let mut hash = Sha256::new();
    let mut n = 0;
    let Ok(()) = try_for_each_parameter(module, |name, data| -> Result<(), Infallible> {
        hash.update(name);
        for value in data.iter::<f32>() {
            hash.update(value.to_le_bytes());
        }
        n += 1;
        Ok(())
    });
    Fingerprint {
        size: counted(n, "parameter"),
        sha256: hex(hash),
    }
}
