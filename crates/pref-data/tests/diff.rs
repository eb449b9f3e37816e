//! Token diffs: properties of every alignment, and values from Python's difflib.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use pref_data::{DiffAlgorithm, TokenDiff};
use proptest::prelude::*;

const BOTH: [DiffAlgorithm; 2] = [DiffAlgorithm::Levenshtein, DiffAlgorithm::Difflib];

fn kept(ids: &[u32], varied: &[bool]) -> Vec<u32> {
    assert_eq!(ids.len(), varied.len());
    let both = ids.iter().zip(varied);
    both.filter(|(_, varied)| !**varied)
        .map(|(id, _)| *id)
        .collect()
}

fn answer(tokens: u32) -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(0..tokens, 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn unvaried_tokens_of_both_sides_are_the_same_sequence(
        (a, b) in prop_oneof![(answer(3), answer(3)), (answer(40), answer(40))],
    ) {
        for algorithm in BOTH {
            let diff = TokenDiff::new(&a, &b, algorithm);
            prop_assert_eq!(diff.chosen.len(), a.len());
            prop_assert_eq!(diff.rejected.len(), b.len());
            prop_assert_eq!(kept(&a, &diff.chosen), kept(&b, &diff.rejected));
            let fewest = strsim::generic_levenshtein(&a, &b);
            match algorithm {
                DiffAlgorithm::Levenshtein => prop_assert_eq!(diff.distance(), fewest),
                DiffAlgorithm::Difflib => prop_assert!(diff.distance() >= fewest),
            }
        }
    }
}

#[test]
fn equal_answers_do_not_vary_and_unrelated_answers_vary_everywhere() {
    for algorithm in BOTH {
        let same = TokenDiff::new(&[1, 2, 3], &[1, 2, 3], algorithm);
        assert_eq!(
            (same.chosen, same.rejected),
            (vec![false; 3], vec![false; 3])
        );
        let other = TokenDiff::new(&[1, 2, 3], &[4, 5], algorithm);
        assert_eq!(
            (other.chosen, other.rejected),
            (vec![true; 3], vec![true; 2])
        );
        let none = TokenDiff::new(&[], &[4, 5], algorithm);
        assert_eq!((none.chosen, none.rejected), (vec![], vec![true; 2]));
    }
}

/// Long answers are aligned in halves, and the alignment is still optimal.
#[test]
fn long_answers_are_aligned_exactly() {
    let a: Vec<u32> = (0..9000u32)
        .map(|i| i.wrapping_mul(2_654_435_761) >> 20)
        .collect();
    // every 7th token is deleted, every 11th replaced by one that `a` does not have
    let changed = |(i, &id): (usize, &u32)| match (i % 7, i % 11) {
        (0, _) => None,
        (_, 0) => Some(1_000_000),
        _ => Some(id),
    };
    let b: Vec<u32> = a.iter().enumerate().filter_map(changed).collect();
    let diff = TokenDiff::new(&a, &b, DiffAlgorithm::Levenshtein);
    assert_eq!(kept(&a, &diff.chosen), kept(&b, &diff.rejected));
    assert_eq!(diff.distance(), strsim::generic_levenshtein(&a, &b));
}

/// Made with CPython 3.11's `difflib.SequenceMatcher(None, a, b).get_matching_blocks()`.
#[test]
fn difflib_agrees_with_python() {
    #[derive(serde::Deserialize)]
    struct Case {
        a: Vec<u32>,
        b: Vec<u32>,
        blocks: Vec<[usize; 3]>,
    }
    let cases: Vec<Case> = serde_json::from_str(include_str!("difflib.json")).unwrap();
    assert_eq!(cases.len(), 48);
    for case in cases {
        let mut expected = TokenDiff {
            chosen: vec![true; case.a.len()],
            rejected: vec![true; case.b.len()],
        };
        for [i, j, n] in case.blocks {
            expected.chosen[i..i + n].fill(false);
            expected.rejected[j..j + n].fill(false);
        }
        let found = TokenDiff::new(&case.a, &case.b, DiffAlgorithm::Difflib);
        assert_eq!(found, expected, "{:?} {:?}", case.a, case.b);
    }
}
