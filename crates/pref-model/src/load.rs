//! Weights from safetensors, single or sharded, in f32, f16 or bf16.
//! In: a folder. Out: a decoder, or an error that names file and tensor. Files are mapped, not
//! read, so a header that lies costs nothing.

mod error;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};

pub use error::LoadError;

use burn::tensor::backend::Backend;
use memmap2::Mmap;
use safetensors::tensor::{SafeTensors, TensorView};
use serde::Deserialize;

use crate::checksums::{ChecksumError, Checksums};
use crate::config::Config;
use crate::decoder::Decoder;
use crate::dtype::Format;
use crate::finite::NotFinite;

pub(crate) const SINGLE: &str = "model.safetensors";
pub(crate) const INDEX: &str = "model.safetensors.index.json";

#[derive(Deserialize)]
pub(crate) struct Index {
    /// Which file a tensor is in.
    pub(crate) weight_map: BTreeMap<String, String>,
}

pub(crate) fn load<B: Backend>(
    folder: &Path,
    ignored: &[String],
    device: &B::Device,
) -> Result<Decoder<B>, LoadError> {
    let config = Config::from_folder_ignoring(folder, ignored)?;
    let files = Files::open(folder)?;
    let sums = Checksums::of_folder(folder)?;
    // reading for the checksums warms the cache for the conversion, which goes on beside it
    std::thread::scope(|scope| {
        let checked = scope.spawn(|| files.check(&sums));
        let decoder = convert(folder, config, &files, device);
        // damage is the cause of whatever the conversion found
        checked.join().expect("comparing bytes does not panic")?;
        decoder
    })
}

/// The decoder of the files' tensors.
fn convert<B: Backend>(
    folder: &Path,
    mut config: Config,
    files: &Files,
    device: &B::Device,
) -> Result<Decoder<B>, LoadError> {
    let tensors = files.tensors()?;
    if config.stored.is_none() {
        let formats = tensors
            .values()
            .filter_map(|(_, view)| Format::of_dtype(view.dtype()));
        config.stored = formats.reduce(Format::wider);
    }
    let mut unused: BTreeSet<&str> = tensors.keys().map(String::as_str).collect();
    let decoder = Decoder::build(&config, device, |name, shape| {
        unused.remove(name);
        match tensors.get(name) {
            Some((path, view)) => values(path, name, view, shape),
            None => Err(LoadError::MissingTensor {
                folder: folder.to_owned(),
                tensor: name.to_owned(),
                shape: shape.to_vec(),
            }),
        }
    })?;
    // a buffer of older checkpoints, and the copy of a tied head
    unused.retain(|name| {
        let is_tied_head = config.has_tied_head && *name == "lm_head.weight";
        !name.ends_with("rotary_emb.inv_freq") && !is_tied_head
    });
    if unused.is_empty() {
        return Ok(decoder);
    }
    let mut names: Vec<&str> = unused.iter().copied().take(3).collect();
    if unused.len() > names.len() {
        names.push("…");
    }
    Err(LoadError::UnexpectedTensors {
        folder: folder.to_owned(),
        tensors: names.join(", "),
    })
}

/// The files of a model, mapped.
struct Files {
    files: Vec<(PathBuf, Mmap)>,
    /// The index, and which tensor it says is where.
    index: Option<(PathBuf, Index)>,
}

impl Files {
    fn open(folder: &Path) -> Result<Self, LoadError> {
        let index_path = folder.join(INDEX);
        let single = folder.join(SINGLE);
        if single.is_file() {
            let files = vec![(single.clone(), map(&single)?)];
            return Ok(Self { files, index: None });
        }
        if !index_path.is_file() {
            return Err(LoadError::NoWeights {
                folder: folder.to_owned(),
            });
        }
        let text = std::fs::read(&index_path).map_err(|source| LoadError::Read {
            path: index_path.clone(),
            source,
        })?;
        let index: Index = serde_json::from_slice(&text).map_err(|error| LoadError::Index {
            path: index_path.clone(),
            message: error.to_string(),
        })?;
        let shards: BTreeSet<&String> = index.weight_map.values().collect();
        let mut files = Vec::new();
        for shard in shards {
            let path = folder.join(shard);
            let is_plain_name = Path::new(shard).file_name() == Some(shard.as_ref());
            if !is_plain_name || !path.is_file() {
                return Err(LoadError::MissingShard {
                    index: index_path,
                    shard: shard.clone(),
                });
            }
            let mapped = map(&path)?;
            files.push((path, mapped));
        }
        Ok(Self {
            files,
            index: Some((index_path, index)),
        })
    }

    /// Compares every file with the checksum that it was saved with.
    fn check(&self, sums: &Checksums) -> Result<(), ChecksumError> {
        if let Some((path, _)) = &self.index {
            sums.check_file(path)?;
        }
        let mut files = self.files.iter();
        files.try_for_each(|(path, bytes)| sums.check(path, bytes))
    }

    /// Every tensor by name, with the file it is in.
    fn tensors(&self) -> Result<BTreeMap<String, (&Path, TensorView<'_>)>, LoadError> {
        let mut tensors = BTreeMap::new();
        for (path, bytes) in &self.files {
            let file = SafeTensors::deserialize(bytes).map_err(|error| LoadError::Header {
                path: path.clone(),
                message: error.to_string(),
            })?;
            for (name, view) in file.tensors() {
                tensors.insert(name, (path.as_path(), view));
            }
        }
        if let Some((index_path, index)) = &self.index {
            for (name, shard) in &index.weight_map {
                let is_there = tensors
                    .get(name)
                    .is_some_and(|(path, _)| path.ends_with(shard));
                if !is_there {
                    return Err(LoadError::NotInShard {
                        index: index_path.clone(),
                        shard: index_path.with_file_name(shard),
                        tensor: name.clone(),
                    });
                }
            }
        }
        Ok(tensors)
    }
}

fn map(path: &Path) -> Result<Mmap, LoadError> {
    let read = |source| LoadError::Read {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(read)?;
    // SAFETY: the map is only read. A program that truncates the file meanwhile can fault this one,
    // as with every mapped file; weights are not written in place by anything that we know of.
    #[expect(unsafe_code, reason = "mapping a file is unsafe by its nature")]
    unsafe { Mmap::map(&file) }.map_err(read)
}

fn values(
    path: &Path,
    name: &str,
    view: &TensorView<'_>,
    expected: &[usize],
) -> Result<Vec<f32>, LoadError> {
    if view.shape() != expected {
        return Err(LoadError::Shape {
            path: path.to_owned(),
            tensor: name.to_owned(),
            found: view.shape().to_vec(),
            expected: expected.to_vec(),
        });
    }
    let format = Format::of_dtype(view.dtype()).ok_or_else(|| LoadError::Dtype {
        path: path.to_owned(),
        tensor: name.to_owned(),
        found: format!("{:?}", view.dtype()),
    })?;
    let values = format.values(view.data());
    match NotFinite::among(&values, expected) {
        None => Ok(values),
        Some(NotFinite { n, index, .. }) => Err(LoadError::NotFinite {
            path: path.to_owned(),
            tensor: name.to_owned(),
            n,
            of: values.len(),
            index,
        }),
    }
}
