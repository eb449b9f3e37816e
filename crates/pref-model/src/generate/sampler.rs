//! Continuing many texts together. In: prompts, each with the numbers of its samples. Out: answers, each when it is
//! finished.
//!
//! A step adds one token to each text. When a text ends, the next one takes its place. A prompt is computed once for all
//! its samples.

use std::collections::VecDeque;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::distribution::choose;
use super::finish::Finish;
use super::guide::{Guide, MakeGuide, failed};
use super::options::{GenerateError, GenerateOptions, check_prompt};
use super::stops::{Stops, TextOf};
use crate::decoder::{Cache, Decoder};
use crate::kernels::{CachedText, Kernels, TOKENS_OF_A_BLOCK, Texts};
use crate::random::stream;

/// A prompt with the samples to draw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// A number of your choice. The answers have it, and random numbers depend on it.
    pub row: u64,
    /// The ids of the prompt.
    pub ids: Vec<u32>,
    /// The numbers of the samples. The random numbers of a sample depend on the seed, the row and this number only.
    pub samples: Vec<u64>,
}

/// A finished continuation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The row of its [`Prompt`].
    pub row: u64,
    /// The number of the sample.
    pub sample: u64,
    /// The new ids. A stop id and the tokens of a stop string are part of them; see
    /// [`before_stop`](crate::before_stop).
    pub ids: Vec<u32>,
    /// Why it ended.
    pub finish: Finish,
}

/// Continues many texts together.
///
/// A text depends on its prompt, on the seed, and on the numbers of its row and sample. On `Flex` in float32 it does not
/// depend, to the bit, on the texts beside it; on other backends the last bits of a logit can.
///
/// ```
/// use burn::backend::Flex;
/// use pref_model::{Config, Decoder, GenerateOptions, LlamaSizes, Prompt, Sampler};
///
/// let config = Config::llama(&LlamaSizes {
///     vocab: 64, hidden: 16, intermediate: 32, layers: 2, heads: 4, kv_heads: 2,
///     positions: 32, eos: 1, pad: 0,
/// })?;
/// let model = Decoder::<Flex>::init(&config, 7, &Default::default());
/// let options = GenerateOptions {
///     temperature: 1.0,
///     max_new_tokens: 8,
///     stop_ids: config.eos_token_ids().to_vec(),
///     ..GenerateOptions::default()
/// };
/// let mut sampler = Sampler::new(&model, options, 4)?; // at most four texts at a time
/// let mut prompts = (0..3).map(|row| Prompt { row, ids: vec![5, 6 + row as u32], samples: vec![0, 1] });
/// let mut answers = Vec::new();
/// loop {
///     while sampler.has_room() {
///         let Some(prompt) = prompts.next() else { break };
///         sampler.add(prompt)?;
///     }
///     if sampler.is_idle() {
///         break;
///     }
///     answers.extend(sampler.step()?); // those that ended with this step
/// }
/// assert_eq!(answers.len(), 6);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Sampler<'a, B: Kernels> {
    model: &'a Decoder<B>,
    options: GenerateOptions,
    stops: Stops<'a>,
    cache: Cache<B>,
    batch_size: usize,
    waiting: VecDeque<Waiting>,
    /// Prompts with texts; the place of a prompt is used again after its last text ended.
    prompts: Vec<Option<Started>>,
    texts: Vec<Text>,
    counts: SampleCounts,
}

/// What a sampler has computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SampleCounts {
    /// Number of tokens of prompts.
    pub prompt_tokens: u64,
    /// Number of new tokens.
    pub new_tokens: u64,
    /// Number of steps.
    pub steps: u64,
}

/// A prompt with samples that have not begun.
struct Waiting {
    row: u64,
    ids: Vec<u32>,
    samples: VecDeque<u64>,
    guide: Option<MakeGuide>,
    /// Its place among the started prompts, if it was computed.
    started: Option<usize>,
}

/// A computed prompt.
struct Started {
    ids: Vec<u32>,
    /// Logits of the first new token.
    logits: Vec<f32>,
    block: usize,
    /// Number of its texts, and of its samples that have not begun.
    n_texts: usize,
}

/// A text that is being continued.
struct Text {
    row: u64,
    sample: u64,
    prompt: usize,
    rng: ChaCha8Rng,
    ids: Vec<u32>,
    blocks: Vec<usize>,
    guide: Option<Box<dyn Guide>>,
}

impl<'a, B: Kernels> Sampler<'a, B> {
    /// A sampler that continues at most `batch_size` texts at a time. An adapter of the model costs time in every step:
    /// give [`Decoder::merge_lora`]'s result.
    ///
    /// # Errors
    /// [`GenerateError`] for an option outside its range, and for stop strings, which need
    /// [`with_text`](Self::with_text).
    pub fn new(
        model: &'a Decoder<B>,
        options: GenerateOptions,
        batch_size: usize,
    ) -> Result<Self, GenerateError> {
        Self::of(model, options, batch_size, None)
    }

    /// A sampler with a function that makes text of ids, such as the decoder of a tokenizer. Stop strings are compared
    /// with its text.
    ///
    /// # Errors
    /// [`GenerateError`] for an option outside its range.
    pub fn with_text(
        model: &'a Decoder<B>,
        options: GenerateOptions,
        batch_size: usize,
        text_of: TextOf<'a>,
    ) -> Result<Self, GenerateError> {
        Self::of(model, options, batch_size, Some(text_of))
    }

    fn of(
        model: &'a Decoder<B>,
        options: GenerateOptions,
        batch_size: usize,
        text_of: Option<TextOf<'a>>,
    ) -> Result<Self, GenerateError> {
        options.check()?;
        Ok(Self {
            model,
            stops: Stops::new(&options.stop_strings, text_of)?,
            cache: model.new_cache(),
            batch_size: batch_size.max(1),
            waiting: VecDeque::new(),
            prompts: Vec::new(),
            texts: Vec::new(),
            counts: SampleCounts::default(),
            options,
        })
    }

    /// Whether another prompt would take part in the next step.
    pub fn has_room(&self) -> bool {
        let n_waiting: usize = self.waiting.iter().map(|prompt| prompt.samples.len()).sum();
        self.texts.len() + n_waiting < self.batch_size
    }

    /// Whether all answers were given.
    pub fn is_idle(&self) -> bool {
        self.texts.is_empty() && self.waiting.is_empty()
    }

    /// What was computed so far.
    pub fn counts(&self) -> SampleCounts {
        self.counts
    }

    /// Adds a prompt. Its samples begin when there is a place for them.
    ///
    /// # Errors
    /// [`GenerateError`] for a prompt that the model cannot continue. The sampler goes on with the others.
    pub fn add(&mut self, prompt: Prompt) -> Result<(), GenerateError> {
        self.put(prompt, None)
    }

    /// Adds a prompt whose continuations are held to a form.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub fn add_guided(&mut self, prompt: Prompt, guide: MakeGuide) -> Result<(), GenerateError> {
        self.put(prompt, Some(guide))
    }

    fn put(&mut self, prompt: Prompt, guide: Option<MakeGuide>) -> Result<(), GenerateError> {
        let config = self.model.config();
        let positions = config.max_position_embeddings();
        check_prompt(&prompt.ids, config.vocab_size(), positions)?;
        if !prompt.samples.is_empty() {
            self.waiting.push_back(Waiting {
                row: prompt.row,
                ids: prompt.ids,
                samples: prompt.samples.into(),
                guide,
                started: None,
            });
        }
        Ok(())
    }

    /// Adds one token to each text, and begins samples that waited. The result are the answers that ended.
    ///
    /// # Errors
    /// [`GenerateError`] if the logits of a text are not finite, or the text function failed.
    pub fn step(&mut self) -> Result<Vec<Answer>, GenerateError> {
        let mut answers = Vec::new();
        while self.texts.len() < self.batch_size && self.begin_next()? {
            let last = self.texts.len() - 1;
            answers.extend(self.end_texts(last)?);
        }
        if self.texts.is_empty() {
            return Ok(answers);
        }
        for text in &mut self.texts {
            // The last id is the new token of this step.
            let n_places = text.blocks.len() * TOKENS_OF_A_BLOCK;
            if text.ids.len() > n_places {
                text.blocks.push(self.cache.take_block());
            }
        }
        let prompts = &self.prompts;
        let cached = self.texts.iter().map(|text| CachedText {
            prompt: text.of(prompts).block,
            n_prompt: text.of(prompts).ids.len(),
            answer: text.blocks.clone(),
            n_answer: text.ids.len() - 1,
        });
        let cached = Texts::new(cached.collect());
        let last = |text: &Text| text.ids.last().copied().unwrap_or_default();
        let new: Vec<u32> = self.texts.iter().map(last).collect();
        let logits = self.model.step(&new, &cached, &mut self.cache).into_data();
        let converted: Vec<f32>;
        let logits: &[f32] = match logits.as_slice() {
            Ok(logits) => logits,
            Err(_) => {
                converted = logits.iter::<f32>().collect();
                &converted
            }
        };
        let width = logits.len() / self.texts.len();
        let options = &self.options;
        let rows = self.texts.par_iter_mut().zip(logits.par_chunks(width));
        rows.try_for_each(|(text, logits)| {
            let prompt = &text.of(prompts).ids;
            text.push(logits.to_vec(), prompt, options)
        })?;
        self.counts.steps += 1;
        self.counts.new_tokens += self.texts.len() as u64;
        answers.extend(self.end_texts(0)?);
        Ok(answers)
    }

    /// Begins the next sample with its first token. The result is false if there is none.
    fn begin_next(&mut self) -> Result<bool, GenerateError> {
        let Some(mut waiting) = self.waiting.pop_front() else {
            return Ok(false);
        };
        let place = match waiting.started {
            Some(place) => place,
            None => {
                let ids = std::mem::take(&mut waiting.ids);
                self.start(ids, waiting.samples.len())
            }
        };
        waiting.started = Some(place);
        let sample = waiting.samples.pop_front().unwrap_or_default();
        let row = waiting.row;
        let guide = waiting.guide.as_ref().map(|make| make()).transpose();
        let guide = guide.map_err(failed)?;
        if !waiting.samples.is_empty() {
            self.waiting.push_front(waiting);
        }
        let mut text = Text {
            row,
            sample,
            prompt: place,
            rng: ChaCha8Rng::from_seed(stream(self.options.seed, [row, sample], "sample")),
            ids: Vec::new(),
            blocks: Vec::new(),
            guide,
        };
        let prompt = text.of(&self.prompts);
        text.push(prompt.logits.clone(), &prompt.ids, &self.options)?;
        self.counts.new_tokens += 1;
        self.texts.push(text);
        Ok(true)
    }

    /// Computes a prompt, and returns its place.
    fn start(&mut self, ids: Vec<u32>, n_texts: usize) -> usize {
        let (logits, block) = self.model.read_prompt(&ids, &mut self.cache);
        self.counts.prompt_tokens += ids.len() as u64;
        let started = Some(Started {
            ids,
            logits: logits.into_data().iter().collect(),
            block,
            n_texts,
        });
        match self.prompts.iter().position(Option::is_none) {
            Some(place) => {
                self.prompts[place] = started;
                place
            }
            None => {
                self.prompts.push(started);
                self.prompts.len() - 1
            }
        }
    }

    /// Takes the texts from the place `first` on that ended with their last token.
    fn end_texts(&mut self, first: usize) -> Result<Vec<Answer>, GenerateError> {
        let positions = self.model.config().max_position_embeddings();
        let (prompts, options, stops) = (&self.prompts, &self.options, &self.stops);
        let ends: Vec<Option<Finish>> = self.texts[first..]
            .par_iter()
            .map(|text| {
                if let Some(finish) = text.guide.as_ref().and_then(|guide| guide.finish()) {
                    return Ok(Some(finish));
                }
                let last = text.ids.last();
                if last.is_some_and(|id| options.stop_ids.contains(id)) || stops.ends(&text.ids)? {
                    return Ok(Some(Finish::Stop));
                }
                let room = positions - text.of(prompts).ids.len();
                let is_long = text.ids.len() >= options.max_new_tokens.min(room);
                Ok(is_long.then_some(Finish::Length))
            })
            .collect::<Result<_, GenerateError>>()?;
        let mut answers = Vec::new();
        let rest = self.texts.split_off(first);
        for (text, end) in rest.into_iter().zip(ends) {
            let Some(finish) = end else {
                self.texts.push(text);
                continue;
            };
            for block in text.blocks {
                self.cache.return_block(block);
            }
            self.end_of_text(text.prompt);
            answers.push(Answer {
                row: text.row,
                sample: text.sample,
                ids: text.ids,
                finish,
            });
        }
        Ok(answers)
    }

    /// Frees a prompt after its last text.
    fn end_of_text(&mut self, place: usize) {
        let Some(prompt) = &mut self.prompts[place] else {
            return;
        };
        prompt.n_texts -= 1;
        if prompt.n_texts == 0 {
            self.cache.remove_prompt(prompt.block);
            self.prompts[place] = None;
        }
    }
}

impl<B: Kernels> std::fmt::Debug for Sampler<'_, B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut sampler = f.debug_struct("Sampler");
        let sampler = sampler.field("options", &self.options);
        let sampler = sampler.field("n_texts", &self.texts.len());
        sampler
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

impl Text {
    fn of<'p>(&self, prompts: &'p [Option<Started>]) -> &'p Started {
        let prompt = prompts[self.prompt].as_ref();
        prompt.expect("a prompt stays until its last text ends")
    }

    /// Chooses the next token.
    fn push(
        &mut self,
        mut logits: Vec<f32>,
        prompt: &[u32],
        options: &GenerateOptions,
    ) -> Result<(), GenerateError> {
        if let Some(guide) = &mut self.guide {
            guide.mask(&mut logits).map_err(failed)?;
        }
        let all = match options.repetition_penalty == 1.0 {
            true => Vec::new(),
            false => [prompt, &self.ids].concat(),
        };
        let rng = &mut self.rng;
        let next = choose(logits, &all, options, || rng.random());
        let tokens = prompt.len() + self.ids.len();
        let next = next.ok_or(GenerateError::NotFinite { tokens })?;
        self.ids.push(next);
        match &mut self.guide {
            Some(guide) => guide.push(next).map_err(failed),
            None => Ok(()),
        }
    }
}
