//! Reads arbitrary replies of judges. In: bytes. Out: a judgement must have one value on the scale for each item.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pref_annotate::{Judgement, Task};

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let n = data.len() % 4;
    let labels = vec!["reasoning".to_owned(), "answer".to_owned()];
    let tasks = [
        Task::scores("clarity", 0..=4, false, vec![n]),
        Task::scores("completeness", 0..=4, true, vec![n, 1]),
        Task::Compare,
        Task::Rate { min: 1, max: 10 },
        Task::Parts { labels, n_segments: n },
        Task::Weights { max: 4, n_segments: n },
        Task::Rewrite { may_keep: true, copies: Vec::new() },
    ];
    for task in tasks {
        match task.read(&text) {
            Ok(Judgement::Scores(answers)) => {
                assert_eq!(answers[0].len(), n);
                assert!(answers.iter().flatten().all(|score| (0.0..=4.0).contains(score)));
            }
            Ok(Judgement::Labels(labels)) => assert_eq!(labels.len(), n),
            Ok(Judgement::Weights(weights)) => {
                assert_eq!(weights.len(), n);
                assert!(weights.iter().all(|weight| (0.0..=4.0).contains(weight)));
            }
            Ok(Judgement::Rating(rating)) => assert!((1.0..=10.0).contains(&rating)),
            Ok(_) | Err(_) => {}
        }
    }
});
