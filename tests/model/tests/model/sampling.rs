//! Continuing many texts together: the batch changes nothing, the probabilities are those of transformers, and stop
//! strings end a text.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::path::Path;
use std::sync::Arc;

use burn::backend::{Flex, NdArray};
use burn::tensor::backend::Backend;
use burn::tensor::{Distribution, Tensor};
use pref_model::{
    Answer, Block, CachedText, Decoder, Finish, GenerateError, GenerateOptions, Guide, Kernels,
    KeyValues, Prompt, Sampler, ScoreRule, TOKENS_OF_A_BLOCK, Texts, before_stop, generate,
    plain_kernels, sample, token_probabilities,
};
use serde::Deserialize;

use crate::common::{FAMILIES, fixture};

fn load<B: Backend>(name: &str) -> Decoder<B> {
    Decoder::load(&fixture(name), &B::Device::default()).unwrap()
}

/// Prompts of several lengths, some longer than the windows of 24 tokens, with two samples each.
fn prompts(n: usize) -> Vec<Prompt> {
    let prompt = |row: usize| Prompt {
        row: row as u64,
        ids: (0..3 + row * 13 % 40)
            .map(|i| 5 + ((i * 37 + row * 101) % 900) as u32)
            .collect(),
        samples: vec![0, 1],
    };
    (0..n).map(prompt).collect()
}

fn options(temperature: f64) -> GenerateOptions {
    GenerateOptions {
        max_new_tokens: 20,
        temperature,
        seed: 5,
        // Ids that random models often give, so that texts end at different steps.
        stop_ids: (0..60).collect(),
        ..GenerateOptions::default()
    }
}

#[test]
fn the_batch_changes_no_answer() {
    for name in FAMILIES {
        let model = load::<Flex>(name);
        for temperature in [0.0, 1.0] {
            let options = options(temperature);
            let alone = sample(&model, prompts(16), &options, 1).unwrap();
            assert_eq!(alone.len(), 32);
            for batch in [5, 32] {
                let together = sample(&model, prompts(16), &options, batch).unwrap();
                assert_eq!(together, alone, "{name}, a batch of {batch}");
            }
            let mut reversed = prompts(16);
            reversed.reverse();
            let reversed = sample(&model, reversed, &options, 7).unwrap();
            assert_eq!(reversed, alone, "{name}, from the last to the first");
        }
        let lengths: Vec<usize> = sample(&model, prompts(16), &options(1.0), 8)
            .unwrap()
            .iter()
            .map(|answer| answer.ids.len())
            .collect();
        assert!(
            lengths.iter().any(|&n| n != lengths[0]),
            "{name}: {lengths:?}"
        );
    }
}

#[test]
fn a_sample_alone_is_the_same_as_among_others() {
    let model = load::<Flex>("qwen3");
    let options = options(1.0);
    let all = sample(&model, prompts(4), &options, 8).unwrap();
    let mut last = prompts(4).remove(3);
    last.samples = vec![1];
    let found = sample(&model, [last], &options, 8).unwrap();
    assert_eq!(found, all[7..]);
    assert_ne!(all[6].ids, all[7].ids, "samples differ");
}

#[test]
fn backends_agree_on_greedy_tokens() {
    for name in FAMILIES {
        let options = options(0.0);
        let flex = sample(&load::<Flex>(name), prompts(4), &options, 8).unwrap();
        let ndarray = sample(&load::<NdArray>(name), prompts(4), &options, 8).unwrap();
        assert_eq!(flex, ndarray, "{name}");
        for (answer, prompt) in flex.iter().step_by(2).zip(prompts(4)) {
            let model = load::<Flex>(name);
            assert_eq!(generate(&model, &prompt.ids, &options).unwrap(), answer.ids);
        }
    }
}

#[test]
fn an_adapter_takes_part_and_rows_stay_independent() {
    for dora in [false, true] {
        let folder = fixture("llama").join("../../adapters");
        let folder = folder.join(if dora { "dora" } else { "rslora-all" });
        let model = load::<Flex>("llama").load_lora(&folder).unwrap();
        let options = options(0.0);
        let alone = sample(&model, prompts(8), &options, 1).unwrap();
        let together = sample(&model, prompts(8), &options, 16).unwrap();
        assert_eq!(alone, together);
        let base = sample(&load::<Flex>("llama"), prompts(8), &options, 16).unwrap();
        assert_ne!(base, together, "the adapter changes answers");
        let merged = sample(&model.merge_lora(), prompts(8), &options, 16).unwrap();
        assert_eq!(merged, together);
    }
}

#[derive(Deserialize)]
struct Probabilities {
    text: Vec<u32>,
    logits: std::collections::BTreeMap<String, Vec<f32>>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    logits: String,
    options: Processors,
    kept: usize,
    probabilities: Vec<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Processors {
    temperature: f64,
    top_k: usize,
    top_p: f64,
    min_p: f64,
    repetition_penalty: f64,
}

impl Default for Processors {
    fn default() -> Self {
        Self {
            temperature: 1.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            repetition_penalty: 1.0,
        }
    }
}

#[test]
fn probabilities_are_those_of_transformers() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = path.join("../../fixtures/sampling/probabilities.json");
    let file: Probabilities =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(file.cases.len(), 32);
    for case in &file.cases {
        let processors = &case.options;
        let options = GenerateOptions {
            temperature: processors.temperature,
            top_k: processors.top_k,
            top_p: processors.top_p,
            min_p: processors.min_p,
            repetition_penalty: processors.repetition_penalty,
            ..GenerateOptions::default()
        };
        let logits = file.logits[&case.logits].clone();
        let found = token_probabilities(logits, &file.text, &options).unwrap();
        let kept = found.iter().filter(|p| **p > 0.0).count();
        assert_eq!(kept, case.kept, "{} {processors:?}", case.logits);
        for (found, expected) in found.iter().zip(&case.probabilities) {
            let error = (found - expected).abs();
            assert!(error <= 1e-6, "{processors:?}: {found} {expected}");
        }
    }
}

/// The ids as words, so that stop strings can begin and end within a token.
fn words(ids: &[u32]) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    Ok(ids.iter().map(|id| format!("<{id}>")).collect())
}

#[test]
fn a_stop_string_ends_a_text_also_between_tokens() {
    let model = load::<Flex>("llama");
    let greedy = generate(&model, &[5, 6, 7], &GenerateOptions::default()).unwrap();
    let [a, b] = [greedy[40], greedy[41]].map(|id| id.to_string());
    // The end of one token and the beginning of the next.
    let stop = format!("{}><{}", &a[a.len() - 1..], &b[..1]);
    let whole = words(&greedy).unwrap();
    let end = whole.find(&stop).unwrap();
    let options = GenerateOptions {
        stop_strings: vec!["no such text".to_owned(), stop.clone()],
        ..GenerateOptions::default()
    };
    let mut sampler = Sampler::with_text(&model, options.clone(), 4, &words).unwrap();
    sampler
        .add(Prompt {
            row: 9,
            ids: vec![5, 6, 7],
            samples: vec![3],
        })
        .unwrap();
    let mut answers: Vec<Answer> = Vec::new();
    while !sampler.is_idle() {
        answers.extend(sampler.step().unwrap());
    }
    let [answer] = &answers[..] else {
        panic!("{answers:?}")
    };
    assert_eq!(
        (answer.row, answer.sample, answer.finish),
        (9, 3, Finish::Stop)
    );
    let text = words(&answer.ids).unwrap();
    assert!(
        text.contains(&stop),
        "the tokens of the stop string are kept"
    );
    let shorter = words(&answer.ids[..answer.ids.len() - 1]).unwrap();
    assert!(!shorter.contains(&stop), "the text ends with the first one");
    assert_eq!(before_stop(&text, &options.stop_strings), &whole[..end]);

    let failed = Sampler::new(&model, options, 4).unwrap_err();
    assert!(matches!(failed, GenerateError::NoText), "{failed}");
}

#[test]
fn a_prompt_is_computed_once_for_its_samples() {
    let model = load::<Flex>("llama");
    let options = GenerateOptions {
        max_new_tokens: 3,
        ..GenerateOptions::default()
    };
    let mut sampler = Sampler::new(&model, options, 2).unwrap();
    let prompt = Prompt {
        row: 0,
        ids: vec![5, 6, 7, 8],
        samples: (0..5).collect(),
    };
    sampler.add(prompt).unwrap();
    assert!(!sampler.has_room());
    let mut n = 0;
    while !sampler.is_idle() {
        n += sampler.step().unwrap().len();
    }
    assert_eq!(n, 5);
    let counts = sampler.counts();
    assert_eq!((counts.prompt_tokens, counts.new_tokens), (4, 15));
    assert_eq!(
        counts.steps, 6,
        "two texts at a time, the first token without a step"
    );
}

/// Allows the ids from 100 on, one after the other, and ends after four.
struct Counting(u32);

impl Guide for Counting {
    fn mask(&mut self, logits: &mut [f32]) -> Result<(), String> {
        let allowed = 100 + self.0 as usize;
        let others = logits.iter_mut().enumerate();
        others
            .filter(|(id, _)| *id != allowed)
            .for_each(|(_, logit)| *logit = f32::NEG_INFINITY);
        Ok(())
    }

    fn push(&mut self, id: u32) -> Result<(), String> {
        match id == 100 + self.0 {
            true => self.0 += 1,
            false => return Err(format!("found {id}")),
        }
        Ok(())
    }

    fn finish(&self) -> Option<Finish> {
        (self.0 == 4).then_some(Finish::Stop)
    }
}

#[test]
fn a_guide_holds_its_own_text_to_a_form_and_no_other() {
    let model = load::<Flex>("llama");
    for temperature in [0.0, 1.0] {
        let options = options(temperature);
        let mut sampler = Sampler::new(&model, options.clone(), 4).unwrap();
        let mut both = prompts(2);
        let free = both.remove(0);
        let alone = sample(&model, vec![free.clone()], &options, 4).unwrap();
        sampler.add(free).unwrap();
        let guide = Arc::new(|| Ok(Box::new(Counting(0)) as Box<dyn Guide>));
        sampler.add_guided(both.remove(0), guide).unwrap();
        let mut answers = Vec::new();
        while !sampler.is_idle() {
            answers.extend(sampler.step().unwrap());
        }
        answers.sort_by_key(|answer| (answer.row, answer.sample));
        assert_eq!(answers[..2], alone);
        for answer in &answers[2..] {
            assert_eq!(answer.ids, [100, 101, 102, 103]);
            assert_eq!(answer.finish, Finish::Stop);
        }
    }
    let mut sampler = Sampler::new(&model, options(0.0), 1).unwrap();
    let failing = Arc::new(|| Err("no form".to_owned()));
    sampler.add_guided(prompts(1).remove(0), failing).unwrap();
    let error = sampler.step().unwrap_err();
    assert_eq!(error.to_string(), "the form of a continuation: no form");
}

/// Largest difference of two tensors.
fn difference<const D: usize>(a: Tensor<Flex, D>, b: Tensor<Flex, D>) -> f32 {
    let values: Vec<f32> = (a - b).abs().max().into_data().iter().collect();
    values[0]
}

#[test]
fn the_steps_operations_equal_their_plain_bodies() {
    let device = Default::default();
    <Flex as Backend>::seed(&device, 3);
    let random = |shape: [usize; 3]| {
        Tensor::<Flex, 3>::random(shape, Distribution::Uniform(-1.0, 1.0), &device)
    };
    for (rows, n_in, n_out) in [(1, 7, 5), (3, 64, 100), (16, 33, 49), (70, 65, 50)] {
        let [x, weight] = [[1, rows, n_in], [1, n_out, n_in]].map(|s| random(s).squeeze_dim(0));
        let found = Flex::project_rows(x.clone(), weight.clone());
        let expected = plain_kernels::project(x, weight);
        assert!(difference(found, expected) < 1e-4);
    }
    for (heads, kv_heads, head_dim) in [(4, 2, 16), (3, 3, 6), (140, 2, 8)] {
        for window in [None, Some(3), Some(150)] {
            for softcap in [None, Some(0.7)] {
                let rule = ScoreRule {
                    scale: 0.4,
                    softcap,
                };
                let n_prompts = [7, 200];
                let blocks = n_prompts.map(|n| Block {
                    keys: random([kv_heads, n, head_dim]),
                    values: random([kv_heads, n, head_dim]),
                });
                let mut blocks = blocks.to_vec();
                let n_answers = [(0, 0), (0, 5), (1, 127), (1, 128), (0, 300)];
                let texts = n_answers.map(|(prompt, n_answer)| {
                    let first = blocks.len();
                    for _ in 0..=n_answer / TOKENS_OF_A_BLOCK {
                        blocks.push(Block {
                            keys: random([kv_heads, TOKENS_OF_A_BLOCK, head_dim]),
                            values: random([kv_heads, TOKENS_OF_A_BLOCK, head_dim]),
                        });
                    }
                    CachedText {
                        prompt,
                        n_prompt: n_prompts[prompt],
                        answer: (first..blocks.len()).collect(),
                        n_answer,
                    }
                });
                let n = texts.len();
                let texts = Texts::new(texts.to_vec());
                let new = [
                    random([n, heads, head_dim]),
                    random([n, kv_heads, head_dim]),
                    random([n, kv_heads, head_dim]),
                ];
                let mut caches = [0, 1].map(|_| KeyValues {
                    blocks: blocks.clone(),
                });
                let [a, b] = &mut caches;
                let found = Flex::attention_of_texts(new.clone(), a, &texts, window, rule);
                let expected = plain_kernels::attention_of_texts(new, b, &texts, window, rule);
                let error = difference(found, expected);
                assert!(error < 1e-5, "{heads} {window:?} {softcap:?}: {error}");
                for (a, b) in a.blocks.iter().zip(&b.blocks) {
                    assert_eq!(difference(a.keys.clone(), b.keys.clone()), 0.0);
                    assert_eq!(difference(a.values.clone(), b.values.clone()), 0.0);
                }
            }
        }
    }
}
