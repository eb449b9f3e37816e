//! Samplers, held-out rows and batches: each pair comes once, a seed gives the same order, and the
//! position can be restored.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

mod common;

use common::{plain, tokenizer};
use pref_data::{
    BatchLayout, DiffOptions, Order, PaddedLength, Pair, Sampler, TokenPair, TokenizeOptions,
    hold_out, token_diffs, tokenize,
};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn an_epoch_holds_every_pair_once(n in 1usize..50, batch in 1usize..9, seed in any::<u64>()) {
        let mut sampler = Sampler::new(n, Order::Shuffled, seed);
        let mut epochs = Vec::new();
        for epoch in 0..3 {
            let mut seen = Vec::new();
            while seen.len() < n {
                seen.extend(sampler.next_batch(batch));
                prop_assert_eq!(sampler.epoch(), epoch);
            }
            let mut sorted = seen.clone();
            sorted.sort_unstable();
            prop_assert_eq!(sorted, (0..n).collect::<Vec<_>>());
            epochs.push(seen);
        }
        if n > 12 {
            prop_assert_ne!(&epochs[0], &epochs[1]);
        }
    }

    #[test]
    fn a_restored_sampler_continues_like_the_original(
        n in 1usize..30, taken in 0usize..40, batch in 1usize..7, seed in any::<u64>(),
    ) {
        let mut sampler = Sampler::new(n, Order::Shuffled, seed);
        for _ in 0..taken {
            sampler.next_batch(batch);
        }
        let text = serde_json::to_string(&sampler).unwrap();
        let mut restored: Sampler = serde_json::from_str(&text).unwrap();
        for _ in 0..20 {
            prop_assert_eq!(restored.next_batch(batch), sampler.next_batch(batch));
        }
    }

    #[test]
    fn a_split_keeps_prompts_whole_and_depends_only_on_the_seed(
        prompts in prop::collection::vec(0usize..30, 0..60), fraction in 0.01f64..1.0, seed in any::<u64>(),
    ) {
        let held = hold_out(&prompts, fraction, seed);
        prop_assert_eq!(held.len(), prompts.len());
        prop_assert_eq!(&hold_out(&prompts, fraction, seed), &held);
        let side = |is_held: bool| -> std::collections::BTreeSet<usize> {
            let rows = prompts.iter().zip(&held).filter(|(_, held)| **held == is_held);
            rows.map(|(prompt, _)| *prompt).collect()
        };
        let (eval, train) = (side(true), side(false));
        prop_assert!(eval.is_disjoint(&train));
        if eval.len() + train.len() > 1 {
            prop_assert!(!eval.is_empty() && !train.is_empty());
        }
        // with one row per prompt, exactly the fraction is held out
        let single: Vec<usize> = (0..prompts.len()).collect();
        if single.len() > 1 {
            let held = hold_out(&single, fraction, seed);
            let n = (single.len() as f64 * fraction).round() as usize;
            prop_assert_eq!(held.iter().filter(|h| **h).count(), n.clamp(1, single.len() - 1));
        }
    }

    #[test]
    fn batches_by_length_hold_every_pair_once(
        lengths in prop::collection::vec((1usize..9, 1usize..9, 1usize..9), 1..30),
        size in 1usize..6,
        tokens in prop_oneof![Just(0), 10usize..80],
        multiple in 0usize..5,
    ) {
        let pairs: Vec<TokenPair> = lengths
            .iter()
            .enumerate()
            .map(|(line, &(p, w, l))| TokenPair {
                prompt: vec![1; p], chosen: vec![3; w], rejected: vec![4; l], place: line.into(),
                ..TokenPair::default()
            })
            .collect();
        let layout = BatchLayout { pairs: size, tokens, pad_to_multiple_of: multiple, ..BatchLayout::default() };
        let batches = layout.length_sorted(&pairs);
        let order: Vec<usize> = batches.concat();
        prop_assert!(order.is_sorted_by_key(|&i| std::cmp::Reverse(pairs[i].n_tokens_of_longest())));
        let mut sorted = order.clone();
        sorted.sort_unstable();
        prop_assert_eq!(sorted, (0..pairs.len()).collect::<Vec<_>>());

        for indices in batches {
            let chosen: Vec<&TokenPair> = indices.iter().map(|&i| &pairs[i]).collect();
            let ids: Vec<_> = chosen.iter().map(|pair| pair.ids()).collect();
            let batch = layout.of_both_answers(&ids);
            prop_assert_eq!(batch.answers.len(), batch.rows);
            prop_assert_eq!(batch.tokens.len(), batch.rows * batch.width);
            prop_assert_eq!(batch.rows, 2 * indices.len());
            prop_assert_eq!(batch.width % multiple.max(1), 0);
            let longest = chosen[0].n_tokens_of_longest();
            prop_assert!(tokens == 0 || indices.len() == 1 || batch.rows * longest <= tokens);
            for (row, answer) in batch.tokens.chunks(batch.width).zip(&batch.answers) {
                prop_assert!(row[..=answer.predictor].iter().all(|&id| id == 1));
                prop_assert!(row[answer.tokens.clone()].iter().all(|&id| id == 3 || id == 4));
                prop_assert!(row[answer.tokens.end..].iter().all(|&id| id == 0));
            }
            // rows that share a prompt hold the same tokens as separate rows
            let shared = BatchLayout { shares_prompts: true, ..layout }.of_both_answers(&ids);
            prop_assert_eq!(shared.rows, indices.len());
            prop_assert_eq!(shared.answers.len(), batch.answers.len());
            for (place, plain) in shared.answers.iter().zip(&batch.answers) {
                let tokens = |batch: &pref_data::Batch, place: &pref_data::AnswerPlace| {
                    let row = &batch.tokens[place.row * batch.width..][..batch.width];
                    (row[..=place.predictor].to_vec(), row[place.tokens.clone()].to_vec())
                };
                prop_assert_eq!(tokens(&shared, place), tokens(&batch, plain));
            }
        }
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let pairs: Vec<Pair> = (0..300).map(pair_of_number).collect();
    let tokenizer = tokenizer("llama");
    let batches = |n_threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads);
        pool.build().unwrap().install(|| {
            let options = TokenizeOptions {
                max_length: Some(100),
                skip_bad_rows: true,
                ..TokenizeOptions::default()
            };
            let tokenized = tokenize(&pairs, &tokenizer, &options).unwrap();
            let diffs = token_diffs(&tokenized.rows, &DiffOptions::default());
            let layout = BatchLayout {
                pairs: 8,
                ..BatchLayout::default()
            };
            let mut sampler = Sampler::new(tokenized.rows.len(), Order::Shuffled, 5);
            let batches: Vec<_> = (0..20)
                .map(|_| {
                    let indices = sampler.next_batch(8);
                    let some = indices.iter().map(|&i| tokenized.rows[i].ids());
                    layout.of_both_answers(&some.collect::<Vec<_>>())
                })
                .collect();
            (tokenized.rows, tokenized.report, diffs, batches)
        })
    };
    assert_eq!(batches(1), batches(3));
}

/// A pair whose texts have different lengths.
fn pair_of_number(n: usize) -> Pair {
    let steps: String = (0..n % 7)
        .map(|k| format!(" {n} + {k} = {}\n", n + k))
        .collect();
    let prompt = format!("Question: what is {n} times {}?\nAnswer:", n % 13);
    plain(
        &prompt,
        &format!("{steps}A: {}", n * (n % 13)),
        &format!(" {}", n + 1),
    )
}

/// The expected orders are from Python code that implements ChaCha8, its seeding and the shuffle from
/// their descriptions. So a seed gives the same order with every version of the libraries.
#[test]
fn a_seed_always_gives_the_same_order() {
    let epoch = |seed: u64, epoch: usize| {
        let mut sampler = Sampler::new(20, Order::Shuffled, seed);
        for _ in 0..epoch {
            sampler.next_batch(20);
        }
        sampler.next_batch(20)
    };
    assert_eq!(
        epoch(42, 0),
        [
            7, 1, 11, 16, 6, 12, 3, 10, 15, 13, 14, 19, 18, 0, 8, 2, 4, 17, 9, 5
        ]
    );
    assert_eq!(
        epoch(42, 1),
        [
            8, 9, 16, 3, 2, 13, 15, 12, 6, 4, 7, 17, 14, 18, 10, 11, 19, 0, 1, 5
        ]
    );
    assert_eq!(
        epoch(7, 0),
        [
            12, 11, 18, 2, 9, 13, 15, 10, 3, 4, 8, 7, 14, 1, 0, 6, 16, 19, 5, 17
        ]
    );
    // the held-out rows are the first ones of another random order
    let is_held = hold_out(&(0..20).collect::<Vec<_>>(), 0.2, 42);
    let held: Vec<usize> = (0..20).filter(|&i| is_held[i]).collect();
    assert_eq!(held, [4, 7, 11, 14]);
}
