//! Word problems in which one wrong step makes the answer wrong. In: a number and a seed. Out: problems with their
//! answers, and solutions of careful and careless solvers.

use std::collections::HashSet;
use std::fmt::Write;

use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::events::{Event, Kind, MOST, result};

const NAMES: [&str; 6] = ["Ann", "Ben", "Cleo", "Dan", "Eve", "Finn"];
const THINGS: [&str; 6] = ["apples", "pens", "books", "shells", "coins", "stamps"];

/// Share of the lessons whose solver is careless.
const CARELESS: f64 = 0.65;
/// How often a careless solver forgets the half of an event.
const FORGETS: f64 = 0.8;

/// A problem as a row of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Problem {
    pub(super) prompt: String,
    pub(super) answer: String,
}

/// A problem with a solution, right or wrong, as a row of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Lesson {
    pub(super) prompt: String,
    pub(super) completion: String,
}

/// What happens in a problem.
struct Story {
    question: String,
    start: i64,
    events: Vec<Event>,
    answer: i64,
}

/// Makes `n` problems that differ from each other and from those in `seen`, and adds them to `seen`. The same seed always
/// gives the same ones.
pub(super) fn new_problems(n: usize, seed: u64, seen: &mut HashSet<String>) -> Vec<Problem> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut problems = Vec::with_capacity(n);
    while problems.len() < n {
        let story = Story::draw(&mut rng);
        let prompt = story.prompt();
        if seen.insert(prompt.clone()) {
            problems.push(Problem {
                prompt,
                answer: story.answer.to_string(),
            });
        }
    }
    problems
}

/// Makes `n` lessons from careful and careless solvers. The same seed always gives the same ones.
pub(super) fn lessons(n: usize, seed: u64) -> Vec<Lesson> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let lesson = |_| {
        let story = Story::draw(&mut rng);
        let is_careless = rng.random_bool(CARELESS);
        Lesson {
            prompt: story.prompt(),
            completion: story.solution(|| is_careless && rng.random_bool(FORGETS)),
        }
    };
    (0..n).map(lesson).collect()
}

impl Story {
    /// Draws until the numbers fit: two to four events, one or two of which a careless solver gets wrong.
    fn draw(rng: &mut ChaCha8Rng) -> Self {
        loop {
            if let Some(story) = Self::try_draw(rng) {
                return story;
            }
        }
    }

    fn try_draw(rng: &mut ChaCha8Rng) -> Option<Self> {
        let n = rng.random_range(2..=4);
        let n_traps = rng.random_range(1..=2);
        let mut kinds: Vec<Kind> = Kind::TRAPS.sample(rng, n_traps).copied().collect();
        while kinds.len() < n {
            kinds.extend(Kind::PLAIN.choose(rng));
        }
        kinds.shuffle(rng);
        let (name, thing) = (NAMES.choose(rng)?, THINGS.choose(rng)?);
        let start = rng.random_range(3..=12);
        let mut question = format!("{name} has {start} {thing}");
        let mut answer = start;
        let mut events = Vec::new();
        for kind in kinds {
            let event = kind.draw(answer, rng)?;
            write!(question, ", {event}").ok()?;
            answer = result(&event.carefully(answer));
            events.push(event);
        }
        write!(question, ". How many {thing}?").ok()?;
        Some(Self {
            question,
            start,
            events,
            answer,
        })
    }

    fn prompt(&self) -> String {
        format!("Question: {}\nAnswer:", self.question)
    }

    /// A solution with a line for each event. `forgets` decides whether the solver forgets a half of the next event that
    /// has two.
    fn solution(&self, mut forgets: impl FnMut() -> bool) -> String {
        let mut text = String::new();
        let mut value = self.start;
        for event in &self.events {
            let careless = event.carelessly(value).filter(|_| forgets());
            let calculations = careless.unwrap_or_else(|| event.carefully(value));
            // After a mistake there can be fewer things than an event needs. Then the solver leaves the event out.
            if !(0..=MOST).contains(&result(&calculations)) {
                continue;
            }
            value = result(&calculations);
            let shown: Vec<String> = calculations.iter().map(ToString::to_string).collect();
            text.push_str(&format!("\n {event}: {}", shown.join(", ")));
        }
        text.push_str(&format!("\nA: {value}"));
        text
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

    use super::*;

    fn last_number(text: &str) -> &str {
        text.rsplit(' ').next().unwrap()
    }

    #[test]
    fn careful_solutions_are_right_and_careless_ones_are_wrong() {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let mut n_same = 0;
        for _ in 0..1000 {
            let story = Story::draw(&mut rng);
            let right = story.solution(|| false);
            assert_eq!(last_number(&right).parse(), Ok(story.answer), "{right}");
            assert_eq!(right.lines().count(), story.events.len() + 2, "{right}");
            assert!((1..=MOST).contains(&story.answer));
            let wrong = story.solution(|| true);
            // Two mistakes can cancel each other, and a mistake that leads out of the range of numbers is not made.
            n_same += usize::from(last_number(&wrong) == last_number(&right));
        }
        assert!(n_same < 100, "{n_same}");
    }

    #[test]
    fn every_line_of_a_solution_is_true() {
        for lesson in lessons(500, 3) {
            for line in lesson.completion.lines().filter(|line| line.contains('=')) {
                for calculation in line.split(": ").nth(1).unwrap().split(", ") {
                    let words: Vec<&str> = calculation.split(' ').collect();
                    let number = |i: usize| words[i].parse::<i64>().unwrap();
                    let result = match words[1] {
                        "+" => number(0) + number(2),
                        "-" => number(0) - number(2),
                        _ => number(0) * number(2),
                    };
                    assert_eq!(result, number(4), "{line}");
                }
            }
        }
    }

    #[test]
    fn about_half_of_the_lessons_are_right() {
        let n = 4000;
        let pairs = lessons(n, 1);
        // A lesson and a problem of the same seed differ, so the answer is recomputed from the question.
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut n_right = 0;
        for lesson in &pairs {
            let story = Story::draw(&mut rng);
            let is_careless = rng.random_bool(CARELESS);
            let text = story.solution(|| is_careless && rng.random_bool(FORGETS));
            assert_eq!(text, lesson.completion);
            n_right += usize::from(last_number(&text).parse() == Ok(story.answer));
        }
        let share = n_right as f64 / n as f64;
        assert!((0.45..0.55).contains(&share), "{share}");
    }

    #[test]
    fn problems_are_new() {
        let mut seen: HashSet<String> = lessons(2000, 1).into_iter().map(|l| l.prompt).collect();
        let n_seen = seen.len();
        let first = new_problems(300, 1, &mut seen);
        assert_eq!(seen.len(), n_seen + 300);
        let again = new_problems(300, 1, &mut seen);
        assert!(first.iter().all(|problem| !again.contains(problem)));
    }

    #[test]
    fn the_first_lessons_read_like_this() {
        let text: Vec<String> = lessons(4, 0)
            .iter()
            .map(|lesson| format!("{}{}", lesson.prompt, lesson.completion))
            .collect();
        insta::assert_snapshot!(text.join("\n======\n"));
    }
}
