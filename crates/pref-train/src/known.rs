//! Log-probs under the reference that were computed before. In: the pairs' lengths and a key. Out: a
//! safetensors file in the run's folder, written in any order and read back by pair, never whole
//! in memory.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use memmap2::Mmap;
use serde_json::{Map, Value, json};

use crate::durable::fill_file;
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

    fn file_size(&self) -> usize {
        let [.., last] = &self.starts.0;
        *last[1].last().expect("the end of the last one is there")
    }

    /// Writes the file, whole or not at all.
    pub(crate) fn fill(
        &self,
        path: &Path,
        fill: impl FnOnce(&mut Filling<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        fill_file(path, |file| {
            // a full disk is noticed before the work, not after it
            file.set_len(self.file_size() as u64)?;
            file.write_all(&self.header)?;
            fill(&mut Filling { places: self, file })
        })
    }
}

/// A file to be filled.
pub(crate) struct Filling<'a> {
    places: &'a Places,
    file: &'a mut File,
}

impl Filling<'_> {
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
