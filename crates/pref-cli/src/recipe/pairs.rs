//! Pairs of the decoder's own solutions. In: checked solutions. Out: pairs of a right and a wrong one of the same
//! problem.

use std::collections::HashSet;

use pref_eval::{Choice, PairOptions, Sample, choose_pairs};
use serde::Serialize;

use super::solve::Solution;
use super::task::Problem;

/// Most pairs of a problem.
const MOST_OF_A_PROBLEM: usize = 2;

/// A pair as a row of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct PairRow {
    pub(super) prompt: String,
    pub(super) chosen: String,
    pub(super) rejected: String,
    pub(super) answer: String,
}

/// The pairs of solutions, which are in the order of their problems. A solution without an end is left out: it says little
/// about how a mistake came about.
pub(super) fn pairs(solutions: &[Solution], seed: u64) -> Vec<PairRow> {
    let options = PairOptions {
        choice: Choice::Random,
        limit: MOST_OF_A_PROBLEM,
        min_difference: 0.0,
        seed,
    };
    let of_problem = solutions.chunk_by(|a, b| a.prompt == b.prompt);
    let rows = of_problem.flat_map(|solutions| {
        let samples: Vec<Sample<'_>> = solutions.iter().map(graded).collect();
        let pairs = choose_pairs(&samples, &options).unwrap_or_default();
        pairs.into_iter().map(|pair| PairRow {
            prompt: solutions[pair.chosen].prompt.clone(),
            chosen: solutions[pair.chosen].response.clone(),
            rejected: solutions[pair.rejected].response.clone(),
            answer: solutions[pair.chosen].answer.clone(),
        })
    });
    rows.collect()
}

fn graded(solution: &Solution) -> Sample<'_> {
    Sample {
        text: &solution.response,
        grade: (solution.finish_reason == "stop").then(|| f64::from(solution.is_correct)),
    }
}

/// Divides pairs into those of the given problems and the others, so that no problem is in both.
pub(super) fn split_by_problem(
    pairs: Vec<PairRow>,
    problems: &[Problem],
) -> (Vec<PairRow>, Vec<PairRow>) {
    let prompts: HashSet<&str> = problems.iter().map(|p| p.prompt.as_str()).collect();
    pairs
        .into_iter()
        .partition(|pair| prompts.contains(pair.prompt.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn solution(prompt: &str, response: &str, is_correct: bool, finish: &str) -> Solution {
        Solution {
            prompt: prompt.to_owned(),
            answer: "3".to_owned(),
            response: response.to_owned(),
            sample: 0,
            finish_reason: finish.to_owned(),
            is_correct,
        }
    }

    #[test]
    fn right_and_wrong_solutions_of_one_problem_are_paired() {
        let solutions = [
            solution("p", "a", true, "stop"),
            solution("p", "b", false, "length"),
            solution("p", "c", false, "stop"),
            solution("p", "d", true, "stop"),
            solution("q", "e", true, "stop"),
            solution("r", "f", false, "stop"),
        ];
        let found = pairs(&solutions, 0);
        assert!(
            found
                .iter()
                .all(|pair| pair.prompt == "p" && pair.rejected == "c")
        );
        let mut chosen: Vec<&str> = found.iter().map(|pair| pair.chosen.as_str()).collect();
        chosen.sort_unstable();
        assert_eq!(chosen, ["a", "d"]);
    }

    #[test]
    fn no_problem_is_in_both_parts() {
        let row = |prompt: &str| PairRow {
            prompt: prompt.to_owned(),
            chosen: "a".to_owned(),
            rejected: "b".to_owned(),
            answer: "1".to_owned(),
        };
        let problem = Problem {
            prompt: "p".to_owned(),
            answer: "1".to_owned(),
        };
        let (eval, train) = split_by_problem(vec![row("p"), row("q"), row("p")], &[problem]);
        assert_eq!((eval.len(), train.len()), (2, 1));
    }
}
