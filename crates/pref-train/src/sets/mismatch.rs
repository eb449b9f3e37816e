//! Mismatched answers, from which kto estimates the KL to the reference. In: the prompt of each row.
//! Out: for each row, the index of a row with another prompt. The answer of that row is combined with the
//! prompt of this row.

use std::collections::HashMap;
use std::hash::Hash;

/// For each row, the index of a row with another prompt.
///
/// Each row is chosen once, so the chosen answers have the same proportion of desirable and undesirable
/// answers as the set. To achieve this, rows of one prompt are placed next to each other in a circle,
/// and each row takes the row that is as many places before it as the most frequent prompt has rows. If
/// all prompts differ, this is the previous row, as TRL rotates a batch. If one prompt has more than
/// half of the rows, the other rows are chosen more than once, as evenly as possible.
///
/// `None` if all rows have the same prompt.
pub(crate) fn mismatched_rows<P: Eq + Hash>(
    prompts: impl IntoIterator<Item = P>,
) -> Option<Vec<usize>> {
    // The rows of each prompt. The prompts are in the order of their first row.
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
    let mut chosen = vec![0; n];
    for (place, &row) in order.iter().enumerate() {
        chosen[row] = order[(place + n - shift) % n];
    }
    // If one prompt has more than half of the rows, the rotation gives some rows their own prompt.
    let is_largest: Vec<bool> = {
        let mut is_largest = vec![false; n];
        largest.iter().for_each(|&row| is_largest[row] = true);
        is_largest
    };
    let others = groups
        .iter()
        .enumerate()
        .filter(|(group, _)| *group != most);
    let mut other_rows = others.flat_map(|(_, rows)| rows).copied().cycle();
    for &row in largest {
        if is_largest[chosen[row]] {
            chosen[row] = other_rows.next().expect("not all rows have one prompt");
        }
    }
    Some(chosen)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn prompts_that_all_differ_are_rotated_by_one_as_trl_does() {
        assert_eq!(mismatched_rows(["a", "b", "c"]), Some(vec![2, 0, 1]));
    }

    /// A pair is a desirable and an undesirable answer, so half of the chosen answers are desirable.
    #[test]
    fn desirable_answers_of_pairs_are_chosen_as_often_as_undesirable_ones() {
        let found = mismatched_rows(["a", "a", "b", "b", "c", "c"]);
        assert_eq!(found, Some(vec![4, 5, 0, 1, 2, 3]));
    }

    #[test]
    fn a_prompt_with_more_than_half_of_the_rows_gets_the_others_in_turn() {
        let found = mismatched_rows(["a", "a", "a", "a", "b", "c"]);
        assert_eq!(found, Some(vec![4, 5, 4, 5, 0, 1]));
        assert_eq!(mismatched_rows(["a", "a"]), None);
        assert_eq!(mismatched_rows([0_u64; 0]), Some(Vec::new()));
    }

    proptest! {
        #[test]
        fn every_row_is_chosen_once_and_never_for_its_own_prompt(
            prompts in prop::collection::vec(0u8..6, 1..40),
        ) {
            let most = (0..6).map(|p| prompts.iter().filter(|&&q| q == p).count()).max();
            let (most, n) = (most.unwrap_or(0), prompts.len());
            let found = mismatched_rows(prompts.iter());
            prop_assert_eq!(found.is_none(), most == n);
            let Some(found) = found else { return Ok(()) };
            prop_assert_eq!(found.len(), n);
            let mut times_chosen = vec![0; n];
            for (row, &other) in found.iter().enumerate() {
                prop_assert_ne!(prompts[row], prompts[other]);
                times_chosen[other] += 1;
            }
            if 2 * most <= n {
                prop_assert!(times_chosen.iter().all(|&times| times == 1));
            } else {
                // the rows of the other prompts are chosen evenly
                let others = n - most;
                let bound = most.div_ceil(others);
                prop_assert!(times_chosen.iter().all(|&times| times <= bound), "{times_chosen:?}");
            }
        }
    }
}
