//! Whose answer stands in for a prompt's own where kto estimates the KL to the reference. In: which
//! rows have the same prompt. Out: for each row, another one with another prompt.

use std::collections::HashMap;
use std::hash::Hash;

/// For each row the index of one with another prompt, whose answer it is given. Each row serves
/// once, so the answers of the estimate are those of the set, wanted ones and others in the same
/// proportion: rows of one prompt are put together, and each is given the answer of the row as many
/// places before it, around the circle, as the most frequent prompt has rows. Where all prompts
/// differ this is the row before it, as TRL rotates a batch. Where one prompt has more than half of
/// the rows, the others serve more than once, as evenly as can be.
///
/// `None` where all rows have the same prompt.
pub(crate) fn partners<P: Eq + Hash>(prompts: impl IntoIterator<Item = P>) -> Option<Vec<usize>> {
    // rows by prompt, prompts in the order in which they first appear
    let mut group_of = HashMap::new();
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (row, prompt) in prompts.into_iter().enumerate() {
        let group = *group_of.entry(prompt).or_insert(groups.len());
        if group == groups.len() {
            groups.push(Vec::new());
        }
        groups[group].push(row);
    }
    let Some((most, largest)) = groups.iter().enumerate().max_by_key(|(_, rows)| rows.len()) else {
        return Some(Vec::new());
    };
    let shift = largest.len();
    let order = groups.concat();
    let n = order.len();
    if shift == n {
        return None;
    }
    let mut partners = vec![0; n];
    for (place, &row) in order.iter().enumerate() {
        partners[row] = order[(place + n - shift) % n];
    }
    // rows of more than half: those that the rotation gives an answer to the same prompt
    let is_largest: Vec<bool> = {
        let mut is_largest = vec![false; n];
        largest.iter().for_each(|&row| is_largest[row] = true);
        is_largest
    };
    let others = groups
        .iter()
        .enumerate()
        .filter(|(group, _)| *group != most);
    let mut others = others.flat_map(|(_, rows)| rows).copied().cycle();
    for &row in largest {
        if is_largest[partners[row]] {
            partners[row] = others.next().expect("not all rows have one prompt");
        }
    }
    Some(partners)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn prompts_that_all_differ_are_rotated_by_one_as_trl_does() {
        assert_eq!(partners(["a", "b", "c"]), Some(vec![2, 0, 1]));
    }

    /// A pair is a wanted answer and an unwanted one: half of the partners are wanted.
    #[test]
    fn wanted_answers_of_pairs_serve_as_often_as_the_others() {
        let found = partners(["a", "a", "b", "b", "c", "c"]);
        assert_eq!(found, Some(vec![4, 5, 0, 1, 2, 3]));
    }

    #[test]
    fn a_prompt_of_more_than_half_gets_the_others_in_turn() {
        let found = partners(["a", "a", "a", "a", "b", "c"]);
        assert_eq!(found, Some(vec![4, 5, 4, 5, 0, 1]));
        assert_eq!(partners(["a", "a"]), None);
        assert_eq!(partners([0_u64; 0]), Some(Vec::new()));
    }

    proptest! {
        #[test]
        fn every_row_serves_once_and_never_its_own_prompt(
            prompts in prop::collection::vec(0u8..6, 1..40),
        ) {
            let most = (0..6).map(|p| prompts.iter().filter(|&&q| q == p).count()).max();
            let (most, n) = (most.unwrap_or(0), prompts.len());
            let found = partners(prompts.iter());
            prop_assert_eq!(found.is_none(), most == n);
            let Some(found) = found else { return Ok(()) };
            prop_assert_eq!(found.len(), n);
            let mut serves = vec![0; n];
            for (row, &partner) in found.iter().enumerate() {
                prop_assert_ne!(prompts[row], prompts[partner]);
                serves[partner] += 1;
            }
            if 2 * most <= n {
                prop_assert!(serves.iter().all(|&times| times == 1));
            } else {
                // the rows of the other prompts serve those of the frequent one, evenly
                let others = n - most;
                let bound = most.div_ceil(others);
                prop_assert!(serves.iter().all(|&times| times <= bound), "{serves:?}");
            }
        }
    }
}
