//! The file of reference log-probs. In: log-probs in the order of computation. Out: a safetensors file in
//! the run's folder, which is read pair by pair. If a run stops, the next one continues the file.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use memmap2::Mmap;
use pref_data::BatchLayout;
use sha2::{Digest, Sha256};

use super::layout::CacheLayout;
use crate::durable::{rename, sibling};
use crate::sets::{DataSet, Examples, PerSet, map};

/// Time between two syncs to disk.
const SYNC_INTERVAL: Duration = Duration::from_secs(20);

/// A file of log-probs while it is being written. Pairs of similar length are computed together, so the order
/// of computation is not the order of the rows. After the data, the file has the number of finished pairs
/// and the digest of their values in the order of computation.
#[derive(Debug)]
pub(crate) struct CacheWriter {
    layout: Arc<CacheLayout>,
    file: File,
    path: PathBuf,
    partial: PathBuf,
    n_done: usize,
    /// Digest of the values of the finished pairs.
    hash: Sha256,
    /// When the file was last synced to disk.
    saved: Instant,
}

/// Number of bytes of the count and the digest after the data.
const TRAILER: usize = size_of::<u64>() + 32;

impl CacheWriter {
    /// Opens the file under its temporary name. Log-probs that an earlier, stopped run wrote are kept if
    /// they belong to the same pairs and are undamaged.
    pub(crate) fn open(
        layout: &Arc<CacheLayout>,
        path: &Path,
        sets: &PerSet<Examples>,
        batches: BatchLayout,
    ) -> io::Result<Self> {
        let partial = sibling(path, "part");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut writer = CacheWriter {
            layout: Arc::clone(layout),
            file: options.open(&partial)?,
            path: path.to_owned(),
            partial,
            n_done: 0,
            hash: Sha256::new(),
            saved: Instant::now(),
        };
        writer.continue_or_begin(&order(sets, batches))?;
        Ok(writer)
    }

    /// Number of finished pairs.
    pub(crate) fn n_done(&self) -> usize {
        self.n_done
    }

    /// Writes the log-probs of the next batch of [`remaining_batches`], the first answers of all pairs first.
    pub(crate) fn put(
        &mut self,
        set: DataSet,
        indices: &[usize],
        answers: &[Vec<f32>],
    ) -> io::Result<()> {
        let rows: Vec<Vec<u8>> = answers
            .iter()
            .map(|values| values.iter().flat_map(|v| v.to_le_bytes()).collect())
            .collect();
        assert_eq!(rows.len(), 2 * indices.len(), "two answers per pair");
        for (row, bytes) in rows.iter().enumerate() {
            let (side, k) = (row / indices.len(), row % indices.len());
            let place = self.layout.range(set, side, indices[k]);
            assert_eq!(bytes.len(), place.len(), "one log-prob per token");
            self.file.seek(SeekFrom::Start(place.start as u64))?;
            self.file.write_all(bytes)?;
        }
        for k in 0..indices.len() {
            self.hash.update(&rows[k]);
            self.hash.update(&rows[indices.len() + k]);
        }
        self.n_done += indices.len();
        match self.saved.elapsed() > SYNC_INTERVAL {
            true => self.save(),
            false => Ok(()),
        }
    }

    /// Syncs the values to disk, then records the number of finished pairs.
    pub(crate) fn save(&mut self) -> io::Result<()> {
        // In this order, so that a kill in between never leaves a count without its values.
        self.file.sync_data()?;
        self.file
            .seek(SeekFrom::Start(self.layout.file_size() as u64))?;
        self.file.write_all(&(self.n_done as u64).to_le_bytes())?;
        self.file.write_all(&self.hash.clone().finalize())?;
        self.file.sync_data()?;
        self.saved = Instant::now();
        Ok(())
    }

    /// Writes the digest of all data into the header, and renames the file to its final name.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.file.set_len(self.layout.file_size() as u64)?;
        let digest = self.layout.data_digest(&map(&self.file)?);
        self.file.rewind()?;
        self.file.write_all(&self.layout.header(&digest))?;
        self.file.sync_all()?;
        rename(&self.partial, &self.path)
    }

    /// Continues a file with the same header, or begins a new file.
    fn continue_or_begin(&mut self, order: &[(DataSet, Vec<usize>)]) -> io::Result<()> {
        if let Some((n_done, hash)) = self.finished_before(order)? {
            self.n_done = n_done;
            self.hash = hash;
            return Ok(());
        }
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(self.layout.unfinished_header())
    }

    /// The number of finished pairs in the file, and the state of their digest. `None` if the file has
    /// another header, or its values differ from the written values.
    fn finished_before(
        &self,
        order: &[(DataSet, Vec<usize>)],
    ) -> io::Result<Option<(usize, Sha256)>> {
        let size = self.layout.file_size();
        if self.file.metadata()?.len() != (size + TRAILER) as u64 {
            return Ok(None);
        }
        let map = map(&self.file)?;
        let (count, digest) = map[size..].split_at(size_of::<u64>());
        let count = count.try_into().map(u64::from_le_bytes);
        let n_done = count.map_err(io::Error::other)? as usize;
        if !map.starts_with(self.layout.unfinished_header()) || n_done > self.layout.n_pairs() {
            return Ok(None);
        }
        let mut hash = Sha256::new();
        let pairs = order
            .iter()
            .flat_map(|(set, indices)| indices.iter().map(|&i| (*set, i)));
        for (set, index) in pairs.take(n_done) {
            for side in [0, 1] {
                hash.update(&map[self.layout.range(set, side, index)]);
            }
        }
        let is_undamaged = hash.clone().finalize()[..] == *digest;
        Ok(is_undamaged.then_some((n_done, hash)))
    }
}

/// The rows of each data set in the order of computation.
fn order(sets: &PerSet<Examples>, batches: BatchLayout) -> [(DataSet, Vec<usize>); 4] {
    DataSet::ALL.map(|set| (set, batches.length_sorted(sets.of(set).entries()).concat()))
}

/// The batches after the first `n_done` pairs, in the order of computation: their data set and indices.
pub(super) fn remaining_batches(
    sets: &PerSet<Examples>,
    batches: BatchLayout,
    mut n_done: usize,
) -> Vec<(DataSet, Vec<usize>)> {
    let mut remaining = Vec::new();
    for (set, indices) in order(sets, batches) {
        let rest = &indices[n_done.min(indices.len())..];
        n_done -= indices.len() - rest.len();
        let rest = batches.divide(sets.of(set).entries(), rest);
        remaining.extend(rest.into_iter().map(|batch| (set, batch.to_vec())));
    }
    remaining
}

/// The log-probs of every row, read from the file.
#[derive(Debug)]
pub(crate) struct CachedLogProbs {
    layout: Arc<CacheLayout>,
    map: Mmap,
}

impl CachedLogProbs {
    /// Opens the file. `None` if it does not exist, is not complete, is damaged, or has another layout.
    pub(crate) fn open(path: &Path, layout: &Arc<CacheLayout>) -> Option<Self> {
        let map = File::open(path).and_then(|file| map(&file)).ok()?;
        let is_undamaged = map.len() == layout.file_size()
            && map.starts_with(&layout.header(&layout.data_digest(&map)));
        is_undamaged.then(|| Self {
            layout: Arc::clone(layout),
            map,
        })
    }

    /// The log-probs of the first (0) or second (1) answer of a row, nats.
    pub(crate) fn get(&self, set: DataSet, side: usize, index: usize) -> Vec<f32> {
        let (words, _) = self.map[self.layout.range(set, side, index)].as_chunks();
        words.iter().map(|&word| f32::from_le_bytes(word)).collect()
    }
}
