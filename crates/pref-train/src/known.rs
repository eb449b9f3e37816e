//! Log-probs under the reference that were computed before. In: the pairs' lengths and a key. Out: a
//! safetensors file in the run's folder, written in any order and read back by pair, never whole
//! in memory. What is written of it outlasts a run that is stopped.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use memmap2::Mmap;
use pref_data::BatchLayout;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::durable::{rename, sibling};
use crate::examples::Examples;
use crate::reference::{Set, Sets};
use crate::rows::map;
use crate::run::hex;

/// Where each answer's log-probs are in the file.
#[derive(Debug)]
pub(crate) struct Places {
    /// For each set and side: first byte of each answer, and the end of the last one.
    starts: Sets<[Vec<usize>; 2]>,
    /// The file's first bytes with lengths and key, and zeros in the place of the digest.
    header: Vec<u8>,
    /// Where the digest of the data is in the header.
    digest: Range<usize>,
}

/// Name of the digest in the header.
const DIGEST: &str = "sha256";

impl Places {
    /// The places of all pairs, in a file that holds for this key.
    pub(crate) fn new(key: &str, sets: &Sets<Examples>) -> Self {
        let mut end = 0;
        let mut tensors = Map::new();
        let no_digest = "0".repeat(64);
        let metadata = json!({DIGEST: no_digest, "key": key});
        tensors.insert("__metadata__".to_owned(), metadata);
        let mut starts = Set::ALL.map(|set| {
            let names = sets.of(set).side_names();
            [0, 1].map(|side| {
                let start = end;
                let lengths = sets.of(set).entries().iter();
                let mut starts = vec![start];
                starts.extend(lengths.map(|entry| {
                    end += size_of::<f32>() * entry.lengths()[1 + side];
                    end
                }));
                let tensor = json!({
                    "dtype": "F32",
                    "shape": [(end - start) / size_of::<f32>()],
                    "data_offsets": [start, end],
                });
                tensors.insert(format!("{}.{}", set.name(), names[side]), tensor);
                starts
            })
        });
        let mut text = Value::Object(tensors).to_string();
        // data begins at a multiple of 8
        text.extend(std::iter::repeat_n(
            ' ',
            text.len().next_multiple_of(8) - text.len(),
        ));
        let mut header = (text.len() as u64).to_le_bytes().to_vec();
        let digest = text.find(&no_digest).expect("it was just put there") + header.len();
        header.extend(text.into_bytes());
        for start in starts.iter_mut().flatten().flatten() {
            *start += header.len();
        }
        Self {
            starts: Sets(starts),
            header,
            digest: digest..digest + no_digest.len(),
        }
    }

    /// The digest of everything behind the header, in hexadecimal.
    fn data_digest(&self, file: &[u8]) -> String {
        let data = self.header.len().min(file.len())..self.file_size().min(file.len());
        hex(Sha256::new_with_prefix(&file[data]))
    }

    fn range(&self, set: Set, side: usize, index: usize) -> Range<usize> {
        let starts = &self.starts.of(set)[side];
        starts[index]..starts[index + 1]
    }

    fn n_pairs(&self) -> usize {
        let pairs = |[chosen, _]: &[Vec<usize>; 2]| chosen.len() - 1;
        self.starts.0.iter().map(pairs).sum()
    }

    fn file_size(&self) -> usize {
        let [.., last] = &self.starts.0;
        *last[1].last().expect("the end of the last one is there")
    }

    /// The header of a file whose data have this digest.
    fn header(&self, digest: &str) -> Vec<u8> {
        let mut header = self.header.clone();
        header[self.digest.clone()].copy_from_slice(digest.as_bytes());
        header
    }

    /// The file to be, with what an earlier run wrote of it under a temporary name before it was
    /// stopped, if that is for the same pairs and undamaged.
    pub(crate) fn filling(
        self: &Arc<Self>,
        path: &Path,
        sets: &Sets<Examples>,
        layout: BatchLayout,
    ) -> io::Result<Filling> {
        let partial = sibling(path, "part");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut filling = Filling {
            places: Arc::clone(self),
            file: options.open(&partial)?,
            path: path.to_owned(),
            partial,
            pending: VecDeque::new(),
            n_done: 0,
            hash: Sha256::new(),
            saved: Instant::now(),
        };
        let order = Set::ALL.map(|set| (set, layout.length_sorted(sets.of(set).entries())));
        let order = order.map(|(set, batches)| (set, batches.concat()));
        filling.read_before(&order)?;
        let mut n_before = filling.n_done;
        for (set, indices) in order {
            let rest = &indices[n_before.min(indices.len())..];
            n_before -= indices.len() - rest.len();
            let batches = layout.divide(sets.of(set).entries(), rest);
            let batches = batches.into_iter().map(|batch| (set, batch.to_vec()));
            filling.pending.extend(batches);
        }
        Ok(filling)
    }
}

/// Time between two syncs of what was computed.
const SAVED_EVERY: Duration = Duration::from_secs(20);

/// A file that is being filled, pairs of like length at a time. Behind the data it records how many
/// pairs are done, in the order in which they are computed, and the digest of their values.
#[derive(Debug)]
pub(crate) struct Filling {
    places: Arc<Places>,
    file: File,
    path: PathBuf,
    partial: PathBuf,
    /// Batches that are not computed yet.
    pending: VecDeque<(Set, Vec<usize>)>,
    n_done: usize,
    /// Of the values of all pairs that are done.
    hash: Sha256,
    saved: Instant,
}

/// Bytes of the count and of the digest behind the data.
const TRAILER: usize = size_of::<u64>() + 32;

impl Filling {
    /// Pairs that are done.
    pub(crate) fn n_done(&self) -> usize {
        self.n_done
    }

    /// The pairs to compute next.
    pub(crate) fn next_batch(&self) -> Option<(Set, Vec<usize>)> {
        self.pending.front().cloned()
    }

    /// Writes the log-probs of the next batch: one row an answer, the chosen ones first.
    pub(crate) fn put<'a>(&mut self, answers: impl Iterator<Item = &'a [f32]>) -> io::Result<()> {
        let Some((set, indices)) = self.pending.pop_front() else {
            return Ok(());
        };
        let rows: Vec<Vec<u8>> = answers
            .map(|values| values.iter().flat_map(|v| v.to_le_bytes()).collect())
            .collect();
        assert_eq!(rows.len(), 2 * indices.len(), "two answers a pair");
        for (row, bytes) in rows.iter().enumerate() {
            let (side, k) = (row / indices.len(), row % indices.len());
            let place = self.places.range(set, side, indices[k]);
            assert_eq!(bytes.len(), place.len(), "one log-prob a token");
            self.file.seek(SeekFrom::Start(place.start as u64))?;
            self.file.write_all(bytes)?;
        }
        for k in 0..indices.len() {
            self.hash.update(&rows[k]);
            self.hash.update(&rows[indices.len() + k]);
        }
        self.n_done += indices.len();
        match self.saved.elapsed() > SAVED_EVERY {
            true => self.save(),
            false => Ok(()),
        }
    }

    /// Syncs the values to disk, then records how many pairs are done.
    pub(crate) fn save(&mut self) -> io::Result<()> {
        // in this order, so that a kill in between leaves a count without its values at no time
        self.file.sync_data()?;
        self.file
            .seek(SeekFrom::Start(self.places.file_size() as u64))?;
        self.file.write_all(&(self.n_done as u64).to_le_bytes())?;
        self.file.write_all(&self.hash.clone().finalize())?;
        self.file.sync_data()?;
        self.saved = Instant::now();
        Ok(())
    }

    /// Writes the digest of all data into the header and gives the file its name.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.file.set_len(self.places.file_size() as u64)?;
        let digest = self.places.data_digest(&map(&self.file)?);
        self.file.rewind()?;
        self.file.write_all(&self.places.header(&digest))?;
        self.file.sync_all()?;
        rename(&self.partial, &self.path)
    }

    /// Takes over the pairs that a file of the same header holds, or begins a new file.
    fn read_before(&mut self, order: &[(Set, Vec<usize>)]) -> io::Result<()> {
        if let Some((n_done, hash)) = self.done_before(order)? {
            self.n_done = n_done;
            self.hash = hash;
            return Ok(());
        }
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(&self.places.header)
    }

    /// How many pairs the file holds, and the state of their digest; none if it is another file, or
    /// if the values are not those that were written.
    fn done_before(&self, order: &[(Set, Vec<usize>)]) -> io::Result<Option<(usize, Sha256)>> {
        let size = self.places.file_size();
        if self.file.metadata()?.len() != (size + TRAILER) as u64 {
            return Ok(None);
        }
        let map = map(&self.file)?;
        let (count, digest) = map[size..].split_at(size_of::<u64>());
        let count = count.try_into().map(u64::from_le_bytes);
        let n_done = count.map_err(io::Error::other)? as usize;
        if !map.starts_with(&self.places.header) || n_done > self.places.n_pairs() {
            return Ok(None);
        }
        let mut hash = Sha256::new();
        let pairs = order
            .iter()
            .flat_map(|(set, indices)| indices.iter().map(|&i| (*set, i)));
        for (set, index) in pairs.take(n_done) {
            for side in [0, 1] {
                hash.update(&map[self.places.range(set, side, index)]);
            }
        }
        let is_whole = hash.clone().finalize()[..] == *digest;
        Ok(is_whole.then_some((n_done, hash)))
    }
}

/// Log-probs of every pair.
#[derive(Debug)]
pub(crate) struct KnownLogProbs {
    places: Arc<Places>,
    map: Mmap,
}

impl KnownLogProbs {
    /// The file, if it is there, complete, undamaged, and for these pairs.
    pub(crate) fn open(path: &Path, places: &Arc<Places>) -> Option<Self> {
        let map = File::open(path).and_then(|file| map(&file)).ok()?;
        let is_whole = map.len() == places.file_size()
            && map.starts_with(&places.header(&places.data_digest(&map)));
        is_whole.then(|| Self {
            places: Arc::clone(places),
            map,
        })
    }

    /// Log-probs of the first (0) or second (1) answer of a row.
    pub(crate) fn get(&self, set: Set, side: usize, index: usize) -> Vec<f32> {
        let (words, _) = self.map[self.places.range(set, side, index)].as_chunks();
        words.iter().map(|&word| f32::from_le_bytes(word)).collect()
    }
}
