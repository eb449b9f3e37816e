//! The order in which pairs are seen. In: how many, and a seed. Out: indices, the same for a seed
//! on every machine; the position can be saved and restored.

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

/// Holds out a fraction of the pairs for evaluation, the same for a seed: training pairs and
/// evaluation pairs, both in their old order. A fraction above 0 holds out at least one pair of
/// two or more.
pub fn hold_out<T>(pairs: Vec<T>, fraction: f64, seed: u64) -> (Vec<T>, Vec<T>) {
    let n = pairs.len();
    if fraction <= 0.0 || n < 2 {
        return (pairs, Vec::new());
    }
    let n_held = ((n as f64 * fraction).round() as usize).clamp(1, n - 1);
    let mut order: Vec<usize> = (0..n).collect();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    // a stream that no epoch has
    rng.set_stream(u64::MAX);
    order.shuffle(&mut rng);
    let mut is_held = vec![false; n];
    for &index in &order[..n_held] {
        is_held[index] = true;
    }
    let (held, kept): (Vec<_>, Vec<_>) = pairs
        .into_iter()
        .zip(is_held)
        .partition(|(_, is_held)| *is_held);
    let strip = |pairs: Vec<(T, bool)>| pairs.into_iter().map(|(pair, _)| pair).collect();
    (strip(kept), strip(held))
}
