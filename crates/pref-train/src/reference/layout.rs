//! The layout of the file of reference log-probs. In: the lengths of all answers, and a key. Out: the
//! header of a safetensors file, and the bytes of each answer in it.

use std::ops::Range;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::digest::hex;
use crate::sets::{DataSet, Examples, PerSet};

/// Name of the data's digest in the header.
const DIGEST: &str = "sha256";

/// The positions of the log-probs in the file.
#[derive(Debug)]
pub(crate) struct CacheLayout {
    /// For each data set and side, the first byte of each answer, and the end of the last answer.
    starts: PerSet<[Vec<usize>; 2]>,
    /// The first bytes of the file, with lengths and key, and with zeros instead of the digest.
    header_without_digest: Vec<u8>,
    /// The bytes of the header that hold the digest of the data.
    digest: Range<usize>,
}

impl CacheLayout {
    /// The layout of a file for these data sets. `key` is the hash of everything that the log-probs
    /// depend on.
    pub(crate) fn new(key: &str, sets: &PerSet<Examples>) -> Self {
        let mut end = 0;
        let mut tensors = Map::new();
        let no_digest = "0".repeat(64);
        let metadata = json!({DIGEST: no_digest, "key": key});
        tensors.insert("__metadata__".to_owned(), metadata);
        let mut starts = DataSet::ALL.map(|set| {
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
        // safetensors needs the data to begin at a multiple of 8 bytes
        text.extend(std::iter::repeat_n(
            ' ',
            text.len().next_multiple_of(8) - text.len(),
        ));
        let mut header = (text.len() as u64).to_le_bytes().to_vec();
        let digest = text.find(&no_digest).expect("the text contains the digest") + header.len();
        header.extend(text.into_bytes());
        for start in starts.iter_mut().flatten().flatten() {
            *start += header.len();
        }
        Self {
            starts: PerSet(starts),
            header_without_digest: header,
            digest: digest..digest + no_digest.len(),
        }
    }

    /// The digest of everything after the header, in hexadecimal.
    pub(super) fn data_digest(&self, file: &[u8]) -> String {
        let data =
            self.header_without_digest.len().min(file.len())..self.file_size().min(file.len());
        hex(Sha256::new_with_prefix(&file[data]))
    }

    /// The bytes of the log-probs of one answer: the first (0) or the second (1) of a row.
    pub(super) fn range(&self, set: DataSet, side: usize, index: usize) -> Range<usize> {
        let starts = &self.starts.of(set)[side];
        starts[index]..starts[index + 1]
    }

    /// Number of rows of all data sets.
    pub(super) fn n_pairs(&self) -> usize {
        let pairs = |[chosen, _]: &[Vec<usize>; 2]| chosen.len() - 1;
        self.starts.0.iter().map(pairs).sum()
    }

    /// Number of bytes of the complete file.
    pub(super) fn file_size(&self) -> usize {
        let [.., last] = &self.starts.0;
        *last[1]
            .last()
            .expect("every list ends with the end of the last answer")
    }

    /// The header of a file whose data has this digest.
    pub(super) fn header(&self, digest: &str) -> Vec<u8> {
        let mut header = self.header_without_digest.clone();
        header[self.digest.clone()].copy_from_slice(digest.as_bytes());
        header
    }

    /// The header of a file that is not complete.
    pub(super) fn unfinished_header(&self) -> &[u8] {
        &self.header_without_digest
    }
}
