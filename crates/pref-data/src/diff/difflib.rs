//! The matching blocks of Python's `difflib.SequenceMatcher(None, a, b)` with `autojunk`. In: two
//! lists of ids. Out: the pairs of positions that match.
//!
//! The algorithm takes the longest common run (the earliest one if several have the same length),
//! and then does the same to the left and to the right of this run.

use std::collections::HashMap;
use std::ops::Range;

/// If `b` has at least this length, no match begins at a frequent ("popular") token.
const AUTOJUNK_LENGTH: usize = 200;

/// Calls `keep(i, j)` for each pair of tokens of a matching block.
pub(super) fn matches(a: &[u32], b: &[u32], keep: &mut impl FnMut(usize, usize)) {
    let mut places: HashMap<u32, Vec<usize>> = HashMap::new();
    for (j, &token) in b.iter().enumerate() {
        places.entry(token).or_default().push(j);
    }
    if b.len() >= AUTOJUNK_LENGTH {
        // a popular token makes up more than about a hundredth of `b`; no match begins at such a
        // token
        let popular = b.len() / 100 + 1;
        places.retain(|_, places| places.len() <= popular);
    }
    let mut matcher = Matcher {
        a,
        b,
        places,
        lengths: vec![0; b.len() + 1],
        next_lengths: vec![0; b.len() + 1],
    };
    let mut pending = vec![(0..a.len(), 0..b.len())];
    while let Some((in_a, in_b)) = pending.pop() {
        let (i, j, n) = matcher.longest(in_a.clone(), in_b.clone());
        if n == 0 {
            continue;
        }
        for k in 0..n {
            keep(i + k, j + k);
        }
        pending.push((in_a.start..i, in_b.start..j));
        pending.push((i + n..in_a.end, j + n..in_b.end));
    }
}

struct Matcher<'a> {
    a: &'a [u32],
    b: &'a [u32],
    /// The positions of each token in `b`, ascending. Popular tokens are left out.
    places: HashMap<u32, Vec<usize>>,
    /// At index `j`: the length of the common run that ends before column `j`, in the previous row.
    lengths: Vec<usize>,
    /// The same in the current row.
    next_lengths: Vec<usize>,
}

impl Matcher<'_> {
    /// The longest common run of two ranges: its start in `a`, its start in `b`, its length.
    fn longest(&mut self, in_a: Range<usize>, in_b: Range<usize>) -> (usize, usize, usize) {
        let (mut best_i, mut best_j, mut best) = (in_a.start, in_b.start, 0);
        let mut touched: Vec<usize> = Vec::new();
        for i in in_a.clone() {
            let mut touched_now = Vec::new();
            let places = self.places.get(&self.a[i]).map_or(&[][..], Vec::as_slice);
            let from = places.partition_point(|&j| j < in_b.start);
            for &j in places[from..].iter().take_while(|&&j| j < in_b.end) {
                let n = self.lengths[j] + 1;
                self.next_lengths[j + 1] = n;
                touched_now.push(j + 1);
                if n > best {
                    (best_i, best_j, best) = (i + 1 - n, j + 1 - n, n);
                }
            }
            for &j in &touched {
                self.lengths[j] = 0;
            }
            std::mem::swap(&mut self.lengths, &mut self.next_lengths);
            touched = touched_now;
        }
        for &j in &touched {
            self.lengths[j] = 0;
        }
        // no match begins at a popular token, but popular tokens next to a match are part of it
        while best_i > in_a.start && best_j > in_b.start && self.a[best_i - 1] == self.b[best_j - 1]
        {
            (best_i, best_j, best) = (best_i - 1, best_j - 1, best + 1);
        }
        while best_i + best < in_a.end
            && best_j + best < in_b.end
            && self.a[best_i + best] == self.b[best_j + best]
        {
            best += 1;
        }
        (best_i, best_j, best)
    }
}
