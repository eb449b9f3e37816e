//! Solving problems with a decoder. In: a decoder's folder and problems. Out: its solutions, and whether they are right.

use std::path::Path;

use anyhow::Result;
use pref_data::Tokenizer;
use pref_model::{Decoder, GenerateOptions, Prompt, sample};
use pref_train::TrainBackend;
use serde::{Deserialize, Serialize};

use super::task::Problem;

/// Texts that are continued together.
const BATCH: usize = 64;
/// More tokens than any solution of the lessons has.
const MOST_TOKENS: usize = 96;

/// How solutions are drawn.
#[derive(Clone, Copy, Debug)]
pub(super) enum Drawn {
    /// One solution of the most likely tokens.
    Greedy,
    /// `n` solutions with temperature 1.
    Sampled { n: usize },
}

/// A solution as a row of a file, with the names of `pref check`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Solution {
    pub(super) prompt: String,
    pub(super) answer: String,
    pub(super) response: String,
    pub(super) sample: usize,
    pub(super) finish_reason: String,
    pub(super) is_correct: bool,
}

/// Which problems were solved, greedy and with one sample.
#[derive(Clone, Debug)]
pub(super) struct Solved {
    pub(super) greedy: Vec<bool>,
    pub(super) sampled: Vec<bool>,
}

/// A decoder with its tokenizer.
pub(super) struct Solver<B: TrainBackend> {
    decoder: Decoder<B::InnerBackend>,
    tokenizer: Tokenizer,
}

impl<B: TrainBackend> Solver<B> {
    pub(super) fn load(folder: &Path, device: &B::Device) -> Result<Self> {
        Ok(Self {
            decoder: Decoder::load(folder, device)?,
            tokenizer: Tokenizer::from_folder(folder)?,
        })
    }

    /// Solutions in the order of the problems.
    pub(super) fn solve(
        &self,
        problems: &[Problem],
        drawn: Drawn,
        seed: u64,
    ) -> Result<Vec<Solution>> {
        let (temperature, n) = match drawn {
            Drawn::Greedy => (0.0, 1),
            Drawn::Sampled { n } => (1.0, n),
        };
        let options = GenerateOptions {
            max_new_tokens: MOST_TOKENS,
            temperature,
            seed,
            stop_ids: self.tokenizer.eos_id().into_iter().collect(),
            ..GenerateOptions::default()
        };
        let mut prompts = Vec::new();
        for (row, problem) in (0..).zip(problems) {
            prompts.push(Prompt {
                row,
                ids: self.tokenizer.encode(&problem.prompt)?,
                samples: (0..n as u64).collect(),
            });
        }
        let answers = sample(&self.decoder, prompts, &options, BATCH)?;
        let all = problems
            .iter()
            .flat_map(|problem| (0..n).map(move |i| (problem, i)));
        let solution = |((problem, sample), answer): ((&Problem, usize), &pref_model::Answer)| {
            let response = self.tokenizer.decode(&answer.ids, true)?;
            Ok(Solution {
                is_correct: last_answer(&response) == Some(&problem.answer),
                prompt: problem.prompt.clone(),
                answer: problem.answer.clone(),
                response,
                sample,
                finish_reason: answer.finish.name().to_owned(),
            })
        };
        all.zip(&answers).map(solution).collect()
    }

    /// Which problems are solved, greedy and with one sample.
    pub(super) fn solve_both(&self, problems: &[Problem], seed: u64) -> Result<Solved> {
        let solved = |drawn| -> Result<Vec<bool>> {
            let solutions = self.solve(problems, drawn, seed)?;
            Ok(solutions
                .iter()
                .map(|solution| solution.is_correct)
                .collect())
        };
        Ok(Solved {
            greedy: solved(Drawn::Greedy)?,
            sampled: solved(Drawn::Sampled { n: 1 })?,
        })
    }
}

/// The text after the last `A: `.
fn last_answer(solution: &str) -> Option<&str> {
    solution.rsplit_once("A: ").map(|(_, answer)| answer.trim())
}
