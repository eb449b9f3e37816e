//! What a run was started on. In: the model folders and the sets of tokens. Out: a fingerprint of
//! each, kept in every checkpoint, so that a run goes on only with what it began with.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::TrainError;
use crate::examples::Examples;
use crate::plan::Plan;
use crate::reference::{Set, Sets};

/// A fingerprint for each input of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity(BTreeMap<String, Fingerprint>);

/// What an input was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fingerprint {
    /// Its size, such as `10 rows`.
    size: String,
    /// SHA-256 of the content, in hexadecimal.
    pub(crate) sha256: String,
}

impl Identity {
    /// Reads every byte of the model's weights once, and every row.
    pub(super) fn of(plan: &Plan, sets: &Sets<Examples>) -> Result<Self, TrainError> {
        let model = &plan.model.path;
        let mut inputs = BTreeMap::new();
        let mut add = |name: &str, fingerprint| inputs.insert(name.to_owned(), fingerprint);
        add(POLICY, weights(model)?);
        if let Some(path) = &plan.model.reference_path {
            add(REFERENCE, weights(path)?);
        }
        let is_tokenizer = |name: &str| TOKENIZER_FILES.contains(&name);
        add("the tokenizer of model.path", files(model, is_tokenizer)?);
        let is_template = |name: &str| TEMPLATE_FILES.contains(&name);
        let template = files(model, is_template)?;
        add("the tokenizer's settings and chat template", template);
        for set in Set::ALL {
            add(set.title(), rows(sets.of(set)));
        }
        Ok(Self(inputs))
    }

    /// The weights of the reference, which are the policy's where it has none of its own.
    pub(super) fn reference_weights(&self) -> &Fingerprint {
        let own = self.0.get(REFERENCE).or(self.0.get(POLICY));
        own.expect("the policy's weights are the first input")
    }

    /// `input: then, now` for each input that is not what it was.
    pub(super) fn differences(&self, now: &Self) -> Vec<String> {
        let names: BTreeSet<_> = self.0.keys().chain(now.0.keys()).collect();
        let differing = names.into_iter().filter_map(|name| {
            let (then, now) = (self.0.get(name), now.0.get(name));
            let show = |print: Option<&Fingerprint>| {
                print.map_or("nothing".to_owned(), |print| {
                    let start = print.sha256.get(..12).unwrap_or(&print.sha256);
                    format!("{} with sha256 {start}…", print.size)
                })
            };
            (then != now).then(|| format!("{name} (then {}, now {})", show(then), show(now)))
        });
        differing.collect()
    }
}

const POLICY: &str = "the weights of model.path";
const REFERENCE: &str = "the weights of model.reference-path";
const TOKENIZER_FILES: [&str; 2] = ["tokenizer.json", "tokenizer.model"];
const TEMPLATE_FILES: [&str; 5] = [
    "tokenizer_config.json",
    "chat_template.jinja",
    "chat_template.json",
    "special_tokens_map.json",
    "added_tokens.json",
];

/// Configuration and weights of a model's folder.
fn weights(model: &Path) -> Result<Fingerprint, TrainError> {
    files(model, |name| {
        name == "config.json" || name.ends_with(".safetensors")
    })
}

/// Names and bytes of some files of a folder.
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
        io::copy(&mut file, &mut hash).map_err(TrainError::file(path))?;
    }
    Ok(Fingerprint {
        size: counted(paths.len(), "file"),
        sha256: hex(hash),
    })
}

/// A set's rows as they are stored: tokens with what objectives look at besides, in order.
fn rows(examples: &Examples) -> Fingerprint {
    let mut hash = Sha256::new();
    for index in 0..examples.len() {
        let bytes = examples.stored(index);
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

/// A digest in hexadecimal.
pub(crate) fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
}
