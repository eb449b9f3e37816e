//! The weight files of a model folder, single or sharded, in f32, f16 or bf16.
//! In: a folder. Out: its tensors by name as f32 values, or an error that names file and tensor.
//!
//! Files are mapped into memory, so a header with a wrong length costs no allocation.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use safetensors::tensor::{SafeTensors, TensorView};

use super::checksums::{ChecksumError, Checksums};
use super::finite::NotFinite;
use super::load_error::LoadError;
use super::names::{INDEX, Index, SINGLE};
use crate::number_format::Format;

/// Number of tensor names that an error lists.
const LISTED: usize = 3;

/// The weight files of a folder, mapped into memory.
pub(crate) struct WeightFiles {
    folder: PathBuf,
    files: Vec<(PathBuf, Mmap)>,
    /// The path and the content of the index of a sharded model.
    index: Option<(PathBuf, Index)>,
}

impl WeightFiles {
    /// Opens the single file, or the files that the index names.
    pub(crate) fn open(folder: &Path) -> Result<Self, LoadError> {
        let index_path = folder.join(INDEX);
        let single = folder.join(SINGLE);
        if single.is_file() {
            return Ok(Self {
                folder: folder.to_owned(),
                files: vec![(single.clone(), map(&single)?)],
                index: None,
            });
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
            folder: folder.to_owned(),
            files,
            index: Some((index_path, index)),
        })
    }

    /// Opens one file of a folder.
    pub(crate) fn open_file(folder: &Path, name: &str) -> Result<Self, LoadError> {
        let path = folder.join(name);
        Ok(Self {
            folder: folder.to_owned(),
            files: vec![(path.clone(), map(&path)?)],
            index: None,
        })
    }

    /// Reads tensors with `read`. A second thread compares the files with their checksums at the
    /// same time, so that the bytes come from the disk once.
    ///
    /// # Errors
    /// The error of `read`, or [`LoadError::Checksum`], or [`LoadError::UnexpectedTensors`] if
    /// `read` neither reads nor ignores some tensors.
    pub(crate) fn read<T>(
        &self,
        read: impl FnOnce(&mut StoredTensors<'_>) -> Result<T, LoadError>,
    ) -> Result<T, LoadError> {
        let sums = Checksums::of_folder(&self.folder)?;
        std::thread::scope(|scope| {
            let checked = scope.spawn(|| self.check(&sums));
            let result = self.tensors().and_then(|mut tensors| {
                let result = read(&mut tensors)?;
                tensors.check_all_read()?;
                Ok(result)
            });
            // A damaged file is the cause of any other error, so its error comes first.
            checked.join().expect("comparing bytes does not panic")?;
            result
        })
    }

    /// Compares every file with its checksum.
    fn check(&self, sums: &Checksums) -> Result<(), ChecksumError> {
        if let Some((path, _)) = &self.index {
            sums.check_file(path)?;
        }
        let mut files = self.files.iter();
        files.try_for_each(|(path, bytes)| sums.check(path, bytes))
    }

    /// Every tensor by name, with the file that holds it.
    fn tensors(&self) -> Result<StoredTensors<'_>, LoadError> {
        let mut by_name = BTreeMap::new();
        for (path, bytes) in &self.files {
            let file = SafeTensors::deserialize(bytes).map_err(|error| LoadError::Header {
                path: path.clone(),
                message: error.to_string(),
            })?;
            for (name, view) in file.tensors() {
                by_name.insert(name, (path.as_path(), view));
            }
        }
        if let Some((index_path, index)) = &self.index {
            for (name, shard) in &index.weight_map {
                let is_there = by_name
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
        Ok(StoredTensors {
            folder: &self.folder,
            unread: by_name.keys().cloned().collect(),
            by_name,
        })
    }
}

/// The tensors of a folder by name.
pub(crate) struct StoredTensors<'a> {
    folder: &'a Path,
    by_name: BTreeMap<String, (&'a Path, TensorView<'a>)>,
    /// Names of the tensors that were neither read nor ignored so far.
    unread: BTreeSet<String>,
}

impl StoredTensors<'_> {
    /// The narrowest number format that holds the values of all tensors. `None` without tensors of
    /// a format that is implemented.
    pub(crate) fn format(&self) -> Option<Format> {
        let views = self.by_name.values();
        let formats = views.filter_map(|(_, view)| Format::of_dtype(view.dtype()));
        formats.reduce(Format::wider)
    }

    /// The shape of a tensor. `None` if there is no tensor of this name.
    pub(crate) fn shape(&self, name: &str) -> Option<&[usize]> {
        self.by_name.get(name).map(|(_, view)| view.shape())
    }

    /// The values of a tensor of this shape.
    ///
    /// # Errors
    /// [`LoadError`] if the tensor does not exist, or has another shape, an unknown number format
    /// or a value that is not finite.
    pub(crate) fn values(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, LoadError> {
        self.unread.remove(name);
        let Some((path, view)) = self.by_name.get(name) else {
            return Err(LoadError::MissingTensor {
                folder: self.folder.to_owned(),
                tensor: name.to_owned(),
                shape: shape.to_vec(),
            });
        };
        let (path, tensor) = ((*path).to_owned(), name.to_owned());
        if view.shape() != shape {
            return Err(LoadError::Shape {
                path,
                tensor,
                found: view.shape().to_vec(),
                expected: shape.to_vec(),
            });
        }
        let Some(format) = Format::of_dtype(view.dtype()) else {
            return Err(LoadError::Dtype {
                path,
                tensor,
                found: format!("{:?}", view.dtype()),
            });
        };
        let values = format.values(view.data());
        match NotFinite::among(&values, shape) {
            None => Ok(values),
            Some(NotFinite { n, index, .. }) => Err(LoadError::NotFinite {
                path,
                tensor,
                n,
                of: values.len(),
                index,
            }),
        }
    }

    /// Ignores the tensors that the model does not need: they may stay unread.
    pub(crate) fn ignore(&mut self, is_ignored: impl Fn(&str) -> bool) {
        self.unread.retain(|name| !is_ignored(name));
    }

    fn check_all_read(&self) -> Result<(), LoadError> {
        if self.unread.is_empty() {
            return Ok(());
        }
        let mut names: Vec<&str> = self.unread.iter().map(String::as_str).collect();
        if names.len() > LISTED {
            names.truncate(LISTED);
            names.push("…");
        }
        Err(LoadError::UnexpectedTensors {
            folder: self.folder.to_owned(),
            tensors: names.join(", "),
        })
    }
}

fn map(path: &Path) -> Result<Mmap, LoadError> {
    let read = |source| LoadError::Read {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(read)?;
    // SAFETY: the map is only read. If another program truncates the file meanwhile, reading the
    // map faults, as for every mapped file; programs that save weights write a new file instead.
    #[expect(unsafe_code, reason = "mapping a file is always unsafe")]
    unsafe { Mmap::map(&file) }.map_err(read)
}
