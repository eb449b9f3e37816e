//! The order in which pairs are seen. In: how many, and a seed. Out: indices, the same for a seed
//! on every machine; the position can be saved and restored.

use std::collections::HashMap;
use std::hash::Hash;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// In which order an epoch goes through the pairs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// As they stand in the file.
    Sequential,
    /// Shuffled, anew for each epoch.
    Shuffled,
}

/// Goes through pairs epoch by epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sampler {
    n_pairs: usize,
    order: Order,
    seed: u64,
    epoch: usize,
    position: usize,
    /// The order of this epoch; made when first needed.
    #[serde(skip)]
    shuffled: Vec<usize>,
}

impl Sampler {
    /// A sampler at the start of its first epoch.
    pub fn new(n_pairs: usize, order: Order, seed: u64) -> Self {
        Self {
            n_pairs,
            order,
            seed,
            epoch: 0,
            position: 0,
            shuffled: Vec::new(),
        }
    }

    /// Rows that it goes through.
    pub fn n_pairs(&self) -> usize {
        self.n_pairs
    }

    /// The next indices: `n` of them, or fewer where the epoch ends. The call after those begins
    /// the next epoch.
    ///
    /// ```
    /// use pref_data::{Order, Sampler};
    /// let mut sampler = Sampler::new(5, Order::Sequential, 0);
    /// assert_eq!(sampler.next_batch(3), [0, 1, 2]);
    /// assert_eq!(sampler.next_batch(3), [3, 4]);
    /// assert_eq!(sampler.next_batch(3), [0, 1, 2]);
    /// assert_eq!(sampler.epoch(), 1);
    /// ```
    pub fn next_batch(&mut self, n: usize) -> Vec<usize> {
        if self.position >= self.n_pairs {
            self.epoch += 1;
            self.position = 0;
            self.shuffled.clear();
        }
        let end = (self.position + n).min(self.n_pairs);
        let range = self.position..end;
        self.position = end;
        match self.order {
            Order::Sequential => range.collect(),
            Order::Shuffled => {
                if self.shuffled.len() != self.n_pairs {
                    self.shuffled = (0..self.n_pairs).collect();
                    let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
                    rng.set_stream(self.epoch as u64);
                    self.shuffled.shuffle(&mut rng);
                }
                self.shuffled[range].to_vec()
            }
        }
    }

    /// The epoch of the last indices given, from 0.
    pub fn epoch(&self) -> usize {
        self.epoch
    }

    /// How many indices of this epoch were given.
    pub fn position(&self) -> usize {
        self.position
    }
}

/// Holds out a fraction of the rows for evaluation, the same for a seed: which rows are held out.
/// Rows of one prompt stay together, so that no prompt is both trained on and evaluated; `prompts` has
/// each row's. As many rows are held out as the fraction says, or fewer where the prompts have several
/// rows; at least those of one prompt, if there are two prompts.
///
/// ```
/// use pref_data::hold_out;
/// let held = hold_out(&["a", "a", "b", "b", "c", "c"], 0.3, 0);
/// assert_eq!(held.iter().filter(|held| **held).count(), 2);
/// assert_eq!(held[0], held[1]);
/// ```
pub fn hold_out<K: Eq + Hash>(prompts: &[K], fraction: f64, seed: u64) -> Vec<bool> {
    let mut groups: HashMap<&K, usize> = HashMap::new();
    let group_of = prompts.iter().map(|prompt| {
        let next = groups.len();
        *groups.entry(prompt).or_insert(next)
    });
    let group_of: Vec<usize> = group_of.collect();
    let n_groups = groups.len();
    if fraction <= 0.0 || n_groups < 2 {
        return vec![false; prompts.len()];
    }
    let mut sizes = vec![0; n_groups];
    for &group in &group_of {
        sizes[group] += 1;
    }
    let n = prompts.len();
    let wanted = ((n as f64 * fraction).round() as usize).clamp(1, n - 1);
    let mut order: Vec<usize> = (0..n_groups).collect();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    // a stream that no epoch has
    rng.set_stream(u64::MAX);
    order.shuffle(&mut rng);
    let mut is_held = vec![false; n_groups];
    let mut n_held = 0;
    for &group in &order {
        if n_held + sizes[group] <= wanted {
            is_held[group] = true;
            n_held += sizes[group];
        }
    }
    if n_held == 0
        && let Some(&smallest) = order.iter().min_by_key(|&&group| sizes[group])
    {
        is_held[smallest] = true;
    }
    group_of.into_iter().map(|group| is_held[group]).collect()
}
