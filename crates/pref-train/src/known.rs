//! Log-probs under the reference that were computed before. In: the pairs' lengths and a key. Out: a
//! safetensors file in the run's folder, written in any order and read back by pair, never whole
//! in memory. What is written of it outlasts a run that is stopped.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use memmap2::Mmap;
use serde_json::{Map, Value, json};

use crate::durable::{rename, sibling};
use crate::examples::Examples;
use crate::reference::{Set, Sets};
use crate::rows::map;

/// Where each answer's log-probs are in the file.
#[derive(Debug)]
pub(crate) struct Places {
    /// For each set and side: first byte of each answer, and the end of the last one.
    starts: Sets<[Vec<usize>; 2]>,
    /// The file's first bytes: lengths and key are in them.
    header: Vec<u8>,
}

impl Places {
    /// The places of all pairs, in a file that holds for this key.
    pub(crate) fn new(key: &str, sets: &Sets<Examples>) -> Self {
        let mut end = 0;
        let mut tensors = Map::new();
        tensors.insert("__metadata__".to_owned(), json!({"key": key}));
        let mut starts = Set::ALL.map(|set| {
            [(1, "chosen"), (2, "rejected")].map(|(which, side)| {
                let start = end;
                let lengths = sets.of(set).entries().iter();
                let mut starts = vec![start];
                starts.extend(lengths.map(|entry| {
                    end += size_of::<f32>() * entry.lengths()[which];
                    end
                }));
                let tensor = json!({
                    "dtype": "F32",
                    "shape": [(end - start) / size_of::<f32>()],
                    "data_offsets": [start, end],
                });
                tensors.insert(format!("{}.{side}", set.name()), tensor);
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
        header.extend(text.into_bytes());
        for start in starts.iter_mut().flatten().flatten() {
            *start += header.len();
        }
        Self {
            starts: Sets(starts),
            header,
        }
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

    /// The file to be, with what was written of it before: by a run that did not come to its end,
    /// under a temporary name, where these are its places as well.
    pub(crate) fn filling(self: &Arc<Self>, path: &Path) -> io::Result<Filling> {
        let partial = sibling(path, "part");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut filling = Filling {
            places: Arc::clone(self),
            file: options.open(&partial)?,
            path: path.to_owned(),
            partial,
            n_seen: 0,
            n_done: 0,
            saved: Instant::now(),
        };
        filling.n_done = filling.written_before()?;
        Ok(filling)
    }
}

/// How often what was computed is made to last.
const SAVED_EVERY: Duration = Duration::from_secs(20);

/// A file that is being filled. Behind its places it counts the pairs that are done, in the order in
/// which they are computed.
#[derive(Debug)]
pub(crate) struct Filling {
    places: Arc<Places>,
    file: File,
    path: PathBuf,
    partial: PathBuf,
    n_seen: usize,
    n_done: usize,
    saved: Instant,
}

impl Filling {
    /// Pairs that are done.
    pub(crate) fn n_done(&self) -> usize {
        self.n_done
    }

    /// Whether the next `n` pairs were done before.
    pub(crate) fn passes(&mut self, n: usize) -> bool {
        self.n_seen += n;
        self.n_seen <= self.n_done
    }

    /// Writes the log-probs of one answer.
    pub(crate) fn put(
        &mut self,
        set: Set,
        side: usize,
        index: usize,
        values: &[f32],
    ) -> io::Result<()> {
        let place = self.places.range(set, side, index);
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        assert_eq!(bytes.len(), place.len(), "one log-prob a token");
        self.file.seek(SeekFrom::Start(place.start as u64))?;
        self.file.write_all(&bytes)
    }

    /// All pairs that were asked for are written.
    pub(crate) fn advance(&mut self) -> io::Result<()> {
        self.n_done = self.n_seen;
        match self.saved.elapsed() > SAVED_EVERY {
            true => self.save(),
            false => Ok(()),
        }
    }

    /// Makes what was written last.
    pub(crate) fn save(&mut self) -> io::Result<()> {
        // the count never runs ahead of what it counts
        self.file.sync_data()?;
        self.file
            .seek(SeekFrom::Start(self.places.file_size() as u64))?;
        self.file.write_all(&(self.n_done as u64).to_le_bytes())?;
        self.file.sync_data()?;
        self.saved = Instant::now();
        Ok(())
    }

    /// Gives the file its name, all pairs being done.
    pub(crate) fn finish(self) -> io::Result<()> {
        self.file.set_len(self.places.file_size() as u64)?;
        self.file.sync_all()?;
        rename(&self.partial, &self.path)
    }

    /// Pairs done in a file of the same places; none, and a new file, where it is another.
    fn written_before(&mut self) -> io::Result<usize> {
        let size = self.places.file_size() as u64;
        let mut header = vec![0; self.places.header.len()];
        let mut count = [0; size_of::<u64>()];
        let is_ours = self.file.metadata()?.len() == size + count.len() as u64
            && self.file.read_exact(&mut header).is_ok()
            && header == self.places.header;
        if is_ours {
            self.file.seek(SeekFrom::Start(size))?;
            self.file.read_exact(&mut count)?;
            let n_done = u64::from_le_bytes(count) as usize;
            if n_done <= self.places.n_pairs() {
                return Ok(n_done);
            }
        }
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(&self.places.header)?;
        Ok(0)
    }
}

/// Log-probs of every pair.
#[derive(Debug)]
pub(crate) struct KnownLogProbs {
    places: Arc<Places>,
    map: Mmap,
}

impl KnownLogProbs {
    /// The file, if it is there, whole, and of these places.
    pub(crate) fn open(path: &Path, places: &Arc<Places>) -> Option<Self> {
        let map = File::open(path).and_then(|file| map(&file)).ok()?;
        let is_whole = map.len() == places.file_size() && map.starts_with(&places.header);
        is_whole.then(|| Self {
            places: Arc::clone(places),
            map,
        })
    }

    /// Log-probs of the chosen (0) or rejected (1) answer of a pair.
    pub(crate) fn get(&self, set: Set, side: usize, index: usize) -> Vec<f32> {
        let (words, _) = self.map[self.places.range(set, side, index)].as_chunks();
        words.iter().map(|&word| f32::from_le_bytes(word)).collect()
    }
}
