//! Divides and compares arbitrary answers. In: bytes, as a text and as two lists of ids. Out: segments and
//! parts must cover the text without gaps, and the unvaried tokens of both answers must be equal.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pref_data::{DiffAlgorithm, Lines, PartRules, Segmenter, Sentences, TokenDiff};

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        let rules = PartRules::new("reasoning", &PartRules::default_markers()).expect("our own patterns are valid");
        let parts = rules
            .parts(text)
            .into_iter()
            .map(|part| part.range)
            .collect();
        for ranges in [Sentences.segment(text), Lines.segment(text), parts] {
            let joined: String = ranges.iter().map(|range| &text[range.clone()]).collect();
            assert_eq!(joined, text);
            assert!(ranges.iter().all(|range| !range.is_empty()));
        }
    }
    let (chosen, rejected) = data.split_at(data.len() / 2);
    let [chosen, rejected] =
        [chosen, rejected].map(|ids| -> Vec<u32> { ids.iter().map(|&id| u32::from(id)).collect() });
    for algorithm in [DiffAlgorithm::Levenshtein, DiffAlgorithm::Difflib] {
        let diff = TokenDiff::new(&chosen, &rejected, algorithm);
        let kept = |ids: &[u32], varied: &[bool]| -> Vec<u32> {
            let kept = ids.iter().zip(varied).filter(|(_, varied)| !**varied);
            kept.map(|(id, _)| *id).collect()
        };
        assert_eq!(kept(&chosen, &diff.chosen), kept(&rejected, &diff.rejected));
    }
});
