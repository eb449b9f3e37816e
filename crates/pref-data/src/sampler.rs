//! The order in which training uses the pairs. In: the number of pairs and a seed. Out: indices. A
//! seed gives the same order on every machine, and the position can be saved and restored.

use std::collections::HashMap;
use std::hash::Hash;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// The order of the pairs within an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// The order of the file.
    Sequential,
    /// A random order, a different one in each epoch.
    Shuffled,
}

/// Returns the indices of the pairs, epoch after epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sampler {
    n_pairs: usize,
    order: Order,
    seed: u64,
    epoch: usize,
    position: usize,
    /// The order of the current epoch. Empty until it is first needed.
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

    /// The number of pairs of an epoch.
    pub fn n_pairs(&self) -> usize {
        self.n_pairs
    }

    /// The next `n` indices, or fewer at the end of an epoch. The call after that begins the next epoch.
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

    /// The epoch of the indices that were returned last, from 0.
    pub fn epoch(&self) -> usize {
        self.epoch
    }

    /// Number of indices of this epoch that were returned.
    pub fn position(&self) -> usize {
        self.position
    }
}

/// Chooses rows for evaluation: for each row, whether it is held out.
///
/// `prompts` holds the prompt of each row, `[rows]`. Rows with the same prompt are held out
/// together, so that no prompt is both trained on and evaluated. The number of rows that are held
/// out is `fraction` times the number of rows, rounded. If prompts have several rows, it may be
/// smaller. If every prompt has more rows than this number, the rows of the prompt with the fewest
/// rows are held out. With fewer than two prompts, or with a `fraction` of 0 or less, nothing is
/// held out. A seed gives the same choice on every machine.
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
    // no epoch uses this stream
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
