//! Packing of texts into bins. In: the length of each text. Out: bins of texts whose lengths together do not
//! exceed a capacity.

use std::collections::{BTreeMap, BTreeSet};

/// Divides texts into bins by best-fit decreasing, as TRL's packing strategy `bfd` does: the texts are taken
/// from the longest to the shortest, and each goes into the fullest bin with enough room, or into a new
/// one. The result has the indices of the texts of each bin, and depends on the lengths alone. A text that
/// is longer than `capacity` has a bin of its own.
pub(super) fn packed(lengths: impl Iterator<Item = usize>, capacity: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<(usize, usize)> = lengths.enumerate().collect();
    order.sort_by_key(|&(_, length)| std::cmp::Reverse(length));
    let mut bins: Vec<Vec<usize>> = Vec::new();
    // the bins with each amount of room
    let mut by_room: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for (text, length) in order {
        let fullest = by_room.range(length..).next();
        let fullest = fullest.and_then(|(&room, bins)| Some((room, *bins.first()?)));
        let (room, bin) = match fullest {
            Some((room, bin)) => {
                if let Some(with_room) = by_room.get_mut(&room) {
                    with_room.remove(&bin);
                    if with_room.is_empty() {
                        by_room.remove(&room);
                    }
                }
                (room, bin)
            }
            None => {
                bins.push(Vec::new());
                (capacity, bins.len() - 1)
            }
        };
        bins[bin].push(text);
        let room = room.saturating_sub(length);
        by_room.entry(room).or_default().insert(bin);
    }
    bins
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_goes_into_the_fullest_bin_with_room() {
        let bins = packed([3, 7, 2, 5, 3, 10].into_iter(), 10);
        assert_eq!(bins, [vec![5], vec![1, 0], vec![3, 4, 2]]);
        assert_eq!(packed([12, 1].into_iter(), 10), [vec![0], vec![1]]);
        assert!(packed(std::iter::empty(), 10).is_empty());
    }

    proptest! {
        #[test]
        fn every_text_is_in_one_bin_and_two_bins_do_not_fit_into_one(
            lengths in prop::collection::vec(1_usize..=20, 0..60),
        ) {
            let bins = packed(lengths.iter().copied(), 20);
            let mut all = bins.concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..lengths.len()).collect::<Vec<_>>());
            let mut sums: Vec<usize> = Vec::new();
            for bin in &bins {
                sums.push(bin.iter().map(|&text| lengths[text]).sum());
            }
            prop_assert!(sums.iter().all(|&sum| sum <= 20));
            sums.sort_unstable();
            if let [first, second, ..] = sums[..] {
                prop_assert!(first + second > 20);
            }
        }
    }
}
